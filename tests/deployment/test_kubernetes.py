"""`deploy/k8s`, without a cluster: what kustomize makes of it against the schemas of Kubernetes, `dagster.yaml` as Dagster
reads it, and the job that a run becomes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test, instance_for_test
from dagster._serdes import ConfigurableClassData

from dltsync_core.config import load_config
from dltsync_dagster import LocationSettings
from dltsync_dagster.settings import PREFIX

dagster_k8s = pytest.importorskip("dagster_k8s", reason="dagster-k8s is not installed (pip install 'dltsync[dev]')")
kubernetes = pytest.importorskip("kubernetes")  # dagster-k8s brings it
kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed (pip install 'dltsync[dev]')"
)
pytest.importorskip("dagster_postgres", reason="dagster-postgres is not installed (pip install 'dltsync[dev]')")

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "k8s"
VERSIONS = ("1.30", "1.37")
"""Of Kubernetes: the oldest one that manifests are written for, and the newest whose schemas are at hand."""
SECRETS = {
    "dltsync-secrets": {
        "DLT_SYNC_PASSWORD": "p",
        "DLT_SYNC_STATE__STATE_URL": "postgresql+psycopg://ledger:p@postgres.example.com/ledger",
        "DLT_SYNC_DESTINATION__CREDENTIALS": "postgresql://loader:p@postgres.example.com/warehouse",
    },
    "dagster-postgres": {"DAGSTER_POSTGRES_PASSWORD": "p"},
}
"""What README.md of the folder creates."""

Manifests = list[dict[str, Any]]


def rendered(folder: Path) -> Manifests:
    """The output of kustomize."""
    command = next(
        (
            [found, *rest]
            for name, rest in (("kustomize", ["build"]), ("kubectl", ["kustomize"]))
            if (found := shutil.which(name))
        ),
        None,
    )
    if command is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=["base", "shared-disk"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered(DEPLOY / request.param)


def one(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    (found,) = (m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)
    return found


def containers(manifests: Manifests) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pod and container of each deployment."""
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            for container in pod["containers"]:
                yield pod, container


def names(manifests: Manifests, kind: str) -> set[str]:
    return {m["metadata"]["name"] for m in manifests if m["kind"] == kind}


def code_environment(manifests: Manifests) -> dict[str, str]:
    """The variables of the code server, the secrets' values included."""
    (container,) = (c for _, c in containers(manifests) if c["name"] == "code")
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        if "secretRef" in source:
            found |= SECRETS[source["secretRef"]["name"]]
        else:
            found |= one(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    return {**found, **{variable["name"]: variable["value"] for variable in container["env"]}}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifests_are_what_kubernetes_accepts(manifests: Manifests, version: str) -> None:
    assert len(manifests) > 10
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):  # it does look
        kubernetes_validate.validate({**one(manifests, "Service", "dltsync-code"), "spek": {}}, version, strict=True)


def test_every_name_in_the_manifests_exists(manifests: Manifests) -> None:
    """Config maps, secrets, claims, accounts and services: kustomize does not look into them."""
    instance = yaml.safe_load(one(manifests, "ConfigMap", "dagster-instance")["data"]["dagster.yaml"])
    workspace = yaml.safe_load(one(manifests, "ConfigMap", "dagster-workspace")["data"]["workspace.yaml"])
    launcher = instance["run_launcher"]["config"]
    (namespace,) = names(manifests, "Namespace")
    assert {m["metadata"].get("namespace", namespace) for m in manifests} == {namespace} == {launcher["job_namespace"]}
    assert launcher["instance_config_map"] in names(manifests, "ConfigMap")
    accounts = {pod["serviceAccountName"] for pod, _ in containers(manifests)} | {launcher["service_account_name"]}
    assert accounts == names(manifests, "ServiceAccount")
    for entry in workspace["load_from"]:
        service = one(manifests, "Service", entry["grpc_server"]["host"])
        assert [port["port"] for port in service["spec"]["ports"]] == [entry["grpc_server"]["port"]]
    context = json.loads(code_environment(manifests)["DAGSTER_CONTAINER_CONTEXT"])["k8s"]
    assert set(context["env_config_maps"]) <= names(manifests, "ConfigMap")
    assert set(context["env_secrets"]) == set(SECRETS)
    pods = [(pod["volumes"], container["volumeMounts"]) for pod, container in containers(manifests)]
    for volumes, mounts in [*pods, (context["volumes"], context["volume_mounts"])]:
        assert {mount["name"] for mount in mounts} == {volume["name"] for volume in volumes}
        for volume in volumes:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in names(manifests, "ConfigMap")
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in names(manifests, "PersistentVolumeClaim")
    for _, container in containers(manifests):
        for source in container["envFrom"]:
            (name,) = (value["name"] for value in source.values())
            assert name in (SECRETS if "secretRef" in source else names(manifests, "ConfigMap"))


def test_services_and_deployments_select_their_own_pods(manifests: Manifests) -> None:
    labels = {
        m["metadata"]["name"]: m["spec"]["template"]["metadata"]["labels"]
        for m in manifests
        if m["kind"] == "Deployment"
    }
    assert len({tuple(sorted(some.items())) for some in labels.values()}) == len(labels) == 3
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            assert manifest["spec"]["selector"]["matchLabels"] == labels[manifest["metadata"]["name"]]
        if manifest["kind"] == "Service":
            assert manifest["spec"]["selector"] == labels[manifest["metadata"]["name"]]


def test_no_manifest_holds_a_secret_and_only_the_code_server_and_runs_get_the_sources(manifests: Manifests) -> None:
    assert names(manifests, "Secret") == set()
    settings = {name for m in manifests if m["kind"] == "ConfigMap" for name in m["data"]}
    assert not settings & {name for values in SECRETS.values() for name in values}
    for _, container in containers(manifests):
        secrets = {source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source}
        assert secrets == (
            {"dltsync-secrets", "dagster-postgres"} if container["name"] == "code" else {"dagster-postgres"}
        )
        assert not [variable for variable in container.get("env", ()) if "PASSWORD" in variable["name"]]


def test_pods_run_without_rights_with_probes_and_with_limits(manifests: Manifests) -> None:
    """As the namespace's pod security standard `restricted` wants it."""
    for pod, container in containers(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert {"startupProbe", "livenessProbe"} <= set(container)
        assert set(container["resources"]) == {"requests", "limits"}
    assert one(manifests, "Deployment", "dagster-daemon")["spec"]["strategy"] == {"type": "Recreate"}


def test_runs_use_the_image_that_kustomization_names(tmp_path: Path) -> None:
    copy = tmp_path / "base"
    shutil.copytree(DEPLOY / "base", copy)
    file = copy / "kustomization.yaml"
    file.write_text(file.read_text().replace("newTag: 0.1.0", "newTag: 9.8.7"))
    found = rendered(copy)
    images = {container["image"] for _, container in containers(found)}
    assert images == {"registry.example.com/dltsync:9.8.7"} == {code_environment(found)["DAGSTER_CURRENT_IMAGE"]}


def test_the_config_is_whole_with_the_settings_and_secrets_of_the_deployment(
    manifests: Manifests, tmp_path: Path
) -> None:
    """Each variable is one that dltsync knows: any other is an error of load_config."""
    file = tmp_path / "dltsync.yaml"
    file.write_text(one(manifests, "ConfigMap", "dltsync-config")["data"]["dltsync.yaml"])
    environment = code_environment(manifests)
    config = load_config(file, environment)
    assert config.database.server == "sql.example.com"
    assert str(config.state.parquet_directory) in ("/lake", "s3://my-bucket/lakes")
    assert config.state.state_url is not None, "pods share no disk for a ledger of one machine"
    assert config.destination.type == "dlt", "nor a DuckDB file"
    for name in environment:
        assert not name.startswith(PREFIX) or name.removeprefix(PREFIX).lower() in LocationSettings.model_fields


@pytest.fixture
def home(tmp_path: Path, manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME as the pods have it."""
    for name, value in code_environment(manifests).items():
        monkeypatch.setenv(name, value)
    text = one(manifests, "ConfigMap", "dagster-instance")["data"]["dagster.yaml"]
    (tmp_path / "dagster.yaml").write_text(text)
    return tmp_path


def test_dagster_accepts_the_instance(home: Path) -> None:
    """Every key of dagster.yaml, those of run launcher and storage included; no server is asked."""
    parts = instance_parts(home)
    assert {"K8sRunLauncher", "DagsterPostgresStorage", "NoOpComputeLogManager"} <= set(parts)
    for problems in parts.values():
        assert problems == []
    for right, wrong in (("default_limit", "defualt_limit"), ("dagster_home", "dagster_hoem")):
        misspelt = home / wrong
        misspelt.mkdir()
        (misspelt / "dagster.yaml").write_text((home / "dagster.yaml").read_text().replace(right, wrong))
        with pytest.raises(Exception, match=wrong):  # it does look
            assert not any(instance_parts(misspelt).values()), instance_parts(misspelt)


def test_a_run_is_a_job_that_kubernetes_accepts_with_all_it_needs(home: Path, manifests: Manifests) -> None:
    environment = code_environment(manifests)
    job = launched_job(home, environment, tags={})
    for version in VERSIONS:
        kubernetes_validate.validate(job, version, strict=True)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == environment["DAGSTER_CURRENT_IMAGE"]
    assert pod["serviceAccountName"] == "dltsync-run"
    assert pod["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    sources = [name for source in container["envFrom"] for name in (value["name"] for value in source.values())]
    assert sorted(sources) == ["dagster-postgres", "dagster-postgres", "dltsync-secrets", "dltsync-settings"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/etc/dltsync", "/var/lib/dltsync/state", "/var/lib/dltsync/dagster/dagster.yaml"} <= mounted
    assert {"name": "DAGSTER_HOME", "value": "/var/lib/dltsync/dagster"} in container["env"]
    config = load_config(
        write(home / "run.yaml", one(manifests, "ConfigMap", "dltsync-config")["data"]["dltsync.yaml"]), environment
    )
    limit = container["resources"]["limits"]["memory"]
    assert limit == "5Gi"
    assert LocationSettings().parallel_steps * config.processing.memory_limit_mb < 5 * 1024
    lake = str(config.state.parquet_directory)
    assert not lake.startswith("/") or lake in mounted


def test_the_tag_for_a_run_that_needs_more_is_one_that_dagster_takes(home: Path, manifests: Manifests) -> None:
    """The block of README.md: dagster-k8s ignores no key of it, and the run's pod has it."""
    (block,) = re.findall(r"```json\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    tags = {"dagster-k8s/config": json.dumps(json.loads(block))}
    assert dagster_k8s.job.get_user_defined_k8s_config(tags).container_config
    job = launched_job(home, code_environment(manifests), tags)
    kubernetes_validate.validate(job, VERSIONS[-1], strict=True)
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "20Gi"
    assert pod["nodeSelector"] == {"pool": "large"}
    with pytest.raises(dg.DagsterInvalidConfigError):
        dagster_k8s.job.get_user_defined_k8s_config({"dagster-k8s/config": '{"container_configs": {}}'})


def test_the_readme_creates_the_secrets_that_the_manifests_name() -> None:
    text = (DEPLOY / "README.md").read_text()
    created = {
        name: set(re.findall(r"--from-literal=([A-Z_]+)=", rest))
        for name, rest in re.findall(r"create secret generic (\S+)((?:.*\\\n)*.*)", text)
    }
    assert created == {name: set(values) for name, values in SECRETS.items()}


def write(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def instance_parts(home: Path) -> dict[str, list[str]]:
    """Each part of the instance that dagster.yaml configures, by its class, with what its schema finds wrong. Raises
    DagsterInvalidConfigError for a wrong key of Dagster's own."""
    ref = InstanceRef.from_dir(str(home))
    parts = [value for value in ref._asdict().values() if isinstance(value, ConfigurableClassData)]
    found = {}
    for part in parts:
        made = getattr(import_module(part.module_name), part.class_name)
        checked = validate_config(made.config_type(), yaml.safe_load(part.config_yaml) or {})
        found[part.class_name] = [error.message for error in checked.errors or []]
    return found


class FakeCluster:
    """The one call of the cluster's API that a launch makes."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []

    def create_namespaced_job(self, body: Any, namespace: str, **_: Any) -> None:
        assert namespace == "dltsync"
        self.jobs.append(body)


def launched_job(home: Path, environment: dict[str, str], tags: dict[str, str]) -> dict[str, Any]:
    """The job that the launcher of dagster.yaml makes of a run, as the cluster's API gets it."""
    config = yaml.safe_load((home / "dagster.yaml").read_text())["run_launcher"]["config"]
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    file = {
        "clusters": [cluster],
        "contexts": [context],
        "current-context": "c",
        "users": [{"name": "u", "user": {}}],
    }
    kubeconfig = write(home / "kubeconfig", yaml.safe_dump(file))
    fake = FakeCluster()
    with instance_for_test() as instance:
        launcher = dagster_k8s.K8sRunLauncher(
            **config, load_incluster_config=False, kubeconfig_file=str(kubeconfig), k8s_client_batch_api=fake
        )
        launcher.register_instance(instance)
        code = RepositoryPythonOrigin(
            executable_path="python",
            code_pointer=ModuleCodePointer("dltsync_dagster.definitions", "defs"),
            container_image=environment["DAGSTER_CURRENT_IMAGE"],
            entry_point=["dagster"],
            container_context=json.loads(environment["DAGSTER_CONTAINER_CONTEXT"]),
        )
        run = create_run_for_test(
            instance, job_name="__ASSET_JOB", tags=tags, job_code_origin=JobPythonOrigin("__ASSET_JOB", code)
        )
        launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    (job,) = fake.jobs
    made: dict[str, Any] = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    return made

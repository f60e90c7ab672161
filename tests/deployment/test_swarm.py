"""`deploy/swarm/stack.yaml` without a Swarm: Docker's own check of it, and the config with what its services get."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dltsync_core.config import load_config
from tests.deployment.compose_files import ROOT, UnsetVariableError, passed_environment, rendered

FILE = ROOT / "deploy" / "swarm" / "stack.yaml"
SHELL = {
    "DLTSYNC_IMAGE": "registry.example.com/dltsync:0.1.0",
    "DAGSTER_POSTGRES_HOST": "postgres.example.com",
    "DLT_SYNC_SERVER": "sql.example.com",
    "DLT_SYNC_DATABASE": "Shop",
    "DLT_SYNC_USERNAME": "dltsync_reader",
    "DLT_SYNC_STATE__PARQUET_DIRECTORY": "s3://my-bucket/lakes",
}
CONTENT = {
    "dlt_sync_password": "p'; $(touch /tmp/never) \\ ü",
    "dlt_sync_state_url": "postgresql+psycopg://ledger:p@postgres.example.com/ledger",
    "dlt_sync_warehouse": "postgresql://loader:p@postgres.example.com/warehouse",
    "dagster_postgres_password": "pg",
}


def test_docker_accepts_the_stack() -> None:
    if shutil.which("docker") is None:
        pytest.skip("Docker's command is not installed (no engine is needed)")
    command = ["docker", "stack", "config", "-c", str(FILE)]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **SHELL}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert {name: service["deploy"]["replicas"] for name, service in services.items()} == dict.fromkeys(
        ("code", "webserver", "daemon"), 1
    )


def test_every_key_is_one_of_the_compose_specification() -> None:
    compose_spec = pytest.importorskip(
        "compose_spec", reason="compose-spec is not installed (pip install 'dltsync[dev]')"
    )
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(rendered(FILE, SHELL))).validate()


@pytest.mark.parametrize("name", sorted(SHELL))
def test_the_stack_says_which_variable_is_missing(name: str) -> None:
    with pytest.raises(UnsetVariableError, match=name):
        rendered(FILE, {other: value for other, value in SHELL.items() if other != name})


def test_every_secret_and_config_exists_and_the_readme_creates_it() -> None:
    stack = rendered(FILE, SHELL)
    text = (FILE.parent / "README.md").read_text()
    assert set(re.findall(r"docker secret create (\S+) -", text)) == set(stack["secrets"]) == set(CONTENT)
    assert set(re.findall(r"\b([A-Z_]+)=", text)) == set(SHELL)
    for config in stack["configs"].values():
        assert (FILE.parent / config["file"]).is_file()
    for name, service in stack["services"].items():
        files = [value for value in service["environment"].values() if str(value).startswith("/run/secrets/")]
        assert sorted(files) == sorted(f"/run/secrets/{secret}" for secret in service["secrets"])
        assert {one["source"] for one in service["configs"]} <= set(stack["configs"])
        expected = set(CONTENT) if name == "code" else {"dagster_postgres_password"}
        assert set(service["secrets"]) == expected, "only the code server gets logins of source and warehouse"


def test_every_health_check_reads_the_secrets_that_its_service_has() -> None:
    """Docker starts a health check without the entry point; `dagster-daemon liveness-check` needs the database's password."""
    for name, service in rendered(FILE, SHELL)["services"].items():
        if any(variable.endswith("_FILE") for variable in service["environment"]):
            assert service["healthcheck"]["test"][:2] == ["CMD", "dltsync-entrypoint"], name


def test_the_config_is_whole_with_what_the_entry_point_makes_of_secrets(tmp_path: Path) -> None:
    service: dict[str, Any] = rendered(FILE, SHELL)["services"]["code"]
    for name, content in CONTENT.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    given = {
        name: value.replace("/run/secrets", str(tmp_path)) for name, value in passed_environment(service, SHELL).items()
    }
    environment = entered(given)
    config = load_config(ROOT / "deploy" / "k8s" / "base" / "dltsync.yaml", environment)
    assert config.database.password is not None
    assert config.database.password.get_secret_value() == CONTENT["dlt_sync_password"]
    assert config.state.state_url is not None
    assert config.state.state_url.get_secret_value() == CONTENT["dlt_sync_state_url"]
    assert environment["DAGSTER_POSTGRES_PASSWORD"] == "pg"
    assert not [name for name in environment if name.endswith("_FILE")]


def test_the_entry_point_refuses_a_secret_that_is_missing_or_given_twice(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for more, message in (
        ({"DLT_SYNC_PASSWORD_FILE": str(tmp_path / "none")}, "DLT_SYNC_PASSWORD_FILE: .* cannot be read"),
        ({"DLT_SYNC_PASSWORD_FILE": str(tmp_path / "secret"), "DLT_SYNC_PASSWORD": "y"}, "are both set"),
    ):
        done = entry_point(more)
        assert done.returncode != 0
        assert re.search(message, done.stderr)
        assert done.stdout == "", "the command does not start"


def entered(given: dict[str, str]) -> dict[str, str]:
    """The variables that the command gets."""
    done = entry_point(given)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def entry_point(given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(ROOT / "docker" / "entrypoint.sh"), "env", "-0"],
        env={"PATH": "/usr/bin:/bin", **given},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=30,
    )

"""`examples/dagster`: a user's own project with the component, reports with Polars and a dbt project, run as it stands."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.example_shop import make_example_database
from tests.support.sandbox_server import SandboxServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # dbt and dg are slow starters

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "dagster"
MONTHS = ("2024-01-01", "2024-02-01", "2024-03-01")

RUN = """
import json, sys
import dagster as dg
from shop_analytics.definitions import defs

loaded = defs()
loaded = loaded if isinstance(loaded, dg.Definitions) else loaded.get_definitions()
dg.Definitions.validate_loadable(loaded)
job = loaded.resolve_implicit_global_asset_job_def()
found = {"assets": sorted(key.to_user_string() for key in loaded.resolve_asset_graph().get_all_asset_keys())}

def run(*keys, **how):
    done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(key.split("/")) for key in keys], **how)
    for event in done.get_asset_materialization_events():
        shown = event.materialization.metadata
        found.setdefault(event.asset_key.to_user_string(), []).append(
            [event.partition, {name: shown[name].value for name in ("orders", "revenue") if name in shown}]
        )

with dg.DagsterInstance.ephemeral() as instance:
    months = ["2024-01-01", "2024-02-01", "2024-03-01"]
    span = {"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[-1]}
    run("shop/orders", tags=span)
    run("shop/customers", "shop/countries")
    for month in months:
        run("revenue_of_month", partition_key=month)
    run("revenue_by_country")
    if "orders_per_customer" in found["assets"]:
        run("orders_per_customer")
print("FOUND " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def environment(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of shop.sql in a database of their own, and how the project is told of them."""
    database = make_example_database(sandbox)
    config = sandbox.database_config(database=database)
    return {
        **os.environ,
        "SHOP_SERVER": f"{config.server},{config.port}",
        "SHOP_DATABASE": database,
        "SHOP_USERNAME": str(config.username),
        "SHOP_PASSWORD": sandbox.password,
        "SHOP_DATA": str(tmp_path_factory.mktemp("data")),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DAGSTER_IS_DEV_CLI": "1",  # as `dg dev` sets it: dbt's component then makes its manifest
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def project(root: Path, *, dbt: bool) -> Path:
    """A copy of the project; without its dbt part where that cannot run."""
    copy = root / "project"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("target", "data", "__pycache__", ".local_defs_state"))
    if not dbt:
        shutil.rmtree(copy / "shop_analytics" / "defs" / "dbt")
    return copy


def ran(folder: Path, environment: dict[str, str], *command: str) -> str:
    paths = os.pathsep.join((str(folder), str(ROOT)))
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def found(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    (line,) = (
        one for one in ran(folder, environment, sys.executable, "-c", RUN).splitlines() if one.startswith("FOUND ")
    )
    result: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
    return result


@pytest.mark.parametrize("dbt", [False, True])
def test_the_project_loads_its_tables_and_reports_on_them(
    tmp_path: Path, environment: dict[str, str], *, dbt: bool
) -> None:
    pytest.importorskip("polars")
    if dbt:
        pytest.importorskip("dagster_dbt")
        pytest.importorskip("dbt.adapters.duckdb")
    said = found(project(tmp_path, dbt=dbt), environment)
    assert {"shop/orders", "shop/customers", "shop/countries"} <= set(said)
    assert sorted(partition for partition, _ in said["shop/orders"]) == list(MONTHS)
    assert [(partition, shown["orders"], shown["revenue"]) for partition, shown in said["revenue_of_month"]] == [
        (MONTHS[0], 2, "120.10"),
        (MONTHS[1], 1, "300.00"),
        (MONTHS[2], 1, "4.05"),
    ]
    assert said["revenue_by_country"] == [[None, {"revenue": {"Schweiz": "24.05", "日本": "400.10"}}]]
    assert ("orders_per_customer" in said) is dbt


def test_the_readme_names_the_variables_and_the_commands(environment: dict[str, str]) -> None:
    """The commands are run below: `dg check defs` as it stands, the installation and `dg dev` by what they do."""
    (block,) = re.findall(r"```bash\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert set(re.findall(r"(SHOP_\w+)=", block)) == {name for name in environment if name.startswith("SHOP_")}
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert [line for line in commands if not line.startswith("export ")] == [
        "pip install -e .",
        "dg check defs",
        "dg dev",
    ]


def test_dg_lists_checks_and_scaffolds_the_component_without_a_database(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    if importlib.util.find_spec("dagster_dg_cli") is None:
        pytest.skip("dagster-dg-cli is not installed")
    offline = {**environment, "SHOP_SERVER": "192.0.2.1,1433"}
    del offline["SHOP_PASSWORD"]
    folder = project(tmp_path, dbt=False)
    pyproject = folder / "pyproject.toml"
    # As the installed package's entry point does it.
    pyproject.write_text(pyproject.read_text() + 'registry_modules = ["dltsync_dagster"]\n')
    assert "successfully" in ran(folder, offline, "dg", "check", "defs")
    listed = ran(folder, offline, "dg", "list", "components", "--json")
    for component in ("DltsyncComponent", "DltsyncDiscoveryComponent"):
        assert f'"dltsync_dagster.{component}"' in listed
    ran(folder, offline, "dg", "scaffold", "defs", "dltsync_dagster.DltsyncComponent", "stock", "--database", "Stock")
    assert "database: Stock" in (folder / "shop_analytics" / "defs" / "stock" / "defs.yaml").read_text()

"""The code location as Dagster's daemon has it: loaded from a module, its sensors evaluated, the runs they ask for launched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.dagster.sandbox_location import SandboxLocation
from tests.support.sandbox_server import SandboxServer

AT_ONCE = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
}
"""A run is over when the sensor's evaluation is."""
BY_ANOTHER_PROGRAM = "(-inf,2024-01-31]"
"""A partition of the shipments that no run of Dagster loads: the sensor reports it."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test(overrides=AT_ONCE) as instance:
        yield instance


def write_config(shop: SandboxLocation, file: Path) -> None:
    """The shop's partition tables as a config file, as a deployment has it."""
    database, state = shop.config.database, shop.config.state
    names = ("server", "port", "database", "username", "trust_server_certificate")
    config = {
        "database": {**{name: getattr(database, name) for name in names}, "password": shop.secret},
        "partition_tables": [{"table_name": t.table_name} for t in shop.config.tables if t.kind == "partition"],
        "state": {name: str(getattr(state, name)) for name in ("state_directory", "parquet_directory")},
        "destination": {"path": str(shop.config.destination.path)},
    }
    file.write_text(yaml.safe_dump(config))


@pytest.mark.slow  # a code server, and a process for each step
@pytest.mark.timeout(600)
def test_the_daemon_runs_what_a_sensor_asks_for_of_two_partition_tables(
    sandbox: SandboxServer, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs of all tables, whatever their partitions, are runs of one job that Dagster makes by itself."""
    shop = SandboxLocation(sandbox, tmp_path, instance)
    write_config(shop, tmp_path / "dltsync.yaml")
    monkeypatch.setenv("DLT_SYNC_CONFIG", str(tmp_path / "dltsync.yaml"))
    monkeypatch.setenv("DLT_SYNC_DAGSTER_SENSORS", "running")
    with IncrementalSQLServerParquetPipeline(tmp_path / "dltsync.yaml") as pipeline:  # as `dltsync run` does
        assert pipeline.run(table_names=["Shipments"], partition_keys=[BY_ANOTHER_PROGRAM]).success
    target = ModuleTarget("dltsync_dagster.definitions", attribute="defs", working_directory=None, location_name="shop")
    with create_test_daemon_workspace_context(target, instance) as workspace:
        (entry,) = workspace.create_request_context().get_code_location_entries().values()
        assert entry.load_error is None, entry.load_error
        list(execute_sensor_iteration(workspace, logging.getLogger("sensors"), None, None))
    runs = {run.tags["dltsync/table"]: run for run in instance.get_runs()}
    assert set(runs) == {"dbo.Orders", "dbo.Shipments"}
    for run in runs.values():
        said = [entry.user_message for entry in instance.all_logs(run.run_id)]
        assert run.status is dg.DagsterRunStatus.SUCCESS, "\n".join(said)
        assert (run.job_name, run.tags["dagster/sensor_name"]) == ("__ASSET_JOB", "dltsync__partition_boundaries")
        assert run.tags["dltsync/reason"] == "never loaded before"
    for table, partitions in (("dbo.Orders", 3), ("dbo.Shipments", 4)):
        key = dg.AssetKey([shop.database, "warehouse", table.removeprefix("dbo.")])
        assert set(runs[table].asset_selection or ()) == {key}
        events = instance.fetch_materializations(key, limit=100).records
        without_run = [event.partition_key for event in events if not event.run_id]
        assert without_run == ([BY_ANOTHER_PROGRAM] if table == "dbo.Shipments" else [])
        assert len({event.partition_key for event in events}) == len(events) == partitions
        assert shop.warehouse(f"SELECT count(*) FROM warehouse.{key.path[-1]}") == [(4,)]
    shop.connection.close()

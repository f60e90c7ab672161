"""Many Dagster runs at once, each in its own process, on one DAGSTER_HOME and one DuckDB file; and what is written of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from dltsync_dagster import LocationSettings, PipelineResources, SqlServerConnection, build_definitions
from tests.dagster.sandbox_location import COUNTRIES, ORDERS, SandboxLocation, ShopKeys
from tests.support.forks import Forks
from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.xdist_group("dagster_forks")
WITHIN = 240.0
"""Seconds: a run worker takes some to import everything, more when the machine is busy."""
FIRST, SECOND = "(-inf,100)", "[100,200)"


@dataclass
class Home:
    """A DAGSTER_HOME on the disk, the shop whose runs are kept there, and processes that have Dagster loaded."""

    directory: Path
    instance: dg.DagsterInstance
    shop: SandboxLocation
    forks: Forks

    @property
    def config(self) -> dict[str, Any]:
        """Plain values: they go to other processes by a file outside of the home."""
        config = self.shop.config
        database = config.database
        return {
            "database": {
                **{
                    n: getattr(database, n)
                    for n in ("server", "port", "database", "username", "trust_server_certificate")
                },
                "password": self.shop.secret,
            },
            "partition_tables": [{"table_name": "Orders"}],
            "static_tables": [{"table_name": "Countries"}],
            "state": {n: str(getattr(config.state, n)) for n in ("state_directory", "parquet_directory")},
            "destination": {"path": str(config.destination.path)},
        }

    def run_all(self, *runs: tuple[dg.AssetKey, str | None]) -> list[dict[str, Any]]:
        """A run of an asset and a partition in each of so many processes, all at once; what each printed."""
        ended = self.forks.run_all(
            "tests.dagster.one_run:execute",
            [{"config": self.config, "asset": list(asset.path), "partition": partition} for asset, partition in runs],
            environment={"DAGSTER_HOME": str(self.directory), "DAGSTER_DISABLE_TELEMETRY": "yes"},
        )
        assert [one.status for one in ended] == [0] * len(runs), "\n\n".join(one.stderr for one in ended)
        return [json.loads(one.stdout.splitlines()[-1]) for one in ended]

    def lines(self, run_id: str) -> str:
        return "\n".join(str(entry.user_message) for entry in self.instance.all_logs(run_id))


@pytest.fixture
def home(sandbox: SandboxServer, tmp_path: Path, dagster_forks: Forks) -> Iterator[Home]:
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(directory)) as instance:
        shop = SandboxLocation(sandbox, tmp_path / "shop", instance)
        shop.look()  # the partitions
        try:
            yield Home(directory, instance, shop, dagster_forks)
        finally:
            shop.connection.close()


def metadata(home: Home, run_id: str) -> dict[str | None, dict[str, Any]]:
    """Of each partition that a run reported."""
    records = home.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [record.asset_materialization for record in records]
    return {event.partition: {n: v.value for n, v in event.metadata.items()} for event in events if event is not None}


@pytest.mark.survives(
    "rivals",
    "four Dagster runs at once in processes of their own: twice the same partition, another one, "
    "another table; one DuckDB file, which another program holds open at first",
    "each run waits its turn and says so in its log; all end green",
    "every row once; Dagster's events match the rows",
)
def test_runs_at_once_lose_and_double_nothing_and_say_that_they_wait(home: Home) -> None:
    warehouse = home.shop.config.destination.path
    warehouse.parent.mkdir(exist_ok=True)
    stranger = duckdb.connect(str(warehouse))
    with ThreadPoolExecutor(1) as pool:
        try:
            running = pool.submit(home.run_all, (ORDERS, FIRST), (ORDERS, FIRST), (ORDERS, SECOND), (COUNTRIES, None))
            deadline = time.monotonic() + WITHIN
            while not any("waiting for" in home.lines(run.run_id) for run in home.instance.get_runs()):
                assert not running.done(), running.result()
                assert time.monotonic() < deadline, "no run said that it waits"
                time.sleep(0.5)
        finally:
            stranger.close()
        results = running.result()
    failed = [home.lines(told["run_id"]) for told in results if not told["success"]]
    assert not failed, "\n\n".join(failed)
    found = home.shop.warehouse("SELECT No, Note FROM warehouse.Orders ORDER BY No")
    assert found == [(1, "a"), (2, "b"), (150, "c")]
    assert home.shop.warehouse("SELECT count(*) FROM warehouse.Countries") == [(2,)]
    rows = [metadata(home, told["run_id"]) for told in results]
    assert [sorted(map(str, events)) for events in rows] == [[FIRST], [FIRST], [SECOND], ["None"]]
    assert [
        events[key]["dagster/partition_row_count"] for events, key in zip(rows[:3], (FIRST, FIRST, SECOND), strict=True)
    ] == [
        2,
        2,
        1,
    ]
    assert rows[3][None]["dagster/row_count"] == 2
    assert home.instance.get_materialized_partitions(ORDERS) == {FIRST, SECOND}


MARKED = "M4rked-§ecret-that-is-wrong"


@pytest.mark.survives(
    "input",
    "a password in the config, right or wrong, and a table that does not load, in Dagster",
    "the failure, its message and its remedy",
    "no file below DAGSTER_HOME, the lake or the state holds the password: runs, events, metadata, tags, compute logs",
)
def test_no_file_of_dagster_or_ours_holds_a_password(
    home: Home, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = home.shop
    monkeypatch.setenv("MARKED_PASSWORD", MARKED)
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    good = job.execute_in_process(instance=home.instance, asset_selection=[COUNTRIES])
    replica = SqlServerConnection(password=dg.EnvVar("MARKED_PASSWORD"))
    refused = build_definitions(
        shop.config, resources=PipelineResources(sqlserver=replica), settings=LocationSettings(), translator=ShopKeys()
    )
    bad = refused.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=home.instance, asset_selection=[COUNTRIES], raise_on_error=False
    )
    assert (good.success, bad.success) == (True, False)
    (failure,) = [event for event in bad.all_events if event.is_step_failure]
    assert "->" in str(failure.step_failure_data.user_failure_data)
    files = [path for place in (home.directory, shop.root) for path in place.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".db" and home.directory in path.parents], (
        "no event was written down"
    )
    for secret in (MARKED, sandbox.password):
        for spelling in {secret.encode(), secret.encode("utf-16-le"), json.dumps(secret)[1:-1].encode()}:
            assert [str(path) for path in files if spelling in path.read_bytes()] == []

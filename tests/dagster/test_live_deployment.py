"""Webserver, daemon and code server as processes of their own, with docker/dagster.yaml: Dagster's storage and the ledger in
PostgreSQL, the lake in an object store, the warehouse another PostgreSQL database, several run workers at once.

Two pipelines and a user's own definitions are one location (live_location.py). Each test has tables of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from sqlserver_sandbox.faults.plan import Fault, Stall, Where
from tests.dagster.live_shop import ROWS, SLOTS, UNLOADABLE, LiveDagster, LiveShop
from tests.support.dagster_processes import DagsterProcesses
from tests.support.fault_control import FaultControl
from tests.support.object_stores import made_s3_bucket
from tests.support.postgres_server import running_postgres

pytest.importorskip("dagster_postgres", reason="dagster-postgres is not installed (pip install 'dltsync[dev]')")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200), pytest.mark.xdist_group("live_dagster")]

ROOT = Path(__file__).resolve().parents[2]
READS_ROWS = "dltsync_remainder"
"""In the statement that reads the rows of a partition, and not in the probe of all of them: the rest of a datetime2(7) value that
the driver cuts off."""


@pytest.fixture(autouse=True)
def no_fault_stays(fault_control: FaultControl) -> Iterator[None]:
    """What a test made stall goes on for the next one."""
    yield
    fault_control.clear()


class Live:
    """The deployment, the sources and what stands in the way of them."""

    def __init__(self, shop: LiveShop, processes: DagsterProcesses, faults: FaultControl) -> None:
        self.shop, self.processes, self.faults = shop, processes, faults
        self.dagster = LiveDagster(processes)

    def key(self, database: str, table: str) -> tuple[str, ...]:
        return (database, "warehouse", table)

    def green(self, database: str, table: str) -> set[str]:
        return set(self.dagster.partitions(self.key(database, table)).get("materialized", ()))

    def add_partitions(self, table: str) -> list[str]:
        """Tell Dagster the partitions of a table of the shop, as the first tick of the sensor does, without its runs."""
        keys = self.shop.partition_keys(table)
        with dg.DagsterInstance.from_config(str(self.processes.home)) as instance:
            instance.add_dynamic_partitions(self.shop.partitions_name(self.shop.shop, table), keys)
        return keys

    def events(self, database: str, table: str) -> list[tuple[str | None, object]]:
        """Partition and load of each materialization of an asset, newest first."""
        key = dg.AssetKey(self.key(database, table))
        with dg.DagsterInstance.from_config(str(self.processes.home)) as instance:
            records = instance.fetch_materializations(key, limit=1000).records
        found = [record.asset_materialization for record in records]
        return [(one.partition, one.metadata["dltsync/load_id"].value) for one in found if one is not None]

    def step_process(self, run_id: str, step: str) -> int:
        """The process of a step."""
        with dg.DagsterInstance.from_config(str(self.processes.home)) as instance:
            logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
        events = [entry.get_dagster_event() for entry in logs]
        (metadata,) = (event.engine_event_data.metadata for event in events if event.step_key == step)
        return int(str(metadata["pid"].value))


@pytest.fixture(scope="module")
def live(fault_control: FaultControl, s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    root = tmp_path_factory.mktemp("live")
    home = root / "dagster_home"
    home.mkdir()
    shutil.copy(ROOT / "docker" / "dagster.yaml", home)
    fault_control.clear()
    with running_postgres() as postgres, made_s3_bucket(s3_endpoint) as bucket:
        shop = LiveShop(fault_control.server, postgres, bucket, root)
        with pytest.MonkeyPatch.context() as patched:
            for name, value in shop.environment.items():
                patched.setenv(name, value)
            processes = DagsterProcesses(home, "tests.dagster.live_location", shop.environment)
            try:
                processes.start()
                yield Live(shop, processes, fault_control)
            finally:
                fault_control.clear()
                processes.stop()


def test_a_backfill_of_two_tables_loads_all_but_what_fails_and_then_only_that(live: Live) -> None:
    """24 partitions of each of two tables, one of each with a value that the warehouse cannot hold."""
    database = live.shop.shop
    tables = {name: live.add_partitions(name) for name in ("Orders", "Shipments")}
    broken = {"Orders": tables["Orders"][5], "Shipments": tables["Shipments"][20]}
    backfill = live.dagster.backfill({live.key(database, name): keys for name, keys in tables.items()})
    first = live.dagster.ended_backfill(backfill)
    assert first["status"] == "COMPLETED_FAILED", live.processes.logs()
    assert first["counts"] == dict.fromkeys(tables, (SLOTS, SLOTS - 1, 1))
    assert Counter(run["status"] for run in first["runs"]) == {"SUCCESS": 2, "FAILURE": 2}
    assert most_at_once(first["runs"]) > 1, "several run workers are at work at the same time"
    for name, keys in tables.items():
        shown = live.dagster.partitions(live.key(database, name))
        assert {status: set(some) for status, some in shown.items()} == {
            "materialized": set(keys) - {broken[name]},
            "failed": {broken[name]},
        }
        assert Counter(partition for partition, _ in live.events(database, name)) == dict.fromkeys(
            set(keys) - {broken[name]}, 1
        )
        assert live.shop.warehouse("shop", f'SELECT count(*), count(DISTINCT "No") FROM warehouse."{name}"') == [
            ((SLOTS - 1) * ROWS, (SLOTS - 1) * ROWS)
        ]
    for name in tables:
        live.shop.execute(database, f"UPDATE dbo.{name} SET Seen = '2026-05-05' WHERE Seen = '{UNLOADABLE}'")
    again = live.dagster.ended_backfill(live.dagster.backfill_from_failure(backfill))
    assert again["status"] == "COMPLETED_SUCCESS", live.processes.logs()
    assert again["counts"] == dict.fromkeys(tables, (1, 1, 0)), "only what failed is requested again"
    for name, keys in tables.items():
        shown = live.dagster.partitions(live.key(database, name))
        assert {status: set(some) for status, some in shown.items()} == {"materialized": set(keys)}
        assert Counter(partition for partition, _ in live.events(database, name)) == dict.fromkeys(keys, 1)
        assert live.shop.warehouse("shop", f'SELECT count(*), count(DISTINCT "No") FROM warehouse."{name}"') == [
            (SLOTS * ROWS, SLOTS * ROWS)
        ]


def test_what_a_killed_step_committed_is_green_and_only_the_rest_is_loaded_again(live: Live) -> None:
    database, key = live.shop.shop, live.key(live.shop.shop, "Visits")
    keys = live.add_partitions("Visits")
    committed = 3
    rows = Where(database=database, table="Visits", kind="select", pattern=READS_ROWS, skip=committed, times=None)
    live.faults.plan(Fault(Stall(), rows))
    backfill = live.dagster.backfill({key: keys})

    def stalled() -> bool:
        """Whether Dagster shows all that was read, and both workers of the run wait for the source."""
        return len(live.green(database, "Visits")) == committed and len(live.faults.happened()) == 2

    live.processes.wait_for("the source to stall in the middle of the table", stalled)
    (run,) = live.processes.query(_RUNS_OF_BACKFILL, id=backfill)["runs"]
    os.kill(live.step_process(run["id"], "shop__sync_dbo_Visits"), signal.SIGKILL)
    assert live.dagster.ended_run(run["id"]) == "FAILURE"
    live.faults.clear()
    found = live.dagster.ended_backfill(backfill)
    assert found["counts"] == {"Visits": (len(keys), committed, len(keys) - committed)}
    green = live.green(database, "Visits")
    assert len(green) == committed
    loads = dict(live.events(database, "Visits"))
    assert set(loads) == green

    assert live.dagster.ended_run(live.dagster.run_from_failure(run["id"])) == "SUCCESS", live.processes.logs()
    assert live.dagster.partitions(key) == {"materialized": keys}
    events = live.events(database, "Visits")
    assert {partition: load for partition, load in events if partition in green} == loads, "they are not loaded again"
    assert {partition for partition, _ in events} == set(keys)
    assert live.shop.warehouse("shop", 'SELECT count(*), count(DISTINCT "No") FROM warehouse."Visits"') == [
        (len(keys) * ROWS, len(keys) * ROWS)
    ]


def test_a_sensor_follows_a_split_while_another_table_stalls(live: Live) -> None:
    """And an asset of the user's own reads a table of the same location."""
    database, archive = live.shop.archive, "archive"
    sensors = ("archive__partition_boundaries", "archive__static_hashes")
    before = live.shop.partition_keys("Entries", archive)
    assert before == ["(-inf,100)", "[100,200)", "[200,+inf)"]
    try:
        for sensor in sensors:
            live.dagster.start_sensor(sensor)
        live.processes.wait_for("the first load", lambda: live.green(database, "Entries") == set(before))
        live.processes.wait_for(
            "both tables", lambda: len(live.events(database, "Rates")) and len(live.events(database, "Countries"))
        )
        first_rates = live.events(database, "Rates")

        live.faults.plan(Fault(Stall(), Where(database=database, table="Rates", kind="select", times=None)))
        live.shop.execute(database, "UPDATE dbo.Rates SET Value = 7 WHERE Code = 'JPY'")
        live.processes.wait_for("the sensor to probe the stalled table", live.faults.happened)
        live.shop.execute(database, "INSERT INTO dbo.Countries VALUES ('SEK', 3)")
        live.processes.wait_for("a table of the same sensor", lambda: len(live.events(database, "Countries")) == 2)
        live.shop.execute(database, "ALTER PARTITION SCHEME Entries NEXT USED [PRIMARY]")
        live.shop.execute(database, "ALTER PARTITION FUNCTION Entries() SPLIT RANGE (300)")
        live.shop.execute(database, "INSERT INTO dbo.Entries VALUES (350, 4, NULL, N'd')")
        after = {"(-inf,100)", "[100,200)", "[200,300)", "[300,+inf)"}
        live.processes.wait_for("the partitions of the split", lambda: live.green(database, "Entries") == after)
        assert live.shop.warehouse(archive, 'SELECT "Item", "No" FROM warehouse."Entries" ORDER BY 1') == [
            (50, 1),
            (150, 2),
            (250, 3),
            (350, 4),
        ]
        assert live.events(database, "Rates") == first_rates, "the table stalls all this time"
        assert len(live.events(database, "Countries")) == 2
        loads = Counter(partition for partition, _ in live.events(database, "Entries"))
        assert (loads["(-inf,100)"], loads["[100,200)"]) == (1, 1), "what did not change is not loaded again"

        live.faults.clear()
        live.processes.wait_for(
            "the table that stalled", lambda: len(live.events(database, "Rates")) > len(first_rates)
        )
        assert live.shop.warehouse(archive, 'SELECT "Value" FROM warehouse."Rates" ORDER BY "Code"') == [(1,), (7,)]
    finally:
        live.faults.clear()
        for sensor in sensors:
            live.dagster.stop_sensor(sensor)
    run = live.dagster.materialize(("country_codes",))
    assert live.dagster.ended_run(run) == "SUCCESS", live.processes.logs()
    with dg.DagsterInstance.from_config(str(live.processes.home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("country_codes"))
    assert event is not None
    assert event.asset_materialization is not None
    shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert (shown["codes"], shown["warehouse"]) == (["CHF", "JPY", "SEK"], "mine")


_RUNS_OF_BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
    ... on PartitionBackfill { runs(limit: 50) { id status } } } }"""


def most_at_once(runs: list[dict[str, float]]) -> int:
    """How many of the runs were at work at one moment, at most."""
    ends = sorted(
        [(run["startTime"], 1) for run in runs] + [(run["endTime"], -1) for run in runs],
        key=lambda end: (end[0], end[1]),
    )
    now = most = 0
    for _, change in ends:
        now += change
        most = max(most, now)
    return most

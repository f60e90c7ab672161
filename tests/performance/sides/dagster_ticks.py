"""Ticks of the sensor over one partition table of many partitions: what Dagster's side of them costs. The pipeline is a fake, so
that neither the server nor the ledger counts; the instance is Dagster's own, with its SQLite in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

from dltsync_core.committed import CommittedUnit
from dltsync_core.config import DatabaseConfig, PartitionTableConfig, PipelineConfig
from dltsync_dagster import LocationSettings, build_definitions, build_location
from dltsync_dagster.partitions import portions
from dltsync_dagster.reconciliation import RECORDS_PER_TICK
from dltsync_dagster.reporting import ledger_materialization
from tests.dagster.fakes import FakeTable, FakeWorld

TABLE = "dbo.Orders"


class Ticks:
    """A location over one table, all of whose partitions are loaded and known to Dagster; its sensor, tick by tick."""

    def __init__(self, partitions: int, instance: dg.DagsterInstance) -> None:
        bounds = ["(-inf,0)", *(f"[{n},{n + 1})" for n in range(partitions - 2)), f"[{partitions - 2},+inf)"]
        self.table = FakeTable(dict.fromkeys(bounds, 20))
        self.world, self.instance = FakeWorld({TABLE: self.table}), instance
        database = DatabaseConfig(server="db.example", database="Shop", username="u", password="p")
        self.configured = PartitionTableConfig(table_name="Orders")
        self.config = PipelineConfig(database=database, partition_tables=[self.configured])
        self.location = build_location(self.config, settings=LocationSettings(), open_pipeline=self.world.open)
        self.definitions = build_definitions(self.config, settings=LocationSettings(), open_pipeline=self.world.open)
        self.sensor = self.definitions.resolve_sensor_def("dltsync__partition_boundaries")
        self.cursor: str | None = None
        self.statements = 0
        self._commit_all()
        self._report_all()

    def _count(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("PRAGMA"):
            self.statements += 1

    def _commit_all(self) -> None:
        """As if all partitions had been loaded: the fake compares every unit with all of them when it loads one."""
        with self.world.open(self.config) as pipeline:
            pipeline.run(table_names=[TABLE], partition_keys=[next(iter(self.table.units))])
        (first,) = self.world.committed_units[TABLE].values()
        self.world.committed_units[TABLE] = {
            unit: replace(first, identity=replace(first.identity, unit=unit, load_id=f"load{n}"))
            for n, unit in enumerate(self.table.units)
        }

    def _report_all(self) -> None:
        """An event of each partition, as a row like that of the first one: reported one by one they take minutes."""
        definition = self.location.dynamic_partitions_of(self.configured)
        assert definition is not None
        for keys in portions(list(self.table.units)):
            self.instance.add_dynamic_partitions(str(definition.name), list(keys))
        committed = self.world.committed_units[TABLE]
        (first, loaded), *others = committed.items()
        self._report(first, loaded)
        with self.instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            row = dict(connection.execute(sqlalchemy.select(SqlEventLogStorageTable)).mappings().one())
            del row["id"]
            text = row["event"]
            rows = [
                {**row, "partition": unit, "event": text.replace(first, unit).replace(loaded.load_id, one.load_id)}
                for unit, one in others
            ]
            connection.execute(SqlEventLogStorageTable.insert(), rows)

    def _report(self, unit: str, committed: CommittedUnit) -> None:
        event = ledger_materialization(self.location, self.configured, unit, committed)
        self.instance.report_runless_asset_event(event)

    def load(self, *units: str) -> None:
        """Load units as a run does: the ledger has them, and Dagster has an event of each."""
        with self.world.open(self.config) as pipeline:
            pipeline.run(table_names=[TABLE], partition_keys=units)
            committed = pipeline.committed(TABLE)
        for unit in units:
            self._report(unit, committed[unit])

    @contextmanager
    def counting(self) -> Iterator[None]:
        """For the block, count the statements to Dagster's database."""
        where = (sqlalchemy.engine.Engine, "before_cursor_execute", self._count)
        sqlalchemy.event.listen(*where)
        try:
            yield
        finally:
            sqlalchemy.event.remove(*where)

    def tick(self) -> tuple[dict[str, Any], list[dg.RunRequest]]:
        """Its cost, and the runs that it requests. Its events are recorded, as the daemon does, and count."""
        before, cpu, started = self.statements, time.process_time(), time.perf_counter()
        context = dg.build_sensor_context(instance=self.instance, definitions=self.definitions, cursor=self.cursor)
        with self.counting(), dg.partition_loading_context(dynamic_partitions_store=self.instance):
            found = self.sensor.evaluate_tick(context)
            for event in found.asset_events:
                self.instance.report_runless_asset_event(event)
        self.cursor = found.cursor
        cost = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - started}
        return {**cost, "statements": self.statements - before}, list(found.run_requests or [])


def run(partitions: int, **_: Any) -> dict[str, Any]:
    """The cost of each kind of tick, in their order."""
    found: dict[str, Any] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(partitions, instance)
        found["the first"], asked = ticks.tick()
        for _tick in range(partitions // RECORDS_PER_TICK + 1):  # until this process has read all events of the table
            more = ticks.tick()[1]
            asked += more
        assert not asked, "everything is loaded"
        found["nothing changed"], asked = ticks.tick()
        assert not asked
        units = list(ticks.table.units)
        middle = units[len(units) // 2]
        ticks.table.units[middle] += 1
        found["one partition changed"], asked = ticks.tick()
        assert [request.partition_key for request in asked] == [middle]
        ticks.load(middle)
        found["after its load"], asked = ticks.tick()
        assert not asked
        low, high = middle[1:-1].split(",")
        halves = [f"[{low},{low}.5)", f"[{low}.5,{high})"]
        ticks.table.units = {
            name: rows
            for unit, rows in ticks.table.units.items()
            for name, rows in ([(half, rows) for half in halves] if unit == middle else [(unit, rows)])
        }
        found["a SPLIT in the middle"], asked = ticks.tick()
        assert len(asked) == 1, asked
        ticks.load(*halves)
        found["after the loads of both halves"], asked = ticks.tick()
        assert not asked
    return found

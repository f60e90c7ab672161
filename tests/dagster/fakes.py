"""A pipeline without server, lake or warehouse that keeps the core's promises: what is equal is left alone, commits last."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyRelation
from typing_extensions import Self

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommittedUnit, LoadIdentity, Probe
from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.errors import ConfigError, SyncError, ValidationFailed
from dltsync_core.held_back import HeldBack
from dltsync_core.identity import WHOLE_TABLE, TableName, new_load_id
from dltsync_core.run.events import Event, EventSink, ignore
from dltsync_core.run.planning.timed_probes import TableProbes, TimedProbes
from dltsync_core.run.read_lake import ReadFrom, relation_of
from dltsync_core.run.result import RowCounts, RunResult, UnitResult
from dltsync_core.validate.column_stats import ColumnDifference, LoadedFigure
from dltsync_core.validate.report import TableComparison, UnitComparison, as_report


def compared(error: SyncError | None = None) -> tuple[LoadedFigure, ...]:
    """What a load compared that ended so: one that failed its validation found another sum in the warehouse, others that are
    told of stopped before."""
    if error is not None and not isinstance(error, ValidationFailed):
        return ()
    held = "9.99" if error is not None else "10.00"
    return (
        LoadedFigure("Id", "nulls", "0", "0"),
        LoadedFigure("Amount", "nulls", "1", "1"),
        LoadedFigure("Amount", "sum", "10.00", held),
    )


@dataclass
class FakeTable:
    """The source: rows per unit, and a version that a change at the source raises."""

    units: dict[str, int]
    versions: dict[str, int] = field(default_factory=dict)
    held_back: HeldBack | None = None

    def change(self, unit: str = WHOLE_TABLE, rows: int | None = None) -> None:
        """Something happened to a unit."""
        self.versions[unit] = self.versions.get(unit, 0) + 1
        if rows is not None:
            self.units[unit] = rows

    def probe(self, unit: str) -> Probe:
        return Probe("fake", self.units[unit], f"v{self.versions.get(unit, 0)}", held_back=self.held_back)


@dataclass(frozen=True)
class Call:
    """One call of `run`, and the units it read."""

    table: str | None
    keys: tuple[str, ...] | None
    force: bool
    full_refresh: bool
    read: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One call of `validate_all_tables`."""

    table: str
    keys: tuple[str, ...] | None
    fingerprint: str | None
    row_diff: bool = False


@dataclass
class FakeWorld:
    """All that outlives one pipeline. `failing` maps a unit to the error it ends with; `crash_at` raises in the middle.

    `broken` maps a table to what stops every look at it. `damaged` maps a unit to the figures that differ in its warehouse,
    `strange` are problems that belong to no unit.
    """

    tables: dict[str, FakeTable]
    committed_units: dict[str, dict[str, CommittedUnit]] = field(default_factory=dict)
    failing: dict[str, SyncError] = field(default_factory=dict)
    crash_at: tuple[str, BaseException] | None = None
    down: SyncError | None = None
    broken: dict[str, SyncError] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    damaged: dict[str, tuple[ColumnDifference, ...]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    configs: list[PipelineConfig] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    not_reached: set[str] = field(default_factory=set)
    """Tables for which a tick has no time."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What the probe of a table takes, as it is told."""
    probed: list[tuple[str, ...]] = field(default_factory=list)
    """The tables that each tick asked for, in order."""
    alone: list[tuple[str, ...]] = field(default_factory=list)
    on_unit: Callable[[str], None] = lambda unit: None

    def open(self, config: PipelineConfig) -> FakePipeline:
        self.configs.append(config)
        return FakePipeline(self, config)

    def after_loads(self) -> dict[str, Any]:
        """A copy of what loads change, by the names of the fields."""
        changed = ("committed_units", "calls", "configs", "probed", "alone")
        return {name: copy.deepcopy(getattr(self, name)) for name in changed}

    def answer(self, table: str | None = None) -> None:
        if self.down is not None:
            raise self.down
        if table in self.broken:
            raise self.broken[table]


class FakePipeline:
    """Obeys `dltsync_dagster.port.Pipeline`."""

    def __init__(self, world: FakeWorld, config: PipelineConfig) -> None:
        self._world, self._config = world, config

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def scd_handler(self) -> FakePipeline:
        return self

    def repair_scd_integrity(self, table: Any, dry_run: bool = True) -> dict[str, Any]:
        assert dry_run, "a check changes nothing"
        findings = [{"kind": kind} for kind in self._world.findings]
        return {"findings": findings, "counts": dict(Counter(self._world.findings)), "changes": []}

    @contextmanager
    def read(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> Iterator[pa.RecordBatchReader]:
        """A row for each row of each committed unit: its unit and its number in it."""
        committed = self.committed(table_name)
        units = list(committed) if partition_keys is None else list(partition_keys)
        rows = pa.table(
            {
                "unit": pa.array([unit for unit in units for _ in range(committed[unit].rows)], pa.string()),
                "number": pa.array([n for unit in units for n in range(committed[unit].rows)], pa.int32()),
            }
        )
        yield rows.select(list(columns or rows.column_names)).to_reader()

    def relation(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> DuckDBPyRelation:
        with self.read(table_name, partition_keys=partition_keys, columns=columns, read_from=read_from) as rows:
            return relation_of(rows)

    def partition_keys(self, table_name: str) -> list[str]:
        self._world.answer(table_name)
        return list(self._world.tables[table_name].units)

    def probe(self, table_name: str) -> Mapping[str, Probe]:
        self._world.answer(table_name)
        table = self._world.tables[table_name]
        return {unit: table.probe(unit) for unit in table.units}

    def probe_within(
        self,
        table_names: Sequence[str],
        seconds: float,
        *,
        alone: Collection[str] = (),
        units_only: Collection[str] = (),
    ) -> TimedProbes:
        self._world.answer()
        self._world.probed.append(tuple(table_names))
        self._world.alone.append(tuple(alone))
        found: dict[TableName, TableProbes | SyncError] = {}
        for table in (next(t for t in self._config.tables if str(t.name) == name) for name in table_names):
            name = str(table.name)
            if name in self._world.not_reached:
                continue
            try:
                units = tuple(self.partition_keys(name))
                probes = {} if name in units_only else self.probe(name)
                found[table.name] = TableProbes(units, probes, self._world.seconds.get(name, 0.0))
            except SyncError as error:
                found[table.name] = error
        return TimedProbes(found)

    def committed_of(self, table_names: Sequence[str]) -> Mapping[str, Mapping[str, CommittedUnit]]:
        return {name: self.committed(name) for name in table_names}

    def committed(self, table_name: str) -> Mapping[str, CommittedUnit]:
        return dict(self._world.committed_units.get(table_name, {}))

    def validate_all_tables(
        self,
        table_names: Sequence[str] | None = None,
        *,
        partition_keys: Sequence[str] | None = None,
        fingerprint: str | None = None,
        row_diff: bool = False,
    ) -> dict[str, Any]:
        self._world.answer()
        chosen = [t for t in self._config.tables if table_names is None or str(t.name) in table_names]
        return as_report([self._compare(table, partition_keys, fingerprint, row_diff=row_diff) for table in chosen])

    def _compare(
        self, table: TableConfig, partition_keys: Sequence[str] | None, fingerprint: str | None, *, row_diff: bool
    ) -> TableComparison:
        keys = tuple(partition_keys) if partition_keys is not None else None
        self._world.comparisons.append(Comparison(str(table.name), keys, fingerprint, row_diff))
        source = self._world.tables[str(table.name)].units
        for key in keys or ():
            if key not in source:
                raise ConfigError(f"no table has a partition {key}")
        units = tuple(
            UnitComparison(unit, RowCounts(rows, rows, rows), self._world.damaged.get(unit, ()))
            for unit, rows in source.items()
            if keys is None or unit in keys
        )
        name = TableName(table.schema_name, table.table_name)
        if str(name) in self._world.broken:
            return TableComparison(name, table.kind, (), (str(self._world.broken[str(name)]),))
        return TableComparison(name, table.kind, units, tuple(self._world.strange if keys is None else ()))

    def run(
        self,
        *,
        table_names: Sequence[str] | None = None,
        partition_keys: Sequence[str] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        on_event: EventSink = ignore,
        run_id: str | None = None,
    ) -> RunResult:
        self._world.answer()
        chosen = [t for t in self._config.tables if table_names is None or str(t.name) in table_names]
        units: list[UnitResult] = []
        for table in chosen:
            source = self._world.tables[str(table.name)]
            problem = self._world.broken.get(str(table.name))
            if problem is not None:
                name = TableName(table.schema_name, table.table_name)
                whole = UnitResult(name, table.kind, WHOLE_TABLE, "failed", "", error=str(problem))
                units.append(replace(whole, error_type=type(problem).__name__))
                continue
            keys = list(source.units) if partition_keys is None else list(partition_keys)
            for key in keys:
                if key not in source.units:
                    raise ConfigError(f"{table.name} has no partition {key}")
                units.append(self._unit(table, source, key, force=force or full_refresh, say=on_event))
        self._world.calls.append(
            Call(
                table=table_names[0] if table_names else None,
                keys=tuple(partition_keys) if partition_keys is not None else None,
                force=force,
                full_refresh=full_refresh,
                read=tuple(u.unit for u in units if u.status == "committed"),
            )
        )
        return RunResult(
            run_id=run_id or "fake", units=tuple(units), total_duration_seconds=0.1, notes=self._world.notes
        )

    def _unit(self, table: TableConfig, source: FakeTable, unit: str, *, force: bool, say: EventSink) -> UnitResult:
        name = TableName(table.schema_name, table.table_name)
        committed_unit = self._world.committed_units.get(str(name), {}).get(unit)
        probe = source.probe(unit)
        crash = self._world.crash_at
        if crash is not None and crash[0] == unit:
            raise crash[1]
        self._world.on_unit(unit)
        if committed_unit is not None and committed_unit.probe == probe and not force:
            left = UnitResult(name, table.kind, unit, "skipped", "unchanged", probe_signature=probe.signature)
            left = replace(left, load_id=committed_unit.load_id)
            say(Event("skipped", name, unit, left.load_id, result=left))
            return left
        error = self._world.failing.get(unit)
        if error is not None:
            say(Event("failed", name, unit, message=str(error)))
            return UnitResult(
                name,
                table.kind,
                unit,
                "failed",
                "changed",
                counts=RowCounts(probe.rows, probe.rows, probe.rows) if isinstance(error, ValidationFailed) else None,
                compared=compared(error),
                error=str(error),
                error_type=type(error).__name__,
            )
        load = new_load_id()
        identity = LoadIdentity("fake", "x", name, table.kind, unit, load, "fake", "d")
        fresh = CommittedUnit(identity, 1, probe, probe.rows, probe.rows, "l", utc_now())
        of_table = self._world.committed_units.setdefault(str(name), {})
        of_table[unit] = fresh if committed_unit is None else replace(fresh, generation=committed_unit.generation + 1)
        vanished = tuple(sorted(set(of_table) - set(source.units)))  # a load takes over what is no longer at the source
        for gone in vanished:
            del of_table[gone]
        result = UnitResult(
            name,
            table.kind,
            unit,
            "committed",
            "changed",
            load_id=load,
            rows_read=probe.rows,
            bytes_written=probe.rows * 10,
            counts=RowCounts(probe.rows, probe.rows, probe.rows),
            compared=compared(),
            probe_signature=probe.signature,
        )
        self._say(say, Event("committed", name, unit, load, rows=probe.rows, result=result, replaces=vanished))
        return result

    @staticmethod
    def _say(sink: EventSink, event: Event) -> None:
        """As the core does: a sink that fails stops no load."""
        try:
            sink(event)
        except Exception:
            logging.getLogger("tests").exception("the sink failed")

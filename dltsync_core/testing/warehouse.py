"""A warehouse in memory, behind the same protocol as the real one. It follows the load dispositions of `warehouse.port` to the
letter; the same tests hold it and the DuckDB warehouse to that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.committed import Marker
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import ExtractError, Fenced, SyncError
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import VersionColumns
from dltsync_core.identity import Target
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import PartitionRange
from dltsync_core.testing.tables import Row, inside, stats_of
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn
from dltsync_core.warehouse.port import (
    HoldsEveryPartition,
    HoldsEveryValue,
    Loaded,
    LoadRequest,
    ReplacesAtOnce,
    TableInspection,
    WarehouseTable,
)


class FakeWarehouse(HoldsEveryPartition, HoldsEveryValue, ReplacesAtOnce):
    """Obeys `run.ports.VersionedWarehouse`, but keeps no histories: `revise_versions` raises ExtractError.
    Give it to `IncrementalSQLServerParquetPipeline(config, warehouse=...)`."""

    def __init__(self) -> None:
        self.tables: dict[Target, list[Row]] = {}
        """The rows, by schema and table."""
        self.schemas: dict[Target, pa.Schema] = {}
        """The Arrow schema of the last load of each table."""
        self.loads: list[str] = []
        """The ids of the loads, in order."""
        self.marks: dict[tuple[Target, str, str], Marker] = {}
        """What the loads left written of each unit, by table, pipeline and unit."""
        self.fail: list[BaseException] = []
        """Errors for the next loads, one each."""
        self.lose = 0
        """How many rows the next load drops without a word, for a test of the validation."""
        self.cleanups = 0
        """How often `cleanup` was called."""
        self.asked: list[str] = []
        """What was read outside of `opened`: each would open the real warehouse once more."""
        self.cleanup_fails: SyncError | None = None
        """Raised by `cleanup` while it is set."""
        self.openings = 0
        """How often `opened` was entered."""
        self._open = threading.local()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Counted in `openings`; there is nothing to open."""
        self.openings += 1
        self._open.here = True
        try:
            yield
        finally:
            self._open.here = False

    def load(self, request: LoadRequest) -> Loaded:
        """By the request's disposition. Raises the next of `fail`, and Fenced for a load that another one has overtaken."""
        if self.fail:
            raise self.fail.pop(0)
        marker = request.marker
        if marker is not None:
            stored = self.marks.get((request.target, marker.pipeline, marker.unit))
            if stored is not None and stored.fence > marker.fence:
                raise Fenced(f"load {stored.load_id} of another run reached the warehouse in between")
        rows = [row for path in request.files for row in pq.read_table(path).to_pylist()]
        self.loads.append(request.load_id)
        held = self.tables.get(request.target, [])
        how = request.disposition
        if isinstance(how, ReplaceTable):
            held = []
        elif isinstance(how, ReplaceScope):
            held = [row for row in held if not _in_scope(how, row)]
        elif isinstance(how, (MergeKeys, UpsertKeys)):
            new = {_key(row, how.columns) for row in rows}
            if len(new) != len(rows):
                raise AssertionError(
                    f"keys {how.columns} repeat in load {request.load_id}: the key check was not asked"
                )
            held = [row for row in held if _key(row, how.columns) not in new]
        kept = rows[: len(rows) - self.lose] if self.lose else rows
        self.lose = 0
        self.tables[request.target] = [*held, *kept]
        self.schemas[request.target] = request.schema
        if marker is not None:
            for unit in (marker.unit, *request.retires):
                self.marks.pop((request.target, marker.pipeline, unit), None)
            scope = how if isinstance(how, ReplaceScope) else None
            counted = replace(marker, rows=self._count(request.target, scope))
            self.marks[request.target, marker.pipeline, marker.unit] = counted
            ours = {unit for where, whose, unit in self.marks if (where, whose) == (request.target, marker.pipeline)}
            for where, whose, unit in self.marks:
                if where == request.target and whose != marker.pipeline and unit not in ours - {marker.unit}:
                    stranger = self.marks[where, whose, unit]
                    self.marks[where, whose, unit] = replace(
                        stranger,
                        identity=replace(stranger.identity, load_id=marker.load_id),
                        lake="",
                        watermark=None,
                    )
        return Loaded(len(rows), 0.01)

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        """All of them, or none."""
        before = dict(self.tables), dict(self.schemas), dict(self.marks), list(self.loads)
        try:
            return [self.load(request) for request in requests]
        except BaseException:
            self.tables, self.schemas, self.marks, self.loads = before
            raise

    def inspect(self, tables: Mapping[Target, TableInspection]) -> dict[Target, WarehouseTable]:
        """Rows of Python take any value: no schema is refused."""
        self._ask("inspect")
        return {
            target: WarehouseTable(
                self._columns(target),
                {unit: self._count(target, scope) for unit, scope in asked.scopes.items()},
                self._markers(target, asked.pipeline),
            )
            for target, asked in tables.items()
        }

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """Of this pipeline's units of the table."""
        self._ask("markers")
        return self._markers(target, pipeline)

    def _markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        return {unit: mark for (where, whose, unit), mark in self.marks.items() if (where, whose) == (target, pipeline)}

    def cleanup(self) -> None:
        """Counted in `cleanups`; nothing is ever left behind here. Raises `cleanup_fails`."""
        self.cleanups += 1
        if self.cleanup_fails is not None:
            raise self.cleanup_fails

    def count(self, target: Target, scope: ReplaceScope | None = None) -> int:
        """Rows of the table or of a scope of it."""
        self._ask("count")
        return self._count(target, scope)

    def _ask(self, what: str) -> None:
        if not getattr(self._open, "here", False):
            self.asked.append(what)

    def _count(self, target: Target, scope: ReplaceScope | None) -> int:
        rows = self.tables.get(target, [])
        return len(rows) if scope is None else sum(_in_scope(scope, row) for row in rows)

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """Of the rows of each scope, worked out in Python."""
        self._ask("column_stats")
        rows = self.tables.get(target, [])
        return {
            unit: stats_of([row for row in rows if scope is None or _in_scope(scope, row)], columns)
            for unit, scope in scopes.items()
        }

    @contextmanager
    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """One batch, or none when there are no rows."""
        rows = [row for row in self.tables.get(target, []) if scope is None or _in_scope(scope, row)]
        if not rows:
            yield iter(())
            return
        names = columns.names
        schema = pa.schema([self.schemas[target].field(name) for name in names])
        yield iter([pa.RecordBatch.from_pylist([{name: row[name] for name in names} for row in rows], schema=schema)])

    def columns(self, target: Target) -> dict[str, str]:
        """The names in the first row, each of type ANY."""
        self._ask("columns")
        return self._columns(target)

    def _columns(self, target: Target) -> dict[str, str]:
        rows = self.tables.get(target, [])
        return dict.fromkeys(rows[0], "ANY") if rows else {}

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """A dictionary takes any name."""

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """As DuckDB: tests with this warehouse meet the same refusals."""
        return scope_for(column, arrow_type, ranges)

    def drop_table(self, target: Target) -> None:
        """With what was written of its units."""
        self.tables.pop(target, None)
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] != target}

    def revise_versions(
        self,
        target: Target,
        columns: VersionColumns,
        decide: Callable[[Sequence[Any]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Raises ExtractError."""
        raise ExtractError("FakeWarehouse keeps no histories: test repairs with the DuckDB warehouse")


def _in_scope(scope: ReplaceScope, row: Row) -> bool:
    return any(inside(range_, row[scope.column.name]) for range_ in scope.ranges)


def _key(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[column] for column in columns)

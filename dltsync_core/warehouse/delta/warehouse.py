"""Delta tables as the warehouse: dlt's `filesystem` destination says where they lie, delta-rs writes their log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.clock import utc_now
from dltsync_core.committed import Marker
from dltsync_core.config.memory_budget import LEAST_WAREHOUSE, DuckDbMemory
from dltsync_core.display import number_of
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import ConfigError, DriftError, WarehouseBusy
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn
from dltsync_core.warehouse.delta.attempts import remove_left_behind
from dltsync_core.warehouse.delta.load import TableLoad, TableState, new_columns, read_state
from dltsync_core.warehouse.delta.reading import column_stats, counts, rows_of
from dltsync_core.warehouse.delta.snapshot import snapshot_of
from dltsync_core.warehouse.delta.store import DeltaStore, deltalake
from dltsync_core.warehouse.dlt.load import no_history
from dltsync_core.warehouse.dlt.types import SEVENTH_DIGIT, first_refused, refusals
from dltsync_core.warehouse.duckdb.evolution import check_names
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.port import (
    HoldsEveryPartition,
    Loaded,
    LoadRequest,
    LoadsGroups,
    Misfit,
    ReplacesAtOnce,
    TableInspection,
    WarehouseTable,
)


class DeltaWarehouse(LoadsGroups, HoldsEveryPartition, ReplacesAtOnce):
    """A directory or a bucket with Delta tables. Thread-safe; several processes and machines may load it at the same time:
    each commit is the next version of its table, or is computed again.

    `bucket_url` and `credentials` None: dlt takes them from its own configuration. `memory` bounds what DuckDB holds, which
    compares and filters rows.
    """

    def __init__(
        self,
        bucket_url: str | None,
        credentials: str | Mapping[str, Any] | None,
        *,
        lock_timeout_seconds: float = 600.0,
        memory: DuckDbMemory = LEAST_WAREHOUSE,
        on_wait: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._store = DeltaStore(bucket_url, credentials)
        self._timeout = lock_timeout_seconds
        self._memory = memory
        self._on_wait = on_wait
        self._guard = threading.Lock()
        self._turns: dict[Target, threading.Lock] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """See `port.Warehouse.opened`. There is nothing to open: each question reads the table's log."""
        deltalake()
        yield

    def check_reachable(self) -> str:
        """Where the tables lie; asked of the store without writing. Raises ConfigError, NotWritable, WarehouseError."""
        deltalake()
        self._store.check_reachable()
        return self._store.url

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        """Several loads: those of one table, which have one schema, in one commit; tables one after the other. The fences of
        all are compared and their schemas checked before anything is written, but a group that dies on its way may have come
        in in parts, each unit with its marker. See `port.Warehouse.load_group` for what it raises."""
        started = time.perf_counter()
        by_table: dict[Target, list[LoadRequest]] = {}
        for request in requests:
            self.check_names(request.target, request.schema)
            by_table.setdefault(request.target, []).append(request)
        for target, its_requests in by_table.items() if len(by_table) > 1 else ():
            self._check(target, its_requests)
        for target, its_requests in by_table.items():
            with self._turn(target), self._store.explained("loading", target):
                for _, alike in groupby(its_requests, key=lambda request: request.schema):
                    load = TableLoad(self._store.directory(target), list(alike), self._memory)
                    load.run(timeout_seconds=self._timeout, on_wait=self._on_wait)
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [Loaded(sum(pq.read_metadata(path).num_rows for path in r.files), seconds) for r in requests]

    def inspect(self, tables: Mapping[Target, TableInspection]) -> dict[Target, WarehouseTable]:
        """See `port.Warehouse.inspect`."""
        return {target: self._inspected(target, asked) for target, asked in tables.items()}

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """See `port.Warehouse.markers`."""
        return self._state(target).markers.of(pipeline)

    def cleanup(self) -> None:
        """See `port.Warehouse.cleanup`: files of killed loads, in the tables that this process inspected or loaded."""
        with self._guard:
            seen = list(self._turns)
        for target in seen:
            with self._store.explained("removing files of killed loads", target):
                directory = self._store.directory(target)
                remove_left_behind(directory, snapshot_of(target, directory), now=utc_now())

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """See `port.Warehouse.column_stats`."""
        with self._store.explained("computing figures of its columns", target):
            return column_stats(self._state(target).snapshot, scopes, columns, self._memory)

    @contextmanager
    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `port.Warehouse.rows`. Those of one version, whatever is committed meanwhile."""
        with (
            self._store.explained("reading rows", target),
            rows_of(self._state(target).snapshot, scope, columns, self._memory) as batches,
        ):
            yield batches

    def columns(self, target: Target) -> dict[str, str]:
        """Column names and Delta's type names, in order; empty when the table does not exist."""
        snapshot = self._state(target).snapshot
        return {} if snapshot is None else dict(snapshot.types)

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """See `port.Warehouse.check_names`."""
        if target[0].casefold() == MARKER_SCHEMA:
            raise ConfigError(
                f"target_schema {target[0]!r} is reserved", remedy="choose another target_schema or dataset_name"
            )
        check_names(target, schema, taken_for_one_by="Spark, like dltsync,")

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """See `port.Warehouse.scope_for`. The types whose order is SQL Server's are the same as in DuckDB, which compares."""
        return scope_for(column, arrow_type, ranges)

    def declared(self, schema: pa.Schema) -> Mapping[str, str]:
        """See `port.Warehouse.declared`."""
        return refusals(schema, no_zero_character=False)

    def first_misfit(
        self,
        target: Target,
        schema: pa.Schema,
        files: Sequence[Path],
        beside: Sequence[str],
        turn: AbstractContextManager[object],
    ) -> Misfit | None:
        """See `port.Warehouse.first_misfit`. Looks at the files alone."""
        found = first_refused(files, schema, beside, no_zero_character=False)
        if found is None:
            return None
        column, row = found
        remedy = f"set column_representation of {column} to `text`, or correct the value at the source"
        return Misfit(column, row, SEVENTH_DIGIT, remedy)

    def drop_table(self, target: Target) -> None:
        """Remove the table, with its log and its markers, if it exists."""
        with self._turn(target), self._store.explained("dropping the table", target):
            self._store.directory(target).remove()

    def revise_versions(
        self,
        target: Target,
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Not there. Raises WarehouseError."""
        raise no_history(target)

    def _state(self, target: Target) -> TableState:
        with self._store.explained("reading its log", target):
            return read_state(target, self._store.directory(target))

    def _check(self, target: Target, requests: Sequence[LoadRequest]) -> None:
        state = self._state(target)
        for request in requests:
            if request.marker is not None:
                state.markers.check_fence(request.marker)
            if state.snapshot is not None:
                new_columns(target, state.snapshot, request.schema)

    def _inspected(self, target: Target, asked: TableInspection) -> WarehouseTable:
        with self._guard:
            self._turns.setdefault(target, threading.Lock())
        state = self._state(target)
        if state.snapshot is None:
            return WarehouseTable({}, dict.fromkeys(asked.scopes, 0), {})
        with self._store.explained("counting its rows", target):
            found = counts(state.snapshot, asked.scopes, self._memory)
        refusal = None
        try:
            new_columns(target, state.snapshot, asked.schema)
        except DriftError as error:
            refusal = error
        return WarehouseTable(
            columns=dict(state.snapshot.types),
            counts=found,
            markers=state.markers.of(asked.pipeline),
            refusal=refusal,
        )

    @contextmanager
    def _turn(self, target: Target) -> Iterator[None]:
        """One load of a table at a time in this process: they would only overtake each other."""
        with self._guard:
            lock = self._turns.setdefault(target, threading.Lock())
        if not lock.acquire(timeout=self._timeout):
            raise WarehouseBusy(
                f"waited {number_of(self._timeout, 'second')} for another load of {dotted(*target)} in this process",
                remedy="run again, or raise destination.lock_timeout_seconds",
            )
        try:
            yield
        finally:
            lock.release()

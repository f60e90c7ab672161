"""A DuckDB file as the warehouse, loaded through dlt from the lake's own files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from dltsync_core import checkpoints
from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.committed import Marker
from dltsync_core.config.memory_budget import LEAST_WAREHOUSE, DuckDbMemory
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import read_rows, summarise_relation
from dltsync_core.duckdb.partition_scope import duckdb_condition, scope_for, starts_of
from dltsync_core.errors import ConfigError, DriftError, WarehouseError
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.typemap.datetimes import NANOSECOND_RANGE
from dltsync_core.warehouse.dlt.work_directories import WorkDirectories
from dltsync_core.warehouse.duckdb.catalog import columns_of, find_table
from dltsync_core.warehouse.duckdb.database_file import DatabaseFile, one_transaction
from dltsync_core.warehouse.duckdb.evolution import check_names
from dltsync_core.warehouse.duckdb.load import load_files, rows_of_units
from dltsync_core.warehouse.duckdb.markers import drop_markers, read_markers, refuse_late_writers, write_markers
from dltsync_core.warehouse.duckdb.nanosecond_range import far_columns, first_far, too_narrow
from dltsync_core.warehouse.duckdb.schema_changes import check_reshaping
from dltsync_core.warehouse.duckdb.version_sql import version_table
from dltsync_core.warehouse.duckdb.version_table import revise
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.port import (
    HoldsEveryPartition,
    HoldsEveryValue,
    Loaded,
    LoadRequest,
    LoadsGroups,
    Misfit,
    ReplacesAtOnce,
    TableInspection,
    WarehouseTable,
    signs_of_zeros,
)

_OWN_SCHEMAS = {"information_schema", "pg_catalog", "temp", "system", MARKER_SCHEMA}


class DuckDbWarehouse(LoadsGroups, HoldsEveryPartition, HoldsEveryValue, ReplacesAtOnce):
    """A DuckDB file. Thread-safe; processes and threads queue for the file.

    `work_directory` holds dlt's working files while a load runs and nothing afterwards. `on_wait` hears a sentence as
    soon as somebody else holds the file, and every ten seconds after that.
    """

    def __init__(
        self,
        path: Path,
        *,
        work_directory: Path,
        lock_timeout_seconds: float = 600.0,
        memory: DuckDbMemory = LEAST_WAREHOUSE,
        on_wait: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._work = WorkDirectories(work_directory, path)
        self._file = DatabaseFile(path, lock_timeout_seconds=lock_timeout_seconds, memory=memory, on_wait=on_wait)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """See `port.Warehouse.opened`."""
        with self._file.opened():
            yield

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        """Several loads in one transaction: all of them, or none. See `port.Warehouse.load_group`."""
        if not requests:
            return []
        for request in requests:
            self.check_names(request.target, request.schema)
        started = time.perf_counter()
        with self._file.opened() as (connection, catalog), self._work.of_attempt(requests[0].load_id) as directory:
            self._work.sweep(directory)  # we hold the file: nobody else is loading into it now
            with one_transaction(connection):
                for target, loads in _by_table(requests, [request.target for request in requests]):
                    markers = [request.marker for request, _ in loads if request.marker is not None]
                    refuse_late_writers(connection, catalog, target, markers)
                targets = load_files(connection, catalog, requests, directory)
                for target, loads in _by_table(requests, targets):
                    _mark(connection, catalog, target, loads)
                checkpoints.reached(checkpoints.WAREHOUSE_WRITTEN)
            checkpoints.reached(checkpoints.WAREHOUSE_COMMITTED)
        seconds = (time.perf_counter() - started) / len(requests)
        return [Loaded(sum(pq.read_metadata(path).num_rows for path in r.files), seconds) for r in requests]

    def inspect(self, tables: Mapping[Target, TableInspection]) -> dict[Target, WarehouseTable]:
        """See `port.Warehouse.inspect`."""
        if not self._file.exists():
            return {target: _no_rows(asked) for target, asked in tables.items()}
        with self._file.opened() as (connection, catalog):
            return {target: _inspected(connection, catalog, target, asked) for target, asked in tables.items()}

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """See `port.Warehouse.markers`."""
        if not self._file.exists():
            return {}
        with self._file.opened() as (connection, catalog):
            return read_markers(connection, catalog, target, pipeline)

    def cleanup(self) -> None:
        """See `port.Warehouse.cleanup`. A load makes its working directory first and removes it last: without one left
        behind there is nothing to remove, and nobody has to queue."""
        if not self._work.left_behind():
            return
        if not self._file.exists():
            self._work.sweep()
            return
        with self._file.opened():
            self._work.sweep()

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """See `port.Warehouse.column_stats`."""
        if not self._file.exists():
            return dict.fromkeys(scopes, no_rows(columns))
        with self._file.opened() as (connection, catalog):
            found = find_table(connection, catalog, target)
            if found is None:
                return dict.fromkeys(scopes, no_rows(columns))
            return _column_stats(connection, catalog, found, scopes, columns)

    @contextmanager
    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `port.Warehouse.rows`."""
        if not self._file.exists():
            yield iter(())
            return
        with self._file.opened() as (connection, catalog):
            found = find_table(connection, catalog, target)
            condition = q.EVERYTHING if scope is None else duckdb_condition(scope)
            yield read_rows(connection, q.qualified(catalog, *found), columns.names, condition) if found else iter(())

    def columns(self, target: Target) -> dict[str, str]:
        """Column names and DuckDB's type names, in order; empty when the table does not exist."""
        if not self._file.exists():
            return {}
        with self._file.opened() as (connection, catalog):
            found = find_table(connection, catalog, target)
            return {c.name: c.type for c in columns_of(connection, catalog, found)} if found else {}

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """See `port.Warehouse.check_names`."""
        _check_target(target)
        check_names(target, schema)

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """See `port.Warehouse.scope_for`."""
        return scope_for(column, arrow_type, ranges)

    def declared(self, schema: pa.Schema) -> Mapping[str, str]:
        """DuckDB compresses neighbours that are equal to each other (duckdb/duckdb#25580). See `port.Warehouse.declared`."""
        return signs_of_zeros(schema)

    def first_misfit(
        self,
        target: Target,
        schema: pa.Schema,
        files: Sequence[Path],
        beside: Sequence[str],
        turn: AbstractContextManager[object],
    ) -> Misfit | None:
        """See `port.Warehouse.first_misfit`. Most loads have no value that could be one, and then the file is not opened."""
        far = far_columns(files, schema)
        if not far:
            return None
        with turn:
            held = self.columns(target)
        for column in too_narrow(far, held):
            row = first_far(files, column, beside)
            if row is not None:
                return Misfit(
                    column,
                    row,
                    f"outside {NANOSECOND_RANGE} that the column {column} of the warehouse table {dotted(*target)} reaches: it "
                    "is TIMESTAMP_NS since the source had a datetime2(7) there",
                    f"drop the warehouse table {dotted(*target)} (the next run fills it again, with a type that fits), or name "
                    "another target_table; or correct the value at the source",
                )
        return None

    def drop_table(self, target: Target) -> None:
        """Remove the table if it exists."""
        if not self._file.exists():
            return
        with self._file.opened() as (connection, catalog):
            found = find_table(connection, catalog, target)
            with one_transaction(connection):
                if found is not None:
                    connection.execute(q.drop_table(catalog, found))
                drop_markers(connection, catalog, target)

    def revise_versions(
        self,
        target: Target,
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """See `history.versions.VersionStore`. Raises WarehouseError, WarehouseBusy, FidelityError."""
        if not self._file.exists():
            raise _no_table(target)
        with self._file.opened() as (connection, catalog):
            found = find_table(connection, catalog, target)
            if found is None:
                raise _no_table(target)
            types = {column.name: column.type for column in columns_of(connection, catalog, found)}
            return revise(connection, version_table(catalog, found, columns, types), decide, apply=apply)


def _inspected(connection: DuckDBPyConnection, catalog: str, target: Target, asked: TableInspection) -> WarehouseTable:
    markers = read_markers(connection, catalog, target, asked.pipeline)
    found = find_table(connection, catalog, target)
    if found is None:
        return replace(_no_rows(asked), markers=markers)
    stats = _column_stats(connection, catalog, found, asked.scopes, ())
    return WarehouseTable(
        columns={column.name: column.type for column in columns_of(connection, catalog, found)},
        counts={unit: counted.rows for unit, counted in stats.items()},
        markers=markers,
        refusal=_refusal(connection, catalog, target, asked.schema),
    )


def _no_rows(asked: TableInspection) -> WarehouseTable:
    return WarehouseTable({}, dict.fromkeys(asked.scopes, 0), {})


def _column_stats(
    connection: DuckDBPyConnection,
    catalog: str,
    found: Target,
    scopes: Mapping[str, ReplaceScope | None],
    columns: Sequence[StatsColumn],
) -> dict[str, ColumnStats]:
    conditions = {unit: q.EVERYTHING if s is None else duckdb_condition(s) for unit, s in scopes.items()}
    return summarise_relation(connection, q.qualified(catalog, *found), columns, conditions, starts_of(scopes))


def _refusal(connection: DuckDBPyConnection, catalog: str, target: Target, schema: pa.Schema) -> DriftError | None:
    try:
        check_reshaping(connection, catalog, target, schema)
    except DriftError as error:
        return error
    return None


def _no_table(target: Target) -> WarehouseError:
    return WarehouseError(f"the warehouse has no table {dotted(*target)} yet", remedy="load it first")


def _check_target(target: Target) -> None:
    """Raises ConfigError for names that DuckDB or we keep for ourselves."""
    schema, _table = target
    if schema.casefold() in _OWN_SCHEMAS:
        raise ConfigError(
            f"target_schema {schema!r} is reserved", remedy="choose another target_schema or dataset_name"
        )


def _by_table(
    requests: Sequence[LoadRequest], targets: Sequence[Target]
) -> list[tuple[Target, list[tuple[LoadRequest, Target]]]]:
    """The loads with a marker by table, in the order given. DuckDB tells tables apart without regard to case."""
    found: dict[Target, list[tuple[LoadRequest, Target]]] = {}
    for request, target in zip(requests, targets, strict=True):
        if request.marker is not None:
            found.setdefault((target[0].casefold(), target[1].casefold()), []).append((request, target))
    return [(loads[0][1], loads) for loads in found.values()]


def _mark(
    connection: DuckDBPyConnection, catalog: str, target: Target, loads: Sequence[tuple[LoadRequest, Target]]
) -> None:
    requests = [request for request, _ in loads]
    rows = rows_of_units(connection, catalog, requests, [stored for _, stored in loads])
    marked = [
        (replace(request.marker, rows=count), request.retires)
        for request, count in zip(requests, rows, strict=True)
        if request.marker is not None
    ]
    write_markers(connection, catalog, target, marked)

"""What a Delta table holds: figures of its columns, computed by DuckDB over its files, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.duckdb.column_stats import read_rows, summarise_relation
from dltsync_core.duckdb.partition_scope import starts_of
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.typemap.uuids import is_uuid
from dltsync_core.warehouse.delta.data_files import DataFile
from dltsync_core.warehouse.delta.pruning import pruned
from dltsync_core.warehouse.delta.query import compared_scope, condition_in, querying, relation, time_column
from dltsync_core.warehouse.delta.snapshot import Snapshot
from dltsync_core.warehouse.delta.types import delta_type


def column_stats(
    snapshot: Snapshot | None,
    scopes: Mapping[str, ReplaceScope | None],
    columns: Sequence[StatsColumn],
    memory: DuckDbMemory,
) -> dict[str, ColumnStats]:
    """See `port.Warehouse.column_stats`."""
    if snapshot is None:
        return dict.fromkeys(scopes, no_rows(columns))
    asked = [_comparable(column) for column in columns]
    times = [column.name for column in asked if pa.types.is_time(column.mapping.field.type)]
    partition = next((scope for scope in scopes.values() if scope is not None), None)
    with querying(memory) as connection:
        rows = _relation_of(connection, snapshot, snapshot.files, times, partition)
        compared = {unit: None if scope is None else compared_scope(scope) for unit, scope in scopes.items()}
        conditions = {unit: condition_in(scope) for unit, scope in scopes.items()}
        return summarise_relation(connection, rows, asked, conditions, starts_of(compared))


def counts(snapshot: Snapshot, scopes: Mapping[str, ReplaceScope | None], memory: DuckDbMemory) -> dict[str, int]:
    """Rows of each scope, for a plan: of the whole table as its log says, where it says it of every file. Validation reads the
    files."""
    known = [each.rows for each in snapshot.files]
    if all(scope is None for scope in scopes.values()) and None not in known:
        return dict.fromkeys(scopes, sum(rows or 0 for rows in known))
    return {unit: stats.rows for unit, stats in column_stats(snapshot, scopes, (), memory).items()}


@contextmanager
def rows_of(
    snapshot: Snapshot | None, scope: ReplaceScope | None, columns: pa.Schema, memory: DuckDbMemory
) -> Iterator[Iterator[pa.RecordBatch]]:
    """See `port.Warehouse.rows`. Only files that may have rows of the scope are read."""
    if snapshot is None:
        yield iter(())
        return
    held = {name.casefold() for name in snapshot.types}
    missing = [name for name in columns.names if name.casefold() not in held]
    if missing:
        raise WarehouseError(
            f"the warehouse table {dotted(*snapshot.target)} has no column {missing[0]!r}",
            remedy="load the table again",
        )
    times = [field.name for field in columns if pa.types.is_time(field.type)]
    with querying(memory) as connection:
        files = snapshot.files
        if scope is not None:
            found = pruned(connection, scope, files, snapshot.bounds(scope.column.name))
            files = [*found.wholly, *found.perhaps]
        if not files:
            yield iter(())
            return
        relation_of = _relation_of(connection, snapshot, files, times, scope)
        yield read_rows(connection, relation_of, columns.names, condition_in(scope))


def _relation_of(
    connection: DuckDBPyConnection,
    snapshot: Snapshot,
    files: Sequence[DataFile],
    times: Sequence[str],
    scope: ReplaceScope | None,
) -> str:
    texts = {name.casefold() for name, kind in snapshot.types.items() if kind == "string"}
    read_as_times = [name for name in times if name.casefold() in texts]
    return relation(
        connection,
        snapshot.directory,
        files,
        snapshot.schema,
        times=read_as_times,
        scope_column=time_column(scope),
    )


def _comparable(column: StatsColumn) -> StatsColumn:
    """A UUID is text in the table."""
    mapping = column.mapping
    if not is_uuid(mapping.field.type):
        return column
    return replace(column, mapping=replace(mapping, field=mapping.field.with_type(delta_type(mapping.field.type))))

"""Files of a Delta table as relations of a DuckDB in memory, which counts, compares and filters their rows. It reads them
through Arrow, so that it needs no extension, and spills to disk beyond its limit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.partition_scope import duckdb_condition
from dltsync_core.duckdb.scratch import scratch_database
from dltsync_core.lake.file_reader import dataset_of
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.warehouse.delta.data_files import DataFile
from dltsync_core.warehouse.delta.store import TableDirectory
from dltsync_core.warehouse.delta.types import compared_type

_SCOPE_COLUMN = "dltsync_time_of_day"
"""A time of day, which lies in the table as text, for comparison with a boundary."""


@contextmanager
def querying(memory: DuckDbMemory) -> Iterator[DuckDBPyConnection]:
    """A database that knows nothing yet."""
    with scratch_database(memory) as connection:
        connection.execute(q.set_to("TimeZone", "UTC"))
        yield connection


def relation(
    connection: DuckDBPyConnection,
    directory: TableDirectory,
    files: Sequence[DataFile],
    schema: pa.Schema,
    *,
    name: str = "held",
    times: Collection[str] = (),
    scope_column: str | None = None,
) -> str:
    """The rows of these files for a statement. The text columns `times` are read as times of day;
    `scope_column`, when it is one, besides that as `compared_scope` needs it."""
    paths = [each.path for each in files]
    rows = dataset_of(paths, filesystem=directory.filesystem, schema=schema) if paths else schema.empty_table()
    connection.register(name, rows)
    replaced = {column: q.time_of_day(column) for column in times}
    added = {_SCOPE_COLUMN: q.time_of_day(scope_column)} if scope_column is not None else {}
    return q.with_columns(q.identifier(name), replaced, added) if replaced or added else q.identifier(name)


def time_column(scope: ReplaceScope | None) -> str | None:
    """The partition column, when it is a time of day."""
    return scope.column.name if scope is not None and pa.types.is_time(scope.arrow_type) else None


def compared_scope(scope: ReplaceScope) -> ReplaceScope:
    """The scope as rows of a `relation` meet it."""
    column = replace(scope.column, name=_SCOPE_COLUMN) if time_column(scope) else scope.column
    return replace(scope, column=column, arrow_type=compared_type(scope.arrow_type))


def condition_in(scope: ReplaceScope | None) -> str:
    """The scope, or all, as a condition on rows of a `relation`. Never NULL."""
    return q.EVERYTHING if scope is None else duckdb_condition(compared_scope(scope))


def count(connection: DuckDBPyConnection, rows: str, condition: str = q.EVERYTHING) -> int:
    (found,) = connection.execute(q.count_rows(rows, condition)).fetchone() or (0,)
    return int(found)

"""Rows and figures of a SQL Server warehouse, as the lake has them: the statements are those that read a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.connect.data import open_data_session
from dltsync_core.errors import SyncError, WarehouseError
from dltsync_core.extract.convert import BatchConverter
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.tsql.column_stats import summarise
from dltsync_core.tsql.fragments import Sql, Statement
from dltsync_core.tsql.probes import slot_number
from dltsync_core.tsql.select import remainder_columns, select_rows
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows, stats_of
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping
from dltsync_core.warehouse.sqlserver.columns import is_converted
from dltsync_core.warehouse.sqlserver.ladder import partitions_in
from dltsync_core.warehouse.sqlserver.sections import scope_condition
from dltsync_core.warehouse.sqlserver.session import translated
from dltsync_core.warehouse.sqlserver.store import Store

ROWS_PER_BATCH = 16_384
_FINE = 7
"""Digits of a fraction that Arrow's microseconds do not hold."""
_WITH_OFFSET = "datetimeoffset"


def stats_by_scope(
    store: Store, found: TargetFacts, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
) -> dict[str, ColumnStats]:
    """The figures of each scope. Scopes that are partitions of the table are asked for by one statement."""
    held = [column for column in columns if found.table.column(column.name) is not None]
    asked = [_of_target(column, found.table) for column in held]
    by_number = _numbers(found, scopes)
    if by_number is None:
        return {unit: _one(store, found, scope, asked, held) for unit, scope in scopes.items()}
    partitioning = found.table.partitioning
    if partitioning is None:
        raise AssertionError("a table without partitions has no partition numbers")
    slot = slot_number(partitioning.function, partitioning.column)
    rows = _ask(store, summarise(found.name, asked, None, slot))
    answers = {
        by_number[number]: stats_of(int(n), held, figures) for number, n, *figures in rows if number in by_number
    }
    return {unit: answers.get(unit) or no_rows(held) for unit in scopes}


@contextmanager
def rows_of(
    store: Store, found: TargetFacts, scope: ReplaceScope | None, wanted: pa.Schema
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a scope, in the lake's types. Raises WarehouseError for a column that is not there."""
    mapping = TableMapping(tuple(_mapping(found.table, field) for field in wanted))
    statement = select_rows(found.name, mapping, _condition(found.table, scope))
    session = open_data_session(store.sessions.database)
    try:
        rows = session.rows(statement.text, statement.parameters, f"reading {found.name} in the warehouse")
        converter = BatchConverter(found.table, mapping, remainder_columns(mapping))

        def batches() -> Iterator[pa.RecordBatch]:
            while True:
                with translated():
                    batch = rows.next_batch(ROWS_PER_BATCH)
                if batch is None:
                    return
                yield converter.convert(batch)

        try:
            yield batches()
        finally:
            with suppress(SyncError):
                rows.close()
    finally:
        with suppress(SyncError):  # everything was read, or the reader has its own error
            session.close()


def _one(
    store: Store,
    found: TargetFacts,
    scope: ReplaceScope | None,
    asked: Sequence[StatsColumn],
    held: Sequence[StatsColumn],
) -> ColumnStats:
    ((rows, *figures),) = _ask(store, summarise(found.name, asked, _condition(found.table, scope)))
    return stats_of(int(rows), held, figures)


def _ask(store: Store, statement: Statement) -> list[tuple[int, ...]]:
    return [tuple(row.values()) for row in store.sessions.query(statement, "summing up rows of the warehouse")]


def _numbers(found: TargetFacts, scopes: Mapping[str, ReplaceScope | None]) -> dict[int, str] | None:
    """The unit of each partition number; None when some scope is not exactly one partition of the table."""
    partitioning = found.table.partitioning
    if partitioning is None:
        return None
    numbers: dict[int, str] = {}
    for unit, scope in scopes.items():
        if (
            scope is None
            or len(scope.ranges) != 1
            or scope.column.name.casefold() != partitioning.column.name.casefold()
        ):
            return None
        slots = partitions_in(partitioning, scope.ranges[0])
        if len(slots) != 1:
            return None
        numbers[slots[0].number] = unit
    return numbers


def _condition(table: TableFacts, scope: ReplaceScope | None) -> Sql | None:
    return None if scope is None else scope_condition(table.column(scope.column.name), scope)


def _of_target(column: StatsColumn, table: TableFacts) -> StatsColumn:
    """The same figures of the warehouse's column: its own name, type and nullability decide how they are asked for."""
    return replace(column, mapping=replace(column.mapping, column=_held(table, column.name)))


def _held(table: TableFacts, name: str) -> ColumnFacts:
    column = table.column(name)
    if column is None:
        raise WarehouseError(
            f"the warehouse table {table.name} has no column {name}", remedy="load the table again with --full-refresh"
        )
    return column


def _mapping(table: TableFacts, field: pa.Field[Any]) -> ColumnMapping:
    """How a column of the warehouse is read into the field of the lake."""
    column = _held(table, field.name)
    nullable = pa.field(field.name, field.type, nullable=True, metadata=field.metadata)
    return ColumnMapping(column, nullable, _form(column, field))


def _form(column: ColumnFacts, field: pa.Field[Any]) -> SourceForm:
    kind = column.type_name
    if is_converted(field, kind):
        return SourceForm.OFFSET_TEXT if kind == _WITH_OFFSET else SourceForm.SERVER_TEXT
    fine = kind in {"datetime2", "time", _WITH_OFFSET} and column.scale >= _FINE
    if pa.types.is_timestamp(field.type) and fine:
        return SourceForm.WITH_NANOSECONDS if field.type.unit == "ns" else SourceForm.CHECKED_MICROSECONDS
    if pa.types.is_time64(field.type) and fine and field.type.unit == "us":
        return SourceForm.CHECKED_MICROSECONDS
    return SourceForm.PLAIN

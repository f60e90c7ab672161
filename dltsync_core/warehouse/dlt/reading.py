"""What a destination of dlt holds: figures of its columns, computed there, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import ROWS_PER_BATCH, moment_texts
from dltsync_core.duckdb.column_types import duckdb_type, same_family
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.typemap.column_stats import ColumnStats, Figure, StatsColumn, no_rows, stats_of
from dltsync_core.warehouse.dlt.connection import Session
from dltsync_core.warehouse.dlt.load import condition_in
from dltsync_core.warehouse.dlt.types import arrow_array, arrow_type_of, landed_type
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

_SCOPES_PER_STATEMENT = 100
"""Partitions of one statement: a row is held against their conditions one after the other."""


def column_stats(
    session: Session,
    target: Target,
    held: Sequence[WarehouseColumn],
    scopes: Mapping[str, ReplaceScope | None],
    columns: Sequence[StatsColumn],
) -> dict[str, ColumnStats]:
    """What each scope's rows come to, in a table with the columns `held`. Scopes exclude each other. Columns that the table
    lacks are left out; those it has in a type of another family are in `unexpected_types`."""
    wanted, unexpected = list[tuple[StatsColumn, WarehouseColumn]](), dict[str, str]()
    by_name = {column.name.casefold(): column for column in held}
    for column in columns:
        found = by_name.get(column.name.casefold())
        if found is not None and same_family(found.type, duckdb_type(landed_type(column.mapping.field.type))):
            wanted.append((_whole_sum(column), found))
        elif found is not None:
            unexpected[column.name] = found.type
    nothing = replace(no_rows(column for column, _ in wanted), unexpected_types=unexpected)
    answers = dict.fromkeys(scopes, nothing)
    units = list(scopes)
    for first in range(0, len(units), _SCOPES_PER_STATEMENT):
        share = units[first : first + _SCOPES_PER_STATEMENT]
        conditions = [condition_in(session, scopes[unit]) for unit in share]
        for number, stats in _summaries(session, target, conditions, wanted):
            answers[share[number]] = replace(stats, unexpected_types=unexpected)
    return answers


def read_batches(session: Session, target: Target, condition: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows that meet a condition, these columns of them. Raises WarehouseError for a column that is not there."""
    held = {column.name.casefold(): column for column in session.columns(target)}
    missing = [name for name in columns if name.casefold() not in held]
    if missing:
        raise WarehouseError(
            f"the warehouse table {dotted(*target)} has no column {missing[0]!r}", remedy="load the table again"
        )
    found = [held[name.casefold()] for name in columns]
    schema = pa.schema([pa.field(name, arrow_type_of(one.type)) for name, one in zip(columns, found, strict=True)])
    query = session.dialect.read(target, [one.name for one in found], condition)
    for rows in session.batches(query, ROWS_PER_BATCH):
        arrays = [arrow_array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
        yield pa.record_batch(arrays, schema=schema)


def _whole_sum(column: StatsColumn) -> StatsColumn:
    """A sum is one figure: databases add up exact numbers without an end, or say that they cannot."""
    if Figure.TOTAL_HIGH not in column.figures:
        return column
    return replace(column, figures=(Figure.NULLS, Figure.TOTAL))


def _summaries(
    session: Session,
    target: Target,
    conditions: Sequence[str],
    wanted: Sequence[tuple[StatsColumn, WarehouseColumn]],
) -> Iterator[tuple[int, ColumnStats]]:
    """Number of the condition, and its rows' figures; none for a condition that no row meets."""
    dialect = session.dialect
    figures = [_expression(session, column, held, figure) for column, held in wanted for figure in column.figures]
    relation, every = dialect.table(target), q.any_of([f"({condition})" for condition in conditions])
    if len(conditions) == 1:
        statement = q.summarise_all(relation, conditions[0], figures)
    else:
        unit = q.first_met([(condition, number) for number, condition in enumerate(conditions)])
        statement = q.summarise(relation, every, unit, figures)
    rows = session.run(statement)
    answers = [[row[at + 2] for row in rows] for at in range(len(figures))]
    texts = list(_as_texts(answers, wanted))
    for at, row in enumerate(rows):
        yield int(row[0]), stats_of(int(row[1]), [column for column, _ in wanted], [values[at] for values in texts])


def _as_texts(
    answers: Sequence[list[Any]], wanted: Sequence[tuple[StatsColumn, WarehouseColumn]]
) -> Iterator[list[Any]]:
    rest = iter(answers)
    for column, held in wanted:
        for figure in column.figures:
            values = next(rest)
            if figure in {Figure.LOW, Figure.HIGH}:
                arrays = pa.chunked_array([arrow_array(values, arrow_type_of(held.type))])
                yield list(moment_texts(column, arrays))
            else:
                yield values


def _expression(session: Session, column: StatsColumn, held: WarehouseColumn, figure: Figure) -> str:
    dialect = session.dialect
    if figure is Figure.NULLS:
        return dialect.count_nulls(held.name)
    if figure is Figure.LOW:
        return dialect.least(held.name, is_text=held.type == "VARCHAR")
    if figure is Figure.HIGH:
        return dialect.greatest(held.name, is_text=held.type == "VARCHAR")
    return dialect.total(held.name, whole=held.type == "BOOLEAN")

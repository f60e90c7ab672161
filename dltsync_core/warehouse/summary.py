"""Summaries computed by DuckDB: of tables of the warehouse, and of anything else that it can read as a relation.

One statement groups the rows by the unit they lie in, so that the table is read once however many units there are. Moments come
back as Arrow values and are written by the rules of `changes.canonical`: as the server writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.changes.canonical import canonical_texts
from dltsync_core.typemap.summary import HALF_DIGITS, Figure, Summary, SummaryColumn, no_rows, summary_of
from dltsync_core.warehouse import duckdb_sql as q
from dltsync_core.warehouse.columns import duckdb_type

ROWS_PER_BATCH = 65_536

UNITS_PER_STATEMENT = 200
"""Conditions tried on every row of one pass. A table can have 15,000 partitions; a statement of all would parse slowly."""


def summarise_relation(
    connection: DuckDBPyConnection,
    relation: str,
    columns: Sequence[SummaryColumn],
    conditions: Mapping[str, str],
    present: Sequence[str],
) -> dict[str, Summary]:
    """The summary of each unit's rows. `relation` is one of `duckdb_sql`'s, `conditions` exclude each other. Columns that are not
    among the `present` ones are left out of the summaries."""
    folded = {name.casefold() for name in present}
    wanted = [column for column in columns if column.name.casefold() in folded]
    found = dict.fromkeys(conditions, no_rows(wanted))
    units = list(conditions)
    for start in range(0, len(units), UNITS_PER_STATEMENT):
        some = units[start : start + UNITS_PER_STATEMENT]
        figures = [_expression(column, figure) for column in wanted for figure in column.figures]
        statement = q.summarise(relation, [conditions[unit] for unit in some], figures)
        answer = connection.sql(statement).to_arrow_table()
        for number, summary in _summaries(answer, wanted):
            found[some[number]] = summary
    return found


def read_rows(
    connection: DuckDBPyConnection, relation: str, columns: Sequence[str], condition: str
) -> Iterator[pa.RecordBatch]:
    """The rows of a relation that meet a condition, a batch at a time."""
    yield from connection.sql(q.read(relation, columns, condition)).arrow(ROWS_PER_BATCH)


def _summaries(answer: pa.Table, columns: Sequence[SummaryColumn]) -> list[tuple[int, Summary]]:
    """Unit, rows, then the figures in order; rows of no unit are not looked at."""
    figures = [(column, figure) for column in columns for figure in column.figures]
    values = [
        _written(column, figure, answer.column(position)).to_pylist()
        for position, (column, figure) in enumerate(figures, start=2)
    ]
    numbers, rows = answer.column(0).to_pylist(), answer.column(1).to_pylist()
    return [
        (int(number), summary_of(int(rows[i] or 0), columns, [column[i] for column in values]))
        for i, number in enumerate(numbers)
        if number is not None
    ]


def _written(column: SummaryColumn, figure: Figure, values: pa.ChunkedArray[Any]) -> Any:
    if figure not in {Figure.LOW, Figure.HIGH}:
        return values
    mapping = column.mapping
    if column.without_offset:
        mapping = replace(mapping, column=replace(mapping.column, type_name="datetime2"))
    return canonical_texts(values.combine_chunks(), mapping)


def _expression(column: SummaryColumn, figure: Figure) -> str:
    name = column.name
    if figure is Figure.NULLS:
        return q.count_nulls(name)
    if figure is Figure.TOTAL:
        return q.total(name, whole=column.column.type_name == "bit")
    if figure is Figure.LOW:
        return q.least(name)
    if figure is Figure.HIGH:
        return q.greatest(name)
    # As many digits as there are: the place may keep the column in a wider type than the source declares now.
    exact = duckdb_type(pa.decimal128(38, column.scale))
    return q.half_of_total(name, exact, HALF_DIGITS, upper=figure is Figure.TOTAL_HIGH)

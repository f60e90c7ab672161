"""Summaries computed by DuckDB: of tables of the warehouse, and of anything else that it can read as a relation.

A statement groups the rows by the unit they lie in (`duckdb.partition_lookup`), so that the table is read about once however
many units
there are. Moments come back as Arrow values and are written by the rules of `digest.canonical`: as the server writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from dltsync_core.digest.canonical import canonical_texts
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_types import digits_of, duckdb_type, same_family
from dltsync_core.duckdb.partition_lookup import shares
from dltsync_core.duckdb.partition_scope import Start
from dltsync_core.typemap.column_stats import (
    HALF_DIGITS,
    WIDEST_WHOLE,
    ColumnStats,
    Figure,
    StatsColumn,
    no_rows,
    plain,
    stats_of,
)
from dltsync_core.typemap.uuids import UUID, uuids_of

ROWS_PER_BATCH = 65_536


def summarise_relation(
    connection: DuckDBPyConnection,
    relation: str,
    columns: Sequence[StatsColumn],
    conditions: Mapping[str, str],
    starts: Mapping[str, Start | None] | None = None,
) -> dict[str, ColumnStats]:
    """The summary of each unit's rows. `relation` is one of `duckdb_sql`'s, `conditions` exclude each other; with `starts` (of
    `scope.starts_of`) a row is not held against all of them. Columns that the relation lacks are left out of the stats; those
    that it has in a type of another family are in `unexpected_types`."""
    described = connection.sql(q.everything(relation))
    held = {name.casefold(): str(kind) for name, kind in zip(described.columns, described.types, strict=True)}
    wanted, unexpected_types = list[_Held](), dict[str, str]()
    for column in columns:
        kind = held.get(column.name.casefold())
        if kind is not None and same_family(kind, duckdb_type(column.mapping.field.type)):
            wanted.append(_Held(column, kind))
        elif kind is not None:
            unexpected_types[column.name] = kind
    found = dict.fromkeys(conditions, replace(no_rows(one.column for one in wanted), unexpected_types=unexpected_types))
    figures = [expression for one in wanted for expression in one.expressions]
    for share in shares(connection, conditions, starts):
        if len(share.units) == 1:
            statement = q.summarise_all(relation, share.condition, figures)
        else:
            statement = q.summarise(relation, share.condition, share.number, figures)
        answer = connection.sql(statement).to_arrow_table()
        for number, summary in _column_stats(answer, wanted):
            found[share.units[number]] = replace(summary, unexpected_types=unexpected_types)
    return found


def read_rows(
    connection: DuckDBPyConnection, relation: str, columns: Sequence[str], condition: str
) -> Iterator[pa.RecordBatch]:
    """The rows of a relation that meet a condition, a batch at a time."""
    yield from arrow_reader(connection.sql(q.read(relation, columns, condition)), ROWS_PER_BATCH)


def arrow_reader(relation: DuckDBPyRelation, rows_per_batch: int) -> pa.RecordBatchReader:
    """The rows of a query in Arrow's own types. DuckDB hands a UUID out as text; its setting against that would change the
    form of booleans as well."""
    reader = relation.arrow(rows_per_batch)
    uuids = [number for number, kind in enumerate(relation.types) if str(kind) == "UUID"]
    if not uuids:
        return reader
    schema = reader.schema
    for number in uuids:
        schema = schema.set(number, schema.field(number).with_type(UUID))

    def converted(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [uuids_of(c) if number in uuids else c for number, c in enumerate(batch.columns)]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, map(converted, reader))


@dataclass(frozen=True)
class _Held:
    """A column with its type in the relation. Its numbers are added up with all the digits of that type, which can be wider than
    the source declares: rounding would hide a damaged value."""

    asked: StatsColumn
    kind: str

    @property
    def column(self) -> StatsColumn:
        """The figures of the result: a sum is one figure here, however many parts compute it."""
        if Figure.TOTAL_HIGH not in self.asked.figures:
            return self.asked
        return replace(self.asked, figures=(Figure.NULLS, Figure.TOTAL))

    @property
    def expressions(self) -> list[str]:
        """DuckDB's expressions of the figures."""
        return [expression for figure in self.column.figures for expression in self._of(figure)]

    def _of(self, figure: Figure) -> list[str]:
        name = self.column.name
        if figure is Figure.NULLS:
            return [q.count_nulls(name)]
        if figure is Figure.LOW:
            return [q.least(name)]
        if figure is Figure.HIGH:
            return [q.greatest(name)]
        if not self._in_halves:
            return [q.total(name, whole=self.kind == "BOOLEAN")]
        return [q.half_of_total(name, HALF_DIGITS, upper=upper) for upper in (True, False)]

    @property
    def _in_halves(self) -> bool:
        return sum(digits_of(self.kind) or (0,)) > WIDEST_WHOLE

    def answers(self, columns: Iterator[pa.ChunkedArray[Any]]) -> list[list[Any]]:
        """Of each figure the values of all units, from the next columns of the answer."""
        return [self._answers_of(figure, columns) for figure in self.column.figures]

    def _answers_of(self, figure: Figure, columns: Iterator[pa.ChunkedArray[Any]]) -> list[Any]:
        values = next(columns)
        if figure in {Figure.LOW, Figure.HIGH}:
            return list(moment_texts(self.column, values))
        if figure is Figure.TOTAL and self._in_halves:
            _, scale = digits_of(self.kind) or (0, 0)
            halves = zip(values.to_pylist(), next(columns).to_pylist(), strict=True)
            return [plain(int(high or 0) * 10**HALF_DIGITS + int(low or 0), scale) for high, low in halves]
        return list(values.to_pylist())


def _column_stats(answer: pa.Table, wanted: Sequence[_Held]) -> list[tuple[int, ColumnStats]]:
    """Unit, rows, then the figures in order; rows outside of all units are not read."""
    numbers, rows, *figures = answer.columns
    rest = iter(figures)
    values = [answers for one in wanted for answers in one.answers(rest)]
    columns = [one.column for one in wanted]
    return [
        (int(number), stats_of(int(count or 0), columns, [answers[i] for answers in values]))
        for i, (number, count) in enumerate(zip(numbers.to_pylist(), rows.to_pylist(), strict=True))
        if number is not None
    ]


def moment_texts(column: StatsColumn, values: pa.ChunkedArray[Any]) -> Any:
    """Least or greatest values as the server writes them. The array has one chunk or several."""
    mapping = column.mapping
    if column.without_offset:
        mapping = replace(mapping, column=replace(mapping.column, type_name="datetime2"))
    return canonical_texts(values.combine_chunks(), mapping).to_pylist()

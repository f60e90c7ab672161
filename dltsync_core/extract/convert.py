"""From what the driver hands over to the mapped Arrow schema: every value the same, or FidelityError."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.errors import ExtractError, FidelityError
from dltsync_core.extract.replacements import Replacements
from dltsync_core.extract.row_names import named, shown
from dltsync_core.plan.keys import naming_key
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping

_NANOSECOND_YEARS = "the years 1677 to 2262"
_NS_PER_US = 1000
_MICROSECOND_DIGITS = 6
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_MAX_US = pa.scalar((2**63 - 1) // _NS_PER_US - 1, pa.int64())
"""One microsecond less than fits, so that the nanoseconds beside it fit as well."""


class BatchConverter:
    """Turns driver batches of `tsql.select.select_rows` into batches of the mapped schema."""

    def __init__(self, facts: TableFacts, mapping: TableMapping, remainders: Sequence[ColumnMapping]) -> None:
        self._facts = facts
        self._mapping = mapping
        self._remainder_at = {m.name: len(mapping.columns) + i for i, m in enumerate(remainders)}
        self.replacements = Replacements(mapping)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch in the mapped schema. Raises FidelityError for a value that does not fit its type."""
        expected = len(self._mapping.columns) + len(self._remainder_at)
        if batch.num_columns != expected:
            raise ExtractError(f"{self._facts.name}: {batch.num_columns} columns came, {expected} were asked for")
        columns = [self._column(batch, position, m) for position, m in enumerate(self._mapping.columns)]
        converted = pa.RecordBatch.from_arrays(columns, schema=self._mapping.schema)
        self.replacements.look(converted, lambda row: self._row_named(batch, row))
        return converted

    def _column(self, batch: pa.RecordBatch, position: int, mapping: ColumnMapping) -> pa.Array[Any]:
        values = batch.column(position)
        if mapping.source is SourceForm.WITH_NANOSECONDS:
            values = self._with_nanoseconds(batch, values, mapping)
        elif mapping.source is SourceForm.CHECKED_MICROSECONDS:
            self._seventh_digit_is_zero(batch, values, mapping)
        if values.null_count and not mapping.field.nullable:
            row = _first(pc.is_null(values)) or 0
            raise ExtractError(
                f"{self._facts.name}: column {mapping.name} is declared NOT NULL, but a NULL came; "
                f"{self._row_named(batch, row)}",
                remedy="the table changed while it was read; run again",
                table=str(self._facts.name),
                column=mapping.name,
            )
        if values.type.equals(mapping.field.type):
            return values
        try:
            return values.cast(mapping.field.type, safe=True)
        except pa.ArrowException as error:
            row = _first_that_fails(values, mapping.field.type)
            raise self._unfit(
                batch,
                mapping,
                f"holds {shown(values, row)}, which {mapping.field.type} cannot keep ({error})",
                row,
                f"put {mapping.name} under exclude_columns of this table, and report this message: "
                "the driver handed over a value that the column's type does not have",
            ) from error

    def _with_nanoseconds(self, batch: pa.RecordBatch, values: pa.Array[Any], mapping: ColumnMapping) -> pa.Array[Any]:
        micros = values.cast(pa.timestamp("us")).cast(pa.int64())
        remainder = self._remainder(batch, mapping)
        outside = pc.greater(pc.abs(micros), _MAX_US)
        if (row := _first(outside)) is not None:
            tick = remainder[row].as_py()
            raise self._unfit(
                batch,
                mapping,
                f"holds {_exactly(values, row, tick)}, outside {_NANOSECOND_YEARS} that timestamp[ns] reaches",
                row,
                _to(mapping, "text" if tick else "microseconds")
                + (
                    ""
                    if tick
                    else " (the load stops again at a value whose seventh digit is not 0; text takes them all)"
                ),
            )
        nanos = pc.add(pc.multiply(micros, pa.scalar(_NS_PER_US, pa.int64())), remainder)
        return nanos.cast(pa.timestamp("ns"))

    def _seventh_digit_is_zero(self, batch: pa.RecordBatch, values: pa.Array[Any], mapping: ColumnMapping) -> None:
        remainder = self._remainder(batch, mapping)
        row = _first(pc.not_equal(remainder, pa.scalar(0, pa.int64())))
        if row is not None:
            raise self._unfit(
                batch,
                mapping,
                f"holds {_exactly(values, row, remainder[row].as_py())}, whose seventh digit "
                f"{mapping.field.type} cannot keep",
                row,
                _to(mapping, "text"),
            )

    def _remainder(self, batch: pa.RecordBatch, mapping: ColumnMapping) -> pa.Array[Any]:
        return batch.column(self._remainder_at[mapping.name]).cast(pa.int64())

    def _unfit(
        self, batch: pa.RecordBatch, mapping: ColumnMapping, problem: str, row: int, remedy: str
    ) -> FidelityError:
        return FidelityError(
            f"{self._facts.name}: column {mapping.name} {problem}; {self._row_named(batch, row)}",
            remedy=remedy,
            table=str(self._facts.name),
            column=mapping.name,
            row=self._row_named(batch, row),
        )

    def _row_named(self, batch: pa.RecordBatch, row: int) -> str:
        key = naming_key(self._facts, self._mapping.row_key, self._mapping.schema.names)
        return named(key, lambda column: self._key_value(batch, column, row))

    def _key_value(self, batch: pa.RecordBatch, column: str, row: int) -> str:
        position = next(i for i, m in enumerate(self._mapping.columns) if m.name == column)
        if column not in self._remainder_at:
            return shown(batch.column(position), row)
        return _exactly(batch.column(position), row, batch.column(self._remainder_at[column])[row].as_py() or 0)


def _to(mapping: ColumnMapping, representation: str) -> str:
    """The one thing to do, as it is written in the config."""
    return f"under this table in the config write column_representation: {{{mapping.name}: {representation}}}"


def _first(condition: pa.Array[Any]) -> int | None:
    """The first position where a condition holds; NULL does not hold."""
    position = pc.index(condition, True).as_py()
    return None if position < 0 else int(position)


def _first_that_fails(values: pa.Array[Any], target: pa.DataType) -> int:
    """The first value that a cast refuses, found by halving."""
    start, length = 0, len(values)
    while length > 1:
        half = length // 2
        try:
            values.slice(start, half).cast(target, safe=True)
        except pa.ArrowException:
            length = half
        else:
            start, length = start + half, length - half
    return start


def _exactly(values: pa.Array[Any], row: int, nanoseconds: int) -> str:
    """A moment with the digits below the microsecond that stand beside it, and without the zeros at the end. The driver hands
    over times of day with nine digits of their own."""
    said = shown(values, row)
    text, zone = (said, "") if (found := _ZONE.search(said)) is None else (said[: found.start()], "Z")
    whole, _, fraction = text.partition(".")
    digits = f"{fraction[:_MICROSECOND_DIGITS]}{nanoseconds:03d}".rstrip("0")
    return f"{whole}.{digits}{zone}" if digits else f"{whole}{zone}"

"""From the driver's batches to the mapped Arrow schema: every value the same, or FidelityError."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.errors import ExtractError, FidelityError
from dltsync_core.extract.datetimes import Moments, first_true, unfit_row
from dltsync_core.extract.replacement_characters import Replacements
from dltsync_core.extract.row_labels import named, shown
from dltsync_core.plan.keys import naming_key
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping
from dltsync_core.typemap.uuids import is_uuid, type_name, uuids_of

_MICROSECOND_DIGITS = 6
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


class BatchConverter:
    """Turns driver batches of `tsql.select.select_rows` into batches of the mapped schema."""

    def __init__(self, facts: TableFacts, mapping: TableMapping, remainders: Sequence[ColumnMapping]) -> None:
        self._facts = facts
        self._mapping = mapping
        self._remainder_at = {m.name: len(mapping.columns) + i for i, m in enumerate(remainders)}
        self._partitioned_by = facts.partitioning.column.name if facts.partitioning is not None else None
        self.replacements = Replacements(mapping)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch in the mapped schema. Raises FidelityError for a value that does not fit its type."""
        expected = len(self._mapping.columns) + len(self._remainder_at)
        if batch.num_columns != expected:
            raise ExtractError(f"{self._facts.name}: {batch.num_columns} columns received, {expected} requested")
        columns = [self._column(batch, position, m) for position, m in enumerate(self._mapping.columns)]
        converted = pa.RecordBatch.from_arrays(columns, schema=self._mapping.schema)
        self.replacements.count_in(converted, lambda row: self._row_named(batch, row))
        return converted

    def _column(self, batch: pa.RecordBatch, position: int, mapping: ColumnMapping) -> pa.Array[Any]:
        values = batch.column(position)
        if mapping.name in self._remainder_at:
            values = self._fitting(batch, values, mapping)
        if values.null_count and not mapping.field.nullable:
            row = first_true(pc.is_null(values)) or 0
            raise ExtractError(
                f"{self._facts.name}: column {mapping.name} is declared NOT NULL, but a NULL was received; "
                f"{self._row_named(batch, row)}",
                remedy="the table changed while it was read; run again",
                table=str(self._facts.name),
                column=mapping.name,
            )
        if values.type.equals(mapping.field.type):
            return values
        try:
            return _converted(values, mapping.field.type)
        except pa.ArrowException as error:
            row = _first_that_fails(values, mapping.field.type)
            raise self._unfit(
                batch,
                mapping,
                f"holds {shown(values, row)}, which {type_name(mapping.field.type)} cannot hold ({error})",
                row,
                f"add {mapping.name} to exclude_columns of this table, and report this message: "
                "the driver returned a value that the column's type does not have",
            ) from error

    def _fitting(self, batch: pa.RecordBatch, values: pa.Array[Any], mapping: ColumnMapping) -> pa.Array[Any]:
        moments = Moments(mapping, values, self._remainder(batch, mapping), mapping.name == self._partitioned_by)
        unfit = unfit_row(moments)
        if unfit is not None:
            row, reason = unfit
            held = _exactly(values, row, moments.remainder[row].as_py())
            raise self._unfit(batch, mapping, f"holds {held}, {reason}", row, moments.remedy())
        return moments.nanoseconds() if mapping.source is SourceForm.WITH_NANOSECONDS else values

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


def _converted(values: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    """The values in another type. Raises ArrowException for one that it cannot hold."""
    return uuids_of(values) if is_uuid(target) else values.cast(target, safe=True)


def _first_that_fails(values: pa.Array[Any], target: pa.DataType) -> int:
    """The first value that a cast refuses, found by bisection."""
    start, length = 0, len(values)
    while length > 1:
        half = length // 2
        try:
            _converted(values.slice(start, half), target)
        except pa.ArrowException:
            length = half
        else:
            start, length = start + half, length - half
    return start


def _exactly(values: pa.Array[Any], row: int, nanoseconds: int) -> str:
    """A date or time with its digits below the microsecond, and without zeros at the end. The driver returns times of day
    with nine digits of their own."""
    said = shown(values, row)
    text, zone = (said, "") if (found := _ZONE.search(said)) is None else (said[: found.start()], "Z")
    whole, _, fraction = text.partition(".")
    digits = f"{fraction[:_MICROSECOND_DIGITS]}{nanoseconds:03d}".rstrip("0")
    return f"{whole}.{digits}{zone}" if digits else f"{whole}{zone}"

"""Dates and times with a seventh digit: checked, joined with it, and the config setting for a value that does not fit.

The driver returns microseconds (of a datetimeoffset in UTC); the nanoseconds below them, 0 to 900, are in a column beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.typemap.datetimes import (
    HIGHEST_NANOSECONDS,
    LAST_MICROSECOND,
    LOWEST_NANOSECONDS,
    NANOSECOND_RANGE,
)
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm

Values: TypeAlias = Any
"""An Arrow array. The stubs of pyarrow.compute have only its concrete classes."""

_NS_PER_US = 1000
_LOWEST_US, _LOWEST_REMAINDER = divmod(LOWEST_NANOSECONDS, _NS_PER_US)
_HIGHEST_US, _HIGHEST_REMAINDER = divmod(HIGHEST_NANOSECONDS, _NS_PER_US)
_LAST_REMAINDER = 900
"""Below the last microsecond of the calendar, in the greatest value of datetime2(7) and datetimeoffset(7)."""

_STOPS_AT = {
    "nanoseconds": f"at a value outside {NANOSECOND_RANGE}",
    "microseconds": "at a value whose seventh digit is not 0",
    "open_end": "at any other value whose seventh digit is not 0",
    "utc_open_end": "at any other value whose seventh digit is not 0",
}


@dataclass(frozen=True)
class Moments:
    """The values of one column in a batch. `by_partition`: the table is loaded by ranges of this column."""

    mapping: ColumnMapping
    values: Values
    remainder: Values
    by_partition: bool = False

    @property
    def micros(self) -> Values:
        """Microseconds since 1970."""
        kind = self.values.type
        return self.values.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())

    def nanoseconds(self) -> Values:
        """timestamp[ns], for values within its range."""
        return pc.add(pc.multiply(self.micros, _whole(_NS_PER_US)), self.remainder).cast(pa.timestamp("ns"))

    def outside_nanoseconds(self) -> int | None:
        """The first row whose value is outside the range of nanoseconds."""
        micros = self.micros
        ends: Any = pc.min_max(micros).as_py()
        if ends["min"] is None or _LOWEST_US < ends["min"] <= ends["max"] < _HIGHEST_US:
            return None
        inside = pc.and_(pc.greater(micros, _whole(_LOWEST_US)), pc.less(micros, _whole(_HIGHEST_US)))
        first = pc.and_(
            pc.equal(micros, _whole(_LOWEST_US)), pc.greater_equal(self.remainder, _whole(_LOWEST_REMAINDER))
        )
        last = pc.and_(pc.equal(micros, _whole(_HIGHEST_US)), pc.less_equal(self.remainder, _whole(_HIGHEST_REMAINDER)))
        return first_true(pc.invert(pc.or_(inside, pc.or_(first, last))))

    def below_microseconds(self) -> int | None:
        """The first row whose value has a seventh digit."""
        return first_true(pc.not_equal(self.remainder, _whole(0)))

    def beside_open_end(self) -> int | None:
        """The first row whose value has a seventh digit and is not the type's maximum, or equals the stored form of that
        maximum."""
        last = pc.equal(self.micros, _whole(LAST_MICROSECOND))
        expected = pc.if_else(last, _whole(_LAST_REMAINDER), _whole(0))
        return first_true(pc.not_equal(self.remainder, expected))

    def is_stored_open_end(self, row: int) -> bool:
        """Whether the value in that row equals the stored form of the type's maximum."""
        return bool(self.micros[row].as_py() == LAST_MICROSECOND and self.remainder[row].as_py() == 0)

    def remedy(self) -> str:
        """The config setting for the form that holds every value of this batch and is nearest to a date and time."""
        found = self._fitting()
        if found is None:
            return (
                "correct the value at the source, or configure the table as static with column_representation: "
                f"{{{self.mapping.name}: text}}: as text it sorts differently than its partitions"
            )
        written = f"under this table in the config write column_representation: {{{self.mapping.name}: {found}}}"
        if found == "text":
            return written
        more = "" if self.by_partition and self._with_offset else "; text holds every value"
        return f"{written} (the load stops again {_STOPS_AT[found]}{more})"

    @property
    def _with_offset(self) -> bool:
        return self.mapping.column.type_name == "datetimeoffset"

    def _fitting(self) -> str | None:
        if self.mapping.column.type_name == "time":
            return "text"
        if self._with_offset:
            if not self.by_partition and self.beside_open_end() is None:
                return "utc_open_end"
            return None if self.by_partition else "text"
        if self.outside_nanoseconds() is None:
            return "nanoseconds"
        if self.below_microseconds() is None:
            return "microseconds"
        return "open_end" if not self.by_partition and self.beside_open_end() is None else "text"


def unfit_row(moments: Moments) -> tuple[int, str] | None:
    """The first row whose value the column's form cannot hold, and why; None when it holds all of them."""
    kind, source = moments.mapping.field.type, moments.mapping.source
    if source is SourceForm.WITH_NANOSECONDS:
        row = moments.outside_nanoseconds()
        return None if row is None else (row, f"outside {NANOSECOND_RANGE}, the range of nanoseconds in the warehouse")
    row = moments.beside_open_end() if source is SourceForm.OPEN_END else moments.below_microseconds()
    if row is None:
        return None
    if source is SourceForm.OPEN_END and moments.is_stored_open_end(row):
        return row, "which is how the type's maximum is stored"
    return row, f"whose seventh digit {kind} cannot hold"


def first_true(condition: Values) -> int | None:
    """The first position where a condition holds; NULL does not hold."""
    position = pc.index(condition, True).as_py()
    return None if position < 0 else int(position)


def _whole(number: int) -> Any:
    return pa.scalar(number, pa.int64())

"""Column statistics: NULLs, exact sums, least and greatest values of a column. Source, lake and warehouse compute them each in
their own way; this file defines which figures a column has, and the text that makes them comparable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, Decimal, Inexact
from enum import Enum
from typing import Final

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping

NULLS: Final = "nulls"
SUM: Final = "sum"
MIN: Final = "min"
MAX: Final = "max"

HALF_DIGITS = 19
"""A sum of 38 digits overflows with its second row. Wider numbers are added up in two halves of that many digits, each of
which has room for 10^19 rows."""

WIDEST_WHOLE = 26
"""Digits of a number that is added up undivided: 38 digits hold a million million of them."""

_WHOLE_NUMBERS = frozenset({"bit", "tinyint", "smallint", "int", "bigint"})
_DECIMALS = frozenset({"decimal", "numeric"})
_MONEY = frozenset({"money", "smallmoney"})
_MONEY_SCALE = 4
_MOMENTS = frozenset({"date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
_WITH_OFFSET = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)? ?([+-])(\d\d):(\d\d)")
_EXACT = Context(prec=160, traps=[Inexact])


class Figure(str, Enum):
    """One value that source, lake or warehouse computes."""

    NULLS = "nulls"
    TOTAL = "total"
    """The sum, with the column's scale."""
    TOTAL_HIGH = "total_high"
    """The sum of the digits before the last HALF_DIGITS ones, as whole numbers, each with its own sign."""
    TOTAL_LOW = "total_low"
    """The sum of the last HALF_DIGITS digits, likewise."""
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class StatsColumn:
    """A column and its figures. `scale` is that of its sum."""

    mapping: ColumnMapping
    figures: tuple[Figure, ...]
    scale: int = 0

    @property
    def name(self) -> str:
        return self.mapping.name

    @property
    def column(self) -> ColumnFacts:
        return self.mapping.column

    @property
    def ordered_as_text(self) -> bool:
        """Whether its least value is that of its texts, which do not sort as their instants do."""
        return self.column.type_name == "datetimeoffset" and self.mapping.source.is_text

    @property
    def without_offset(self) -> bool:
        """Whether values with an offset are stored as instants."""
        return self.column.type_name == "datetimeoffset" and not self.ordered_as_text


@dataclass(frozen=True)
class ColumnStats:
    """`figures` are texts by column and name (nulls, sum, min, max); None: there is no such value. A column that is missing
    there is not in `figures`; a column of an unexpected type is in `unexpected_types`, with that type."""

    rows: int
    figures: Mapping[str, Mapping[str, str | None]]
    unexpected_types: Mapping[str, str] = field(default_factory=dict)


def stats_columns(
    mapping: TableMapping, *, decimals: bool = True, whole_numbers: bool = True, moments: bool = True
) -> tuple[StatsColumn, ...]:
    """The figures of each column, in order: NULLs of all of them, and the chosen others."""
    return tuple(_column(m, decimals=decimals, whole_numbers=whole_numbers, moments=moments) for m in mapping.columns)


def stats_of(rows: int, columns: Iterable[StatsColumn], answers: Iterable[str | int | None]) -> ColumnStats:
    """The summary from the values of a query, in the order of the columns and their figures."""
    rest = iter(answers)
    return ColumnStats(
        rows, {column.name: _written(column, {figure: next(rest) for figure in column.figures}) for column in columns}
    )


def no_rows(columns: Iterable[StatsColumn]) -> ColumnStats:
    """The summary of no rows."""
    wanted = tuple(columns)
    return stats_of(0, wanted, [None for column in wanted for _ in column.figures])


def plain(units: int, scale: int) -> str:
    """`units` of the last digit as a plain number with the scale: `-12.5000`."""
    if scale <= 0:
        return str(units * 10**-scale)
    digits = str(abs(units)).rjust(scale + 1, "0")
    return f"{'-' if units < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _column(mapping: ColumnMapping, *, decimals: bool, whole_numbers: bool, moments: bool) -> StatsColumn:
    column, kind = mapping.column, mapping.column.type_name
    figures, scale = [Figure.NULLS], 0
    if kind in _MOMENTS and moments:
        figures += [Figure.LOW, Figure.HIGH]
    elif (kind in _WHOLE_NUMBERS and whole_numbers) or (kind in _MONEY and decimals):
        figures.append(Figure.TOTAL)
        scale = _MONEY_SCALE if kind in _MONEY else 0
    elif kind in _DECIMALS and decimals:
        wide = column.precision > WIDEST_WHOLE
        figures += [Figure.TOTAL_HIGH, Figure.TOTAL_LOW] if wide else [Figure.TOTAL]
        scale = column.scale
    return StatsColumn(mapping, tuple(figures), scale)


def _written(column: StatsColumn, found: Mapping[Figure, str | int | None]) -> dict[str, str | None]:
    written: dict[str, str | None] = {NULLS: str(found[Figure.NULLS] or 0)}
    if Figure.TOTAL in found:
        written[SUM] = _total(str(found[Figure.TOTAL] or 0), column.scale)
    if Figure.TOTAL_HIGH in found:
        high, low = int(found[Figure.TOTAL_HIGH] or 0), int(found[Figure.TOTAL_LOW] or 0)
        written[SUM] = plain(high * 10**HALF_DIGITS + low, column.scale)
    if Figure.LOW in found:
        low_text, high_text = found[Figure.LOW], found[Figure.HIGH]
        shown = _instant if column.without_offset else str
        written[MIN] = None if low_text is None else shown(str(low_text))
        written[MAX] = None if high_text is None else shown(str(high_text))
    return written


def _total(text: str, scale: int) -> str:
    """With the column's scale; a number with more digits (the warehouse may hold more) stays unchanged."""
    number = Decimal(text)
    units = number.scaleb(scale, _EXACT)
    return plain(int(units), scale) if units == units.to_integral_value() else text


def _instant(text: str) -> str:
    """The server's text of a datetimeoffset, as UTC without offset. Text without an offset is UTC already."""
    found = _WITH_OFFSET.fullmatch(text)
    if found is None:
        return text
    seconds, fraction, sign, hours, minutes = found.groups(default="")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    local = datetime.fromisoformat(seconds)
    return f"{local + offset if sign == '-' else local - offset}{fraction}"

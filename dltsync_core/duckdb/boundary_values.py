"""Boundary texts as values of the warehouse, for the types whose order is the same on both sides.

A boundary is exact to the last digit of its SQL Server type; the column in the lake may count in coarser steps
(microseconds, with a checked seventh digit) or reach less far (nanoseconds: years 1677 to 2262). So an edge says where it
lies relative to the values the column can hold, and comparisons stay exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.typemap.datetimes import HIGHEST_NANOSECONDS, LOWEST_NANOSECONDS


class Literals(Protocol):
    """The literals of one dialect of SQL; types have DuckDB's names. `duckdb.sql` is DuckDB's."""

    def typed(self, value: str, type_name: str) -> str: ...

    def text(self, value: str) -> str: ...

    def blob(self, value: bytes) -> str: ...

    def nanoseconds(self, since_1970: int) -> str: ...


class Reach(Enum):
    """The position of a boundary among all values of its column."""

    WITHIN = "within"
    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True)
class Edge:
    """A boundary as the column sees it. `literal` is the largest value the column can hold that is not above the boundary;
    `exact`: it is the boundary itself."""

    literal: str
    exact: bool = True
    reach: Reach = Reach.WITHIN


_TICKS_PER_SECOND = 10_000_000
"""SQL Server's finest step is 100 ns."""

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?(?: ?(?:(Z)|([+-])(\d\d):(\d\d)))?"
)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?")
_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d*\.?\d+|-?\d+\.")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_HEX = re.compile(r"0[xX]((?:[0-9A-Fa-f]{2})*)")

_EPOCH = date(1970, 1, 1).toordinal()
_NS_LOWEST = LOWEST_NANOSECONDS // 100
_NS_HIGHEST = HIGHEST_NANOSECONDS // 100
"""The range of DuckDB's TIMESTAMP_NS in ticks since 1970: no value outside it is loaded."""


def edge_maker(column: ColumnFacts, arrow_type: pa.DataType, literals: Literals = q) -> Callable[[str], Edge] | None:
    """The function from the server's text of a boundary to an edge; None when the column's order differs in the warehouse.

    The returned function raises ValueError for text that is no value of the column's type.
    """
    name = column.type_name
    if name in {"bit", "tinyint", "smallint", "int", "bigint"}:
        return _plain(_INTEGER, duckdb_type(arrow_type), literals)
    if name in {"decimal", "numeric", "money", "smallmoney"} and pa.types.is_decimal(arrow_type):
        return _plain(_DECIMAL, duckdb_type(arrow_type), literals)
    if name in {"float", "real"}:
        return _plain(_FLOAT, duckdb_type(arrow_type), literals)
    if name == "binary":
        return lambda text: _binary(text, column.max_length, literals)
    if name == "date" and pa.types.is_date(arrow_type):
        return lambda text: Edge(literals.typed(_date_text(_moment_ticks(text)), "DATE"))
    if name in {"datetime", "smalldatetime", "datetime2"}:
        return _moments(column, arrow_type, literals)
    if name == "datetimeoffset" and pa.types.is_timestamp(arrow_type):
        return lambda text: _instant_edge(text, literals)
    if name == "time":
        return _times(column, arrow_type, literals)
    return None


def _plain(pattern: re.Pattern[str], type_name: str, literals: Literals) -> Callable[[str], Edge]:
    def make(text: str) -> Edge:
        return Edge(literals.typed(_matched(pattern, text)[0], type_name))

    return make


def _binary(text: str, length: int, literals: Literals) -> Edge:
    """binary(n) values are padded to n bytes; so is a boundary whose trailing zeros are missing."""
    content = bytes.fromhex(_matched(_HEX, text)[1])
    return Edge(literals.blob(content.ljust(length, b"\0")))


def _moments(column: ColumnFacts, arrow_type: pa.DataType, literals: Literals) -> Callable[[str], Edge] | None:
    if pa.types.is_timestamp(arrow_type):
        edge = _nanos_edge if arrow_type.unit == "ns" else _micros_edge
        return lambda text: edge(text, literals)
    if column.type_name == "datetime2" and pa.types.is_string(arrow_type):
        # Text of one width, most significant digit first: sorts like the times themselves.
        return lambda text: Edge(literals.text(_digits_text(_moment_ticks(text), column.scale)))
    return None


def _times(column: ColumnFacts, arrow_type: pa.DataType, literals: Literals) -> Callable[[str], Edge] | None:
    def within_day(text: str) -> int:
        hour, minute, second, fraction = _matched(_TIME, text).groups()
        return _ticks_of_day(hour, minute, second, fraction)

    if pa.types.is_time(arrow_type):

        def make(text: str) -> Edge:
            ticks = within_day(text)
            return Edge(literals.typed(_micros_text(ticks)[11:], "TIME"), exact=ticks % 10 == 0)

        return make
    if pa.types.is_string(arrow_type):
        return lambda text: Edge(literals.text(_digits_text(within_day(text), column.scale)[11:]))
    return None


def _micros_edge(text: str, literals: Literals) -> Edge:
    ticks = _moment_ticks(text)
    return Edge(literals.typed(_micros_text(ticks), "TIMESTAMP"), exact=ticks % 10 == 0)


def _instant_edge(text: str, literals: Literals) -> Edge:
    """Instants sort alike everywhere; the values have no seventh digit (`typemap.datetimes`), the boundary may have one."""
    ticks = _moment_ticks(text)
    return Edge(literals.typed(f"{_micros_text(ticks)}+00", "TIMESTAMPTZ"), exact=ticks % 10 == 0)


def _nanos_edge(text: str, literals: Literals) -> Edge:
    ticks = _moment_ticks(text)
    if ticks < _NS_LOWEST:
        return Edge(q.NOTHING, exact=False, reach=Reach.BELOW)
    if ticks > _NS_HIGHEST:
        return Edge(q.NOTHING, exact=False, reach=Reach.ABOVE)
    return Edge(literals.nanoseconds(ticks * 100))


def _moment_ticks(text: str) -> int:
    """100 ns steps since 1970 (UTC when the text has an offset). Raises ValueError."""
    year, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = _matched(_MOMENT, text).groups()
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    ticks = days * 86_400 * _TICKS_PER_SECOND + _ticks_of_day(hour, minute, second, fraction)
    if sign is None:
        return ticks
    offset = (int(off_hours) * 60 + int(off_minutes)) * 60 * _TICKS_PER_SECOND
    return ticks + offset if sign == "-" else ticks - offset


def _ticks_of_day(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> int:
    whole = (int(hour or 0) * 60 + int(minute or 0)) * 60 + int(second or 0)
    if int(hour or 0) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise ValueError(f"{hour}:{minute}:{second} is not a time of day")
    return whole * _TICKS_PER_SECOND + int((fraction or "0").ljust(7, "0"))


def _date_text(ticks: int) -> str:
    return _digits_text(ticks, 0)[:10]


def _micros_text(ticks: int) -> str:
    """Down to the microsecond; the rest is cut off, before 1970 too."""
    return _digits_text(ticks, 6)


def _digits_text(ticks: int, digits: int) -> str:
    """`YYYY-MM-DD hh:mm:ss` and that many digits of the second."""
    seconds, fraction = divmod(ticks, _TICKS_PER_SECOND)
    days, seconds = divmod(seconds, 86_400)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    moment = f"{date.fromordinal(days + _EPOCH).isoformat()} {hour:02d}:{minute:02d}:{second:02d}"
    return f"{moment}.{fraction:07d}"[: len(moment) + 1 + digits] if digits else moment


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a value of that type")
    return match

"""Every kind of column a table may have, with values of it and what each place calls such a value.

A value is what a person would write down: a number of units or ticks, a text, bytes. `sent` is the parameter that stores it at
the source, `kept` what DuckDB hands back for it; neither is worked out by the code under test.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st

Value = Any
MOST_DIGITS = 38
_DAY_SECONDS = 86_400
_EPOCH = date(1, 1, 1)
_LAST_DAY = (date(9999, 12, 31) - _EPOCH).days
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_CODE_PAGE = st.text(st.sampled_from("aäßÉ ~:0'€"), max_size=12)
_AWKWARD = st.sampled_from(["", "a\0b", "\0", " ", "a ", "  ", "😀", "👩‍🚀 ", "NULL", "~", "2:a", "e\u0301", "it's"])


@dataclass(frozen=True)
class Kind:
    """A declared type. `near` is the nearest other value: one bit, one unit of the last digit, one letter."""

    declared: str
    values: st.SearchStrategy[Value]
    near: Callable[[Value], Value]
    sent: Callable[[Value], Value] = str
    kept: Callable[[Value], Value] = lambda value: value
    shown: str = '"{c}"'
    representation: str | None = None
    is_text: bool = False

    @property
    def placeholder(self) -> str:
        """What stands for a value in an INSERT at the source."""
        if "binary" in self.declared:
            return f"CONVERT({self.declared}, CAST(? AS varchar(200)), 1)"
        return f"CAST(? AS {self.declared})"


def _edges(low: int, high: int) -> st.SearchStrategy[int]:
    """Any of them, the ends and zero more often."""
    return st.one_of(st.sampled_from([low, high, max(low, 0)]), st.integers(low, high))


def _whole(declared: str, low: int, high: int) -> Kind:
    return Kind(declared, _edges(low, high), lambda value: value ^ 1)


_BIT = Kind("bit", st.booleans(), lambda value: not value, lambda value: str(int(value)))


def _exact(declared: str, low: int, high: int, scale: int) -> Kind:
    def kept(units: int) -> Decimal:
        return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -scale))

    return Kind(
        declared,
        _edges(low, high),
        lambda units: units - 1 if units > low else units + 1,
        lambda units: f"{kept(units):f}",
        kept,
    )


@st.composite
def _decimals(draw: st.DrawFn) -> Kind:
    precision = draw(st.one_of(st.sampled_from([1, 9, 18, 19, MOST_DIGITS]), st.integers(1, MOST_DIGITS)))
    scale = draw(st.one_of(st.sampled_from([0, precision]), st.integers(0, precision)))
    most = 10**precision - 1
    return _exact(f"decimal({precision},{scale})", -most, most, scale)


def _next_float(value: float) -> float:
    """Towards zero, but not zero: DuckDB may take its sign from another zero of the column (docs/types.md)."""
    return math.nextafter(value, 0 if value else 1) or math.nextafter(value, 2 * value)


def _next_real(value: float) -> float:
    real = np.float32(value)
    return float(np.nextafter(real, np.float32(0 if value else 1)) or np.nextafter(real, 2 * real))


_FLOAT = Kind(
    "float",
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False) | st.sampled_from([-0.0, 0.1, 5e-324]),
    _next_float,
    repr,
)
_REAL = Kind(
    "real",
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32) | st.just(-0.0),
    _next_real,
    repr,
)


def _time_of(ticks: int, scale: int) -> str:
    seconds, fraction = divmod(ticks, 10**scale)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:0{scale}}" if scale else text


def _short(text: str) -> str:
    """As DuckDB shows a moment: without zeros at the end of the fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(ticks: int, scale: int, separator: str = "T") -> str:
    day, rest = divmod(ticks, _DAY_SECONDS * 10**scale)
    return f"{_EPOCH + timedelta(day)}{separator}{_time_of(rest, scale)}"


def _day(year: int) -> int:
    return (date(year, 1, 1) - _EPOCH).days


def _toward(value: int) -> int:
    return value - 1 if value else 1


_AS_TEXT = 'CAST("{c}" AS VARCHAR)'


@st.composite
def _times(draw: st.DrawFn) -> Kind:
    scale = draw(st.integers(0, 7))
    as_text = scale == 7
    return Kind(
        f"time({scale})",
        _edges(0, _DAY_SECONDS * 10**scale - 1),
        _toward,
        lambda ticks: _time_of(ticks, scale),
        lambda ticks: _time_of(ticks, scale) if as_text else _short(_time_of(ticks, scale)),
        _AS_TEXT,
    )


@st.composite
def _datetime2s(draw: st.DrawFn) -> Kind:
    scale = draw(st.integers(0, 7))
    representation = draw(st.sampled_from([None, "text"] if scale == 7 else [None]))
    first, end = (_day(1678), _day(2262)) if scale == 7 and representation is None else (0, _LAST_DAY + 1)
    per_day = _DAY_SECONDS * 10**scale

    def kept(ticks: int) -> str:
        text = _moment(ticks, scale, " ")
        return text if representation == "text" else _short(text)

    return Kind(
        f"datetime2({scale})",
        _edges(first * per_day, end * per_day - 1),
        lambda ticks: ticks - 1 if ticks > first * per_day else ticks + 1,
        lambda ticks: _moment(ticks, scale),
        kept,
        _AS_TEXT,
        representation,
    )


@st.composite
def _offsets(draw: st.DrawFn) -> Kind:
    scale = draw(st.integers(0, 7))
    second = 10**scale
    ticks = _edges(_DAY_SECONDS * second, _LAST_DAY * _DAY_SECONDS * second - 1)

    def text(value: tuple[int, int]) -> str:
        local, minutes = value
        sign = "-" if minutes < 0 else "+"
        return f"{_moment(local, scale, ' ')}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

    return Kind(
        f"datetimeoffset({scale})",
        st.tuples(ticks, st.sampled_from([0, 345, -840, 840, -30])),
        lambda value: (value[0], 1 if value[1] == 0 else 0),  # the offset alone
        text,
        text,
        _AS_TEXT,
    )


def _grid(thirds: int) -> str:
    """datetime counts 1/300 s and shows .000, .003 and .007."""
    seconds, rest = divmod(thirds, 300)
    return f"{_moment(seconds, 0)}.{(rest * 10 + 1) // 3:03}"


_DATETIME = Kind(
    "datetime",
    _edges(_day(1753) * _DAY_SECONDS * 300, (_LAST_DAY + 1) * _DAY_SECONDS * 300 - 1),
    lambda thirds: thirds - 1 if thirds % 300 else thirds + 1,
    _grid,
    lambda thirds: _short(_grid(thirds).replace("T", " ")),
    _AS_TEXT,
)
_SMALLDATETIME = Kind(
    "smalldatetime",
    _edges(_day(1900) * 1440, ((date(2079, 6, 6) - _EPOCH).days + 1) * 1440 - 1),
    lambda minutes: minutes - 1 if minutes % 1440 else minutes + 1,
    lambda minutes: _moment(minutes * 60, 0),
    lambda minutes: _moment(minutes * 60, 0, " "),
    _AS_TEXT,
)
_DATE = Kind(
    "date",
    _edges(0, _LAST_DAY),
    _toward,
    lambda day: str(_EPOCH + timedelta(day)),
    lambda day: str(_EPOCH + timedelta(day)),
    _AS_TEXT,
)
_GUID = Kind("uniqueidentifier", st.uuids(), lambda value: uuid.UUID(int=value.int ^ 1))
_GUID_TEXT = replace(_GUID, kept=lambda value: str(value).upper(), representation="text")


def _other_letter(text: str) -> str:
    return ("b" if text[:1] == "a" else "a") + text[1:]


def _text(declared: str, values: st.SearchStrategy[str], *, padded: int = 0) -> Kind:
    """`padded`: the UTF-16 units of a type that fills up with blanks."""

    def kept(text: str) -> str:
        return text + " " * (padded - len(text.encode("utf-16-le")) // 2)

    return Kind(declared, values, _other_letter, kept=kept if padded else str, is_text=True)


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 0x80]) + data[1:] if data else b"\0"


def _octets(declared: str, least: int, most: int) -> Kind:
    values = st.binary(min_size=least, max_size=most) | st.just(bytes(most))
    return Kind(declared, values, _flipped, lambda data: f"0x{data.hex()}")


_LATIN = st.one_of(_CODE_PAGE, st.sampled_from(["", " ", "a ", "  ", "~", "NULL"]))
_UNICODE = st.one_of(_TEXT, _AWKWARD)
KINDS: st.SearchStrategy[Kind] = st.one_of(
    st.sampled_from(
        [
            _BIT,
            _whole("tinyint", 0, 255),
            _whole("smallint", -(2**15), 2**15 - 1),
            _whole("int", -(2**31), 2**31 - 1),
            _whole("bigint", -(2**63), 2**63 - 1),
            _exact("money", -(2**63), 2**63 - 1, 4),
            _exact("smallmoney", -(2**31), 2**31 - 1, 4),
        ]
    ),
    st.sampled_from([_FLOAT, _REAL, _GUID, _GUID_TEXT, _DATE, _DATETIME, _SMALLDATETIME]),
    _decimals(),
    _times(),
    _datetime2s(),
    _offsets(),
    st.sampled_from(
        [
            _text("varchar(30)", _LATIN),
            _text("varchar(max)", _LATIN),
            _text("char(15)", _LATIN, padded=15),
            _text("nvarchar(40)", _UNICODE),
            _text("nvarchar(max)", _UNICODE),
            _text("nchar(30)", _UNICODE, padded=30),
        ]
    ),
    st.sampled_from([_octets("varbinary(20)", 0, 20), _octets("varbinary(max)", 0, 20), _octets("binary(4)", 4, 4)]),
)

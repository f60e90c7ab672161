"""How one declared type relates to another: whether it holds more or less, and whether stored values may have changed.

Types are text as `typemap.declared_type.shown_type` writes it. The effect of ALTER COLUMN on stored values is SQL
Server's: it refuses to cut text, bytes and integers, and rounds decimals, dates and times without an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DECLARED = re.compile(r"([^()]+?)(?:\((max|\d+)(?:,(\d+))?\))?")
_UNBOUNDED = 2**31
_INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_MONEY_DIGITS = {"smallmoney": (6, 4), "money": (15, 4)}
_FLOATS = ("real", "float")
_PRECISION = {"date": -2.0, "smalldatetime": -1.0, "datetime": 2.5}
"""Digits of a second. Days and minutes have none; a datetime counts 1/300 s: it holds every datetime2(2), and every
datetime2(3) holds it as it is shown."""
_YEARS = {"smalldatetime": 0, "datetime": 1}
"""Types without all years: 1900 to 2079, and from 1753 on."""
_ALL_YEARS = 2
_SCALED = frozenset({"time", "datetimeoffset"})
_TEXT = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext"})
_BYTES = frozenset({"binary", "varbinary", "image"})
_FIXED = frozenset({"char", "nchar", "binary"})
_WITHOUT_LENGTH = frozenset({"text", "ntext", "image"})
MOST_DIGITS = 38
"""Digits of the widest decimal, at the source, in the lake and in the warehouse."""
CODE_PAGE = frozenset({"char", "varchar", "text"})
"""Types whose bytes are in the code page of their collation."""


@dataclass(frozen=True)
class Relation:
    """From one type to another. `rereads`: stored values of unchanged rows may have changed, or have another text in the lake."""

    grows: bool = False
    shrinks: bool = False
    rereads: bool = False


@dataclass(frozen=True)
class _Type:
    name: str
    size: int
    scale: int


def relation(before: str, after: str, *, as_text: bool = False) -> Relation | None:
    """How `after` relates to `before`; None when no type of their family holds both. `as_text`: the lake stores the
    date or time as text."""
    if before == after:
        return Relation()
    old, new = _parsed(before), _parsed(after)
    for family in (_numbers, _floats, _datetimes, _texts, _binaries):
        found = family(old, new, as_text)
        if found is not None:
            return found
    return None


def name_of(declared: str) -> str:
    """The type without its length, precision and scale."""
    return _parsed(declared).name


def _parsed(declared: str) -> _Type:
    match = _DECLARED.fullmatch(declared)
    if match is None:
        return _Type(declared, 0, 0)
    name, size, scale = match.groups()
    if size == "max" or name in _WITHOUT_LENGTH:
        return _Type(name, _UNBOUNDED, 0)
    return _Type(name, int(size or 0), int(scale or 0))


def _numbers(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    one, other = _digits(old), _digits(new)
    if one is None or other is None:
        return None
    (whole, fraction), (new_whole, new_fraction) = one, other
    if max(whole, new_whole) + max(fraction, new_fraction) > MOST_DIGITS:
        return None
    return Relation(
        grows=new_whole > whole or new_fraction > fraction,
        shrinks=new_whole < whole or new_fraction < fraction,
        rereads=new_fraction < fraction,
    )


def _digits(kind: _Type) -> tuple[int, int] | None:
    if kind.name in {"decimal", "numeric"}:
        return kind.size - kind.scale, kind.scale
    if kind.name in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[kind.name], 0
    return _MONEY_DIGITS.get(kind.name)


def _floats(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name not in _FLOATS or new.name not in _FLOATS:
        return None
    shrinks = _FLOATS.index(new.name) < _FLOATS.index(old.name)
    return Relation(grows=not shrinks, shrinks=shrinks, rereads=shrinks)


def _datetimes(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name != new.name and (old.name in _SCALED or new.name in _SCALED):
        return None
    one, other = _precision(old), _precision(new)
    if one is None or other is None:
        return None
    years, new_years = _YEARS.get(old.name, _ALL_YEARS), _YEARS.get(new.name, _ALL_YEARS)
    # A datetime becomes a datetime2 with digits that its grid of 1/300 s does not show.
    return Relation(
        grows=other > one or new_years > years,
        shrinks=other < one or new_years < years,
        rereads=other < one or old.name != new.name or (as_text and one != other),
    )


def _precision(kind: _Type) -> float | None:
    return float(kind.size) if kind.name == "datetime2" or kind.name in _SCALED else _PRECISION.get(kind.name)


def _texts(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name not in _TEXT or new.name not in _TEXT:
        return None
    was_unicode, is_unicode = old.name not in CODE_PAGE, new.name not in CODE_PAGE
    return Relation(
        grows=new.size > old.size or is_unicode > was_unicode,
        shrinks=new.size < old.size or is_unicode < was_unicode,
        rereads=_padded(old, new) or is_unicode < was_unicode,
    )


def _binaries(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name not in _BYTES or new.name not in _BYTES:
        return None
    return Relation(grows=new.size > old.size, shrinks=new.size < old.size, rereads=_padded(old, new))


def _padded(old: _Type, new: _Type) -> bool:
    """Whether stored values are padded to a new length."""
    return new.name in _FIXED and (old.name not in _FIXED or old.size != new.size)

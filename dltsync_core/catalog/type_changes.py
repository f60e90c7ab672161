"""How one declared type relates to another: does it hold more, does it hold less, may stored values have changed on the way.

Types are text as `typemap.declared_type.shown_type` writes it. What ALTER COLUMN does to stored values is taken from SQL
Server: it refuses to cut text, bytes and integers, and rounds decimals and moments without a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DECLARED = re.compile(r"([^()]+?)(?:\((max|\d+)(?:,(\d+))?\))?")
_UNBOUNDED = 2**31
_INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_MONEY_DIGITS = {"smallmoney": (6, 4), "money": (15, 4)}
_FLOATS = ("real", "float")
_FINENESS = {"date": -2.0, "smalldatetime": -1.0, "datetime": 2.5}
"""Digits of a second. Days and minutes have none; a datetime counts 1/300 s, which holds every datetime2(2) and which every
datetime2(3) holds as it is shown."""
_CALENDARS = {"smalldatetime": 0, "datetime": 1}
"""Moments that do not have all years: 1900 to 2079, and from 1753 on."""
_ALL_YEARS = 2
_SCALED = frozenset({"time", "datetimeoffset"})
_TEXT = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext"})
_BYTES = frozenset({"binary", "varbinary", "image"})
_FIXED = frozenset({"char", "nchar", "binary"})
_WITHOUT_LENGTH = frozenset({"text", "ntext", "image"})
MOST_DIGITS = 38
"""Digits of the widest decimal, at the source, in the lake and in the warehouse."""
CODE_PAGE = frozenset({"char", "varchar", "text"})
"""Types whose bytes mean what their collation's code page says."""


@dataclass(frozen=True)
class Relation:
    """From one type to another. `rereads` says that values that were stored before may be other ones, or be written otherwise
    in the lake, although nobody touched their rows."""

    grows: bool = False
    shrinks: bool = False
    rereads: bool = False


@dataclass(frozen=True)
class _Type:
    name: str
    size: int
    scale: int


def relation(before: str, after: str, *, as_text: bool = False) -> Relation | None:
    """How `after` relates to `before`; None when no type of their family holds both. `as_text` says that the lake keeps the
    column as text although it is a moment."""
    if before == after:
        return Relation()
    old, new = _parsed(before), _parsed(after)
    for family in (_numbers, _floats, _moments, _characters, _octets):
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


def _moments(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name != new.name and (old.name in _SCALED or new.name in _SCALED):
        return None
    one, other = _fineness(old), _fineness(new)
    if one is None or other is None:
        return None
    years, new_years = _CALENDARS.get(old.name, _ALL_YEARS), _CALENDARS.get(new.name, _ALL_YEARS)
    # A datetime becomes a datetime2 with digits that its grid of 1/300 s only hinted at.
    return Relation(
        grows=other > one or new_years > years,
        shrinks=other < one or new_years < years,
        rereads=other < one or old.name != new.name or (as_text and one != other),
    )


def _fineness(kind: _Type) -> float | None:
    return float(kind.size) if kind.name == "datetime2" or kind.name in _SCALED else _FINENESS.get(kind.name)


def _characters(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name not in _TEXT or new.name not in _TEXT:
        return None
    was_unicode, is_unicode = old.name not in CODE_PAGE, new.name not in CODE_PAGE
    return Relation(
        grows=new.size > old.size or is_unicode > was_unicode,
        shrinks=new.size < old.size or is_unicode < was_unicode,
        rereads=_padded(old, new) or is_unicode < was_unicode,
    )


def _octets(old: _Type, new: _Type, as_text: bool) -> Relation | None:
    if old.name not in _BYTES or new.name not in _BYTES:
        return None
    return Relation(grows=new.size > old.size, shrinks=new.size < old.size, rereads=_padded(old, new))


def _padded(old: _Type, new: _Type) -> bool:
    """Whether stored values are filled up to a length they had not before."""
    return new.name in _FIXED and (old.name not in _FIXED or old.size != new.size)

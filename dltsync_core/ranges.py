"""Partition ranges and their keys. Of two finite ends exactly one is included, and the side says which; an infinite end is open.

RANGE RIGHT slots are `[lower, upper)`, RANGE LEFT slots are `(lower, upper]` (CREATE PARTITION FUNCTION). The key of a
slot is made of its boundaries, never of its number: numbers move when a neighbour is split or merged. Keys are what the
ledger, the footer and Dagster know a partition by.

    [2024-01-01,2024-02-01)      RIGHT        (2024-01-01,2024-02-01]      LEFT
    (-inf,2024-01-01)            first        (-inf,2024-01-01]            first
    [2024-12-01,+inf)            last         (2024-12-01,+inf)            last
    [null,10)                    RIGHT with NULL as a boundary
    (-inf,+inf)                  the only slot of a function without boundaries, whatever its side

Boundaries are the server's text, which loses nothing, in its shortest spelling (`catalog.boundary_text`). Inside a key every
character that means something there, or to Dagster (`...`), is percent-encoded, so keys of character boundaries are lossless
too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from urllib.parse import unquote

Side = Literal["left", "right"]

MINUS_INFINITY = "-inf"
PLUS_INFINITY = "+inf"
NULL = "null"

_RESERVED = re.compile(r"[\x00-\x20\x7f%,\[\]()'\"`|]|\.\.+|^\s|\s$")
_WORDS = {MINUS_INFINITY, PLUS_INFINITY, NULL, ""}


@dataclass(frozen=True)
class Boundary:
    """One end of a slot. `text` is lossless (`catalog.boundary_text`); None is SQL's NULL given as a boundary value."""

    text: str | None


@dataclass(frozen=True)
class PartitionRange:
    """The values of one slot. `lower` or `upper` None means open at that end; `holds_null`: NULL rows lie in this slot."""

    lower: Boundary | None
    upper: Boundary | None
    side: Side
    holds_null: bool = False

    @property
    def key(self) -> str:
        """The slot's name: stable under SPLIT and MERGE elsewhere, different for every different range of values."""
        opening, closing = ("[", ")") if self.side == "right" else ("(", "]")
        lower = f"({MINUS_INFINITY}" if self.lower is None else f"{opening}{_encode(self.lower)}"
        upper = f"{PLUS_INFINITY})" if self.upper is None else f"{_encode(self.upper)}{closing}"
        return f"{lower},{upper}"

    def __str__(self) -> str:
        return self.key


_KEY = re.compile(r"([\[(])([^,\[\]()]*),([^,\[\]()]*)([\])])")


def parse_key(key: str) -> PartitionRange:
    """The range a key names. `holds_null` is not part of a key and comes back False, and the side of the range of everything is
    RIGHT. Raises ValueError for anything else; the message names the right key where only a bracket at an infinite end is
    wrong."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"{key!r} is not a partition key: {_EXPECTED}")
    opening, below, above, closing = match.groups()
    lower = None if below == MINUS_INFINITY else _decode(below)
    upper = None if above == PLUS_INFINITY else _decode(above)
    sides: set[Side] = set()
    if lower is not None:
        sides.add("right" if opening == "[" else "left")
    if upper is not None:
        sides.add("right" if closing == ")" else "left")
    if len(sides) > 1:
        raise ValueError(f"{key!r} is not a partition key: of two finite ends exactly one belongs; {_EXPECTED}")
    found = PartitionRange(lower, upper, next(iter(sides), "right"))
    if (lower is None and opening != "(") or (upper is None and closing != ")"):
        raise ValueError(f"{key!r} is not a partition key: an infinite end is open; write {found.key!r}")
    return found


_EXPECTED = (
    "expected [lower,upper) for RANGE RIGHT or (lower,upper] for RANGE LEFT, with (-inf and +inf) for the infinite ends"
)


def slots_of(boundaries: list[Boundary], side: Side) -> list[PartitionRange]:
    """The slots that boundaries (in catalogue order) make, in partition-number order; one more than there are boundaries.

    NULL rows go to the first slot, except for RANGE RIGHT with NULL listed as the first boundary: then to the second
    (CREATE PARTITION FUNCTION).
    """
    ends: list[Boundary | None] = [None, *boundaries, None]
    null_slot = 1 if side == "right" and boundaries and boundaries[0].text is None else 0
    return [PartitionRange(ends[i], ends[i + 1], side, holds_null=i == null_slot) for i in range(len(boundaries) + 1)]


def _encode(boundary: Boundary) -> str:
    if boundary.text is None:
        return NULL
    text = _RESERVED.sub(lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), boundary.text)
    if text in _WORDS:  # the text '-inf' is a value, not the open end
        text = "".join(f"%{byte:02X}" for byte in text.encode()) or "%"
    return text


def _decode(part: str) -> Boundary:
    if part == NULL:
        return Boundary(None)
    return Boundary("" if part == "%" else unquote(part))


def are_apart(one: PartitionRange, other: PartitionRange, type_name: str) -> bool:
    """Whether it is certain that no value of a column of that type lies in both. False where only the server knows."""
    return _ends_before(one, other, type_name) or _ends_before(other, one, type_name)


def _ends_before(one: PartitionRange, other: PartitionRange, type_name: str) -> bool:
    if one.upper is None or other.lower is None:
        return False
    if one.upper != other.lower:
        upper, lower = _position(one.upper, type_name), _position(other.lower, type_name)
        if upper is None or lower is None or upper > lower:
            return False
        if upper < lower:
            return True
    return (one.side, other.side) != ("left", "right")  # of `(a,x]` and `[x,b)` both have x


_NUMBERS = frozenset(
    {"tinyint", "smallint", "int", "bigint", "decimal", "numeric", "money", "smallmoney", "float", "real"}
)
_MOMENTS = frozenset({"date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d*)?))?)? ?(?:Z|([+-])(\d\d):(\d\d))?")


def _position(boundary: Boundary, type_name: str) -> tuple[int, Decimal] | None:
    """Orders boundaries as the server does, NULL first; None for types whose order only the server knows, and for text that is
    no value of the type."""
    text = boundary.text
    if text is None:
        return 0, Decimal(0)
    if type_name in _NUMBERS and _NUMBER.fullmatch(text):
        return 1, Decimal(text)
    moment = _MOMENT.fullmatch(text) if type_name in _MOMENTS else None
    if moment is None:
        return None
    day, hours, minutes, seconds, sign, off_hours, off_minutes = moment.groups("0")
    offset = (int(off_hours) * 60 + int(off_minutes)) * (-1 if sign == "-" else 1)
    whole = date.fromisoformat(day).toordinal() * 1440 + int(hours) * 60 + int(minutes) - offset
    return 1, whole * 60 + Decimal(seconds)


def in_boundary_order(keys: Iterable[str]) -> list[str]:
    """Partition keys in the order of their lower boundaries, the open end first and NULL next. Numbers are compared as
    numbers, other boundaries as text: the server's text of a date or time sorts like its value. Raises ValueError for
    what is no key."""
    lowers = {key: parse_key(key).lower for key in keys}
    texts = [lower.text for lower in lowers.values() if lower is not None and lower.text is not None]
    are_numbers = all(_NUMBER.fullmatch(text) for text in texts)

    def position(key: str) -> tuple[int, Decimal, str]:
        lower = lowers[key]
        if lower is None or lower.text is None:
            return int(lower is not None), Decimal(0), key
        return 2, Decimal(lower.text) if are_numbers else Decimal(0), lower.text

    return sorted(lowers, key=position)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

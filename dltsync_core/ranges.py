"""Partition ranges and their keys. Of two ends exactly one belongs, and the side says which.

RANGE RIGHT slots are `[lower, upper)`, RANGE LEFT slots are `(lower, upper]` (CREATE PARTITION FUNCTION). The key of a
slot is made of its boundaries, never of its number: numbers move when a neighbour is split or merged. Keys are what the
ledger, the footer and Dagster know a partition by.

    [2024-01-01,2024-02-01)      RIGHT        (2024-01-01,2024-02-01]      LEFT
    [-inf,2024-01-01)            first        (2024-12-01,+inf]            last
    [null,10)                    RIGHT with NULL as a boundary

Boundaries are the server's text, which loses nothing, in its shortest spelling (`catalog.boundaries`). Inside a key every
character that means something there, or to Dagster (`...`), is percent-encoded, so keys of character boundaries are lossless
too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    """One end of a slot. `text` is lossless (`catalog.boundaries`); None is SQL's NULL given as a boundary value."""

    text: str | None


@dataclass(frozen=True)
class PartitionRange:
    """The values of one slot. `lower` or `upper` None means open at that end; `holds_null` says where NULL rows lie."""

    lower: Boundary | None
    upper: Boundary | None
    side: Side
    holds_null: bool = False

    @property
    def key(self) -> str:
        """The slot's name: stable under SPLIT and MERGE elsewhere, different for every different range."""
        lower = MINUS_INFINITY if self.lower is None else _encode(self.lower)
        upper = PLUS_INFINITY if self.upper is None else _encode(self.upper)
        return f"[{lower},{upper})" if self.side == "right" else f"({lower},{upper}]"

    def __str__(self) -> str:
        return self.key


def parse_key(key: str) -> PartitionRange:
    """The range a key names. `holds_null` is not part of a key and comes back False. Raises ValueError for anything else."""
    match = re.fullmatch(r"([\[(])([^,\[\]()]*),([^,\[\]()]*)([\])])", key)
    if not match or (match[1], match[4]) not in {("[", ")"), ("(", "]")}:
        raise ValueError(
            f"{key!r} is not a partition key: expected [lower,upper) for RANGE RIGHT or (lower,upper] for RANGE LEFT"
        )
    side: Side = "right" if match[1] == "[" else "left"
    lower = None if match[2] == MINUS_INFINITY else _decode(match[2])
    upper = None if match[3] == PLUS_INFINITY else _decode(match[3])
    return PartitionRange(lower, upper, side)


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

"""Ranges of a column's values: of a partition, and of what a CHECK constraint allows.

Ranges are over all values between their ends, not over whole numbers only: a<21 does not prove a<=20 (as observed at SQL
Server), and a>=11 proves a>10.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.catalogue import PartitionFunction
from sqlserver_sandbox.tsql.collations import collation, comparison_key
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, DATETIMES, NUMBERS, STRINGS
from sqlserver_sandbox.tsql.values.storage import decode_value


@total_ordering
@dataclass(frozen=True)
class Edge:
    """A place between values: just before (`side` -1) or just after (1) a value; without a value, before or after all."""

    side: int
    value: Any = None
    is_end: bool = False

    def __lt__(self, other: Edge) -> bool:
        if self.is_end or other.is_end:
            return self._rank() < other._rank()
        return (self.value, self.side) < (other.value, other.side)

    def _rank(self) -> int:
        return self.side if self.is_end else 0


LOWEST, HIGHEST = Edge(-1, is_end=True), Edge(1, is_end=True)


@dataclass(frozen=True)
class Range:
    low: Edge
    high: Edge


@dataclass(frozen=True)
class Values:
    """Ranges in order that do not touch, and whether NULL is among the values."""

    ranges: tuple[Range, ...]
    null: bool

    def meet(self, other: Values) -> Values:
        found = [
            Range(max(a.low, b.low), min(a.high, b.high))
            for a in self.ranges
            for b in other.ranges
            if max(a.low, b.low) < min(a.high, b.high)
        ]
        return Values(tuple(found), self.null and other.null)

    def join(self, other: Values) -> Values:
        merged: list[Range] = []
        for part in sorted((*self.ranges, *other.ranges), key=lambda r: r.low):
            if merged and part.low <= merged[-1].high:
                merged[-1] = Range(merged[-1].low, max(merged[-1].high, part.high))
            else:
                merged.append(part)
        return Values(tuple(merged), self.null or other.null)

    def within(self, other: Values) -> bool:
        """Whether each of these values is one of the others."""
        if self.null and not other.null:
            return False
        return all(any(b.low <= a.low and a.high <= b.high for b in other.ranges) for a in self.ranges)


EVERYTHING = Values((Range(LOWEST, HIGHEST),), null=True)


def outside(values: Values) -> tuple[Range, ...]:
    """The ranges that the values leave out."""
    gaps: list[Range] = []
    at = LOWEST
    for part in values.ranges:
        if at < part.low:
            gaps.append(Range(at, part.low))
        at = part.high
    if at < HIGHEST:
        gaps.append(Range(at, HIGHEST))
    return tuple(gaps)


def ordered(value: Any, declared: SqlType) -> Any:
    """A storage value as something that Python orders as the server does. Raises the refusal for a type that has none here."""
    name = declared.name
    if name in STRINGS:
        kind = collation(declared.collation).kind if declared.collation else "ci"
        return comparison_key(value, kind)
    if name == "datetimeoffset":
        return value[0]
    if name in (*NUMBERS, *BINARIES, *DATETIMES):
        return value
    raise refused(f"SWITCH by ranges of {name}")


def partition_values(function: PartitionFunction, number: int) -> Values:
    """What a partition holds (SQL Server docs: CREATE PARTITION FUNCTION). NULL lies left of every other value."""
    boundaries = [decode_value(b, function.type) for b in function.boundaries]
    nulls = sum(b is None for b in boundaries)
    null_partition = 2 if function.right and nulls else 1
    side = -1 if function.right else 1
    edges = [LOWEST]
    edges += [LOWEST if b is None else Edge(side, ordered(b, function.type)) for b in boundaries]
    edges.append(HIGHEST)
    low, high = edges[number - 1], edges[number]
    ranges = (Range(low, high),) if low < high else ()
    return Values(ranges, null=number == null_partition)

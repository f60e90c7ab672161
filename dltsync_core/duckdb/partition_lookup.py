"""The partition of a warehouse row, found by bisection: a dozen comparisons decide among thousands of partitions.

Partitions are put in the order of their beginnings, by DuckDB itself, and taken some at a time, so that one statement looks at
the row groups of its own partitions only. Every row is held against the full condition of the partition that it is led to: the
way there decides how long it takes, never what is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.partition_scope import Start

UNITS_PER_STATEMENT = 200
"""Partitions of one statement: enough that a table of thousands needs few statements, few enough that their groups
stay in the processor's cache and that the statement parses quickly."""


@dataclass(frozen=True)
class Share:
    """The rows of one statement: those that meet `condition`; `number` is the position in `units` of a row's unit, NULL for
    none."""

    units: tuple[str, ...]
    condition: str
    number: str


@dataclass(frozen=True)
class _Leaf:
    """Units with one beginning: of several all but one have no rows, or none of them has a beginning."""

    start: Start | None
    units: tuple[str, ...]


def shares(
    connection: DuckDBPyConnection, conditions: Mapping[str, str], starts: Mapping[str, Start | None] | None
) -> Iterator[Share]:
    """All units that can have rows. `conditions` exclude each other; `starts` come from `scope.starts_of`: where they are unknown
    every condition of a statement is tried on every row."""
    some = [unit for unit, condition in conditions.items() if condition != q.NOTHING]
    if len(some) == 1 or starts is None:
        for at in range(0, len(some), UNITS_PER_STATEMENT):
            yield _one_by_one(conditions, some[at : at + UNITS_PER_STATEMENT])
        return
    leaves = _leaves(connection, some, starts)
    for first, last in _parts(leaves):
        end = leaves[last].start if last < len(leaves) else None
        yield _halved(conditions, leaves[first:last], end)


def _one_by_one(conditions: Mapping[str, str], units: Sequence[str]) -> Share:
    """For one unit DuckDB skips row groups that cannot meet its condition."""
    if len(units) == 1:
        return Share(tuple(units), conditions[units[0]], "0")
    return Share(tuple(units), q.EVERYTHING, q.first_met([(conditions[u], n) for n, u in enumerate(units)]))


def _leaves(connection: DuckDBPyConnection, units: Sequence[str], starts: Mapping[str, Start | None]) -> list[_Leaf]:
    """In ascending order: first the one without a beginning, when there is one."""
    lowest = tuple(unit for unit in units if starts[unit] is None)
    begun = [(unit, start) for unit in units if (start := starts[unit]) is not None]
    found: dict[tuple[int, bool], tuple[Start, list[str]]] = {}
    if begun:
        ranks = dict(connection.execute(q.ranks([start.literal for _, start in begun])).fetchall())
        for number, (unit, start) in enumerate(begun):
            # Of two that begin at one value, the one that includes it begins first.
            found.setdefault((ranks[number], start.operator == ">"), (start, []))[1].append(unit)
    ordered = [_Leaf(start, tuple(same)) for _, (start, same) in sorted(found.items(), key=lambda item: item[0])]
    return [_Leaf(None, lowest), *ordered] if lowest else ordered


def _parts(leaves: Sequence[_Leaf]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of leaves, each of as many units as a statement takes, or of one leaf."""
    first, held = 0, 0
    for place, leaf in enumerate(leaves):
        if place > first and held + len(leaf.units) > UNITS_PER_STATEMENT:
            yield first, place
            first, held = place, 0
        held += len(leaf.units)
    if held:
        yield first, len(leaves)


def _halved(conditions: Mapping[str, str], leaves: Sequence[_Leaf], end: Start | None) -> Share:
    """`end` is the beginning of what comes after these leaves."""
    units = tuple(unit for leaf in leaves for unit in leaf.units)
    if len(units) == 1:
        return _one_by_one(conditions, units)
    numbers = {unit: number for number, unit in enumerate(units)}

    def number(some: Sequence[_Leaf]) -> str:
        half = len(some) // 2
        start = some[half].start
        if half == 0 or start is None:
            return q.first_met([(conditions[unit], numbers[unit]) for leaf in some for unit in leaf.units])
        return q.either(start.reached, number(some[half:]), number(some[:half]))

    first = leaves[0].start
    within = [first.reached] if first is not None else []
    if end is not None:  # NULL rows lie before every beginning
        within.append(end.not_reached if first is not None else q.any_of([end.not_reached, q.is_null(end.column)]))
    return Share(units, q.all_of(within) if within else q.EVERYTHING, number(leaves))

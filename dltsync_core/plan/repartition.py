"""After SPLIT and MERGE: which slots, never loaded yet, hold the rows of committed units that are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.ranges import Boundary, PartitionRange, parse_key


@dataclass(frozen=True)
class RepartitionGroup:
    """`removed` committed units and their `replacements`: the slots that take over their rows.

    Both in a stable order, neither empty. Loading all replacements covers every value that only the removed units covered.
    """

    removed: tuple[str, ...]
    replacements: tuple[str, ...]


def repartition_groups(
    partitioning: PartitioningFacts, committed: Collection[str], strangers: Sequence[str] = ()
) -> list[RepartitionGroup]:
    """Every removed unit in exactly one group, and no slot in two.

    `committed` are the units the ledger holds as partitions; `strangers` are units of another kind (the table was loaded
    whole before), whose rows may lie anywhere, as those of a key may that cannot be read. No values are compared: a vanished
    unit's place is found along boundaries that it shares with today's slots, directly or through other removed units. Where
    that chain is broken, or the side of the function changed, its place is taken as everything up to the end: too much is
    loaded rather than too little. Replacements are the slots without a commit of their own; a ledger that has none in a vanished
    unit's place contradicts itself, and then every slot of that place is a replacement.
    """
    slots = [slot.range for slot in partitioning.slots]
    current = {slot.key for slot in slots}
    fresh = [slot.key not in committed for slot in slots]
    gone_keys = sorted(set(committed) - current)
    removed = {key: gone for key in gone_keys if (gone := _range_of(key)) is not None}
    anywhere = [key for key in gone_keys if key not in removed]
    places = {key: _place(gone, removed.values(), slots) for key, gone in removed.items()}
    places.update({key: (0, len(slots) - 1) for key in (*strangers, *anywhere)})
    return _merged(places, [slot.key for slot in slots], fresh)


def _range_of(key: str) -> PartitionRange | None:
    """None for a key that is spelt in no way we know: its rows may lie anywhere."""
    try:
        return parse_key(key)
    except ValueError:
        return None


def _place(
    gone: PartitionRange, removed: Collection[PartitionRange], slots: Sequence[PartitionRange]
) -> tuple[int, int]:
    """First and last index of the slots that `gone` touches (at most too many)."""
    if gone.side != slots[0].side:
        return 0, len(slots) - 1
    starts = {slot.lower: index for index, slot in enumerate(slots)}
    ends = {slot.upper: index for index, slot in enumerate(slots)}
    first = _walk(gone.lower, {v.upper: v.lower for v in removed if v.side == gone.side}, starts)
    last = _walk(gone.upper, {v.lower: v.upper for v in removed if v.side == gone.side}, ends)
    return (0 if first is None else first), (len(slots) - 1 if last is None else last)


def _walk(
    end: Boundary | None, onward: dict[Boundary | None, Boundary | None], known: dict[Boundary | None, int]
) -> int | None:
    """The index where `end`, or the nearest end reachable from it over removed units, meets today's boundaries."""
    seen = set()
    while end not in known:
        if end in seen or end not in onward:
            return None
        seen.add(end)
        end = onward[end]
    return known[end]


def _merged(places: dict[str, tuple[int, int]], keys: Sequence[str], fresh: Sequence[bool]) -> list[RepartitionGroup]:
    """Places that share a replacement become one group."""
    groups: list[tuple[set[str], set[int]]] = []
    for unit, (low, high) in places.items():
        touched = range(low, high + 1)
        replacements = {index for index in touched if fresh[index]} or set(touched)
        related = [group for group in groups if group[1] & replacements]
        groups = [group for group in groups if group not in related]
        groups.append(({unit}.union(*(g[0] for g in related)), replacements.union(*(g[1] for g in related))))
    groups.sort(key=lambda group: min(group[1]))
    return [
        RepartitionGroup(tuple(sorted(units)), tuple(keys[i] for i in sorted(replacements)))
        for units, replacements in groups
    ]

"""After SPLIT and MERGE: which slots, never loaded yet, hold the rows of committed units that are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.ranges import Boundary, PartitionRange, parse_key


@dataclass(frozen=True)
class Family:
    """`vanished` committed units and their `heirs`: the slots that take over their rows.

    Both in a stable order, neither empty. Loading all heirs covers every value that only the vanished units covered.
    """

    vanished: tuple[str, ...]
    heirs: tuple[str, ...]


def families(
    partitioning: PartitioningFacts, committed: Collection[str], strangers: Sequence[str] = ()
) -> list[Family]:
    """Every vanished unit in exactly one family, and no slot in two.

    `committed` are the units the ledger holds as partitions; `strangers` are units of another kind (the table was loaded
    whole before), whose rows may lie anywhere, as those of a key may that cannot be read. No values are compared: a vanished
    unit's place is found along boundaries that it shares with today's slots, directly or through other vanished units. Where
    that chain is broken, or the side of the function changed, its place is taken as everything up to the end: too much is
    loaded rather than too little. Heirs are the slots without a commit of their own; a ledger that has none in a vanished
    unit's place contradicts itself, and then every slot of that place is an heir.
    """
    slots = [slot.range for slot in partitioning.slots]
    current = {slot.key for slot in slots}
    fresh = [slot.key not in committed for slot in slots]
    gone_keys = sorted(set(committed) - current)
    vanished = {key: gone for key in gone_keys if (gone := _range_of(key)) is not None}
    anywhere = [key for key in gone_keys if key not in vanished]
    places = {key: _place(gone, vanished.values(), slots) for key, gone in vanished.items()}
    places.update({key: (0, len(slots) - 1) for key in (*strangers, *anywhere)})
    return _merged(places, [slot.key for slot in slots], fresh)


def _range_of(key: str) -> PartitionRange | None:
    """None for a key that is spelt in no way we know: its rows may lie anywhere."""
    try:
        return parse_key(key)
    except ValueError:
        return None


def _place(
    gone: PartitionRange, vanished: Collection[PartitionRange], slots: Sequence[PartitionRange]
) -> tuple[int, int]:
    """First and last index of the slots that `gone` touches (at most too many)."""
    if gone.side != slots[0].side:
        return 0, len(slots) - 1
    starts = {slot.lower: index for index, slot in enumerate(slots)}
    ends = {slot.upper: index for index, slot in enumerate(slots)}
    first = _walk(gone.lower, {v.upper: v.lower for v in vanished if v.side == gone.side}, starts)
    last = _walk(gone.upper, {v.lower: v.upper for v in vanished if v.side == gone.side}, ends)
    return (0 if first is None else first), (len(slots) - 1 if last is None else last)


def _walk(
    end: Boundary | None, onward: dict[Boundary | None, Boundary | None], known: dict[Boundary | None, int]
) -> int | None:
    """The index where `end`, or the nearest end reachable from it over vanished units, meets today's boundaries."""
    seen = set()
    while end not in known:
        if end in seen or end not in onward:
            return None
        seen.add(end)
        end = onward[end]
    return known[end]


def _merged(places: dict[str, tuple[int, int]], keys: Sequence[str], fresh: Sequence[bool]) -> list[Family]:
    """Places that share an heir become one family."""
    groups: list[tuple[set[str], set[int]]] = []
    for unit, (low, high) in places.items():
        touched = range(low, high + 1)
        heirs = {index for index in touched if fresh[index]} or set(touched)
        related = [group for group in groups if group[1] & heirs]
        groups = [group for group in groups if group not in related]
        groups.append(({unit}.union(*(g[0] for g in related)), heirs.union(*(g[1] for g in related))))
    groups.sort(key=lambda group: min(group[1]))
    return [Family(tuple(sorted(units)), tuple(keys[i] for i in sorted(heirs))) for units, heirs in groups]

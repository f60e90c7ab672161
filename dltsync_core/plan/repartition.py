"""After SPLIT and MERGE: which slots, never loaded yet, hold the rows of committed units that are gone.

In a table with a retention (`plan.retention`) the lake keeps a removed unit whose rows could only be in partitions before the
window, as it keeps those partitions. One that reached into the window is taken over whole, also by its parts before the window:
its files are replaced, and without those parts the lake would lose their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.ranges import Boundary, PartitionRange, are_apart, parse_key


@dataclass(frozen=True)
class RepartitionGroup:
    """`removed` committed units and their `replacements`: the slots that take over their rows.

    Both in a stable order, neither empty. Loading all replacements covers every value that only the removed units covered.
    """

    removed: tuple[str, ...]
    replacements: tuple[str, ...]


def repartition_groups(
    partitioning: PartitioningFacts,
    committed: Collection[str],
    strangers: Sequence[str] = (),
    *,
    published: Collection[str] = (),
) -> list[RepartitionGroup]:
    """Every removed unit in exactly one group, and no slot in two; no group where all rows are before the window.

    `committed` are the units the ledger holds as partitions; `strangers` are units of another kind (the table was loaded
    whole before), whose rows may lie anywhere, as those of a key may that cannot be read. No values are compared: a vanished
    unit's place is found along boundaries that it shares with today's slots, directly or through other removed units. Where
    that chain is broken, or the side of the function changed, its place is taken as everything up to the end: too much is
    loaded rather than too little. Replacements are the slots without a commit of their own; a ledger that has none in a vanished
    unit's place contradicts itself, and then every slot of that place is a replacement.

    With a retention a broken chain is no rarity, because partitions before the window may never have been loaded. Slots that
    are certain to hold none of a unit's values are left out of its place then (`ranges.are_apart`). `published` are slots before
    the window that the lake has and the ledger does not know: a run was killed before their commit, and the group is formed
    although the window may have passed it since, or the lake would show the rows twice.
    """
    slots = [slot.range for slot in partitioning.all_slots]
    current = {slot.key for slot in slots}
    fresh = [slot.key not in committed for slot in slots]
    gone_keys = sorted(set(committed) - current)
    removed = {key: gone for key in gone_keys if (gone := _range_of(key)) is not None}
    anywhere = [key for key in gone_keys if key not in removed]
    beyond = {slot.range.key for slot in partitioning.before_window}
    places = _places(removed, slots)
    if beyond:
        type_name = partitioning.column.type_name
        places = {key: _without_apart(place, removed[key], slots, type_name) for key, place in places.items()}
    places.update({key: range(len(slots)) for key in (*strangers, *anywhere)})
    groups = _merged(places, [slot.key for slot in slots], fresh)
    within = {index for index, slot in enumerate(slots) if slot.key not in beyond}
    begun = {*partitioning.taking_over, *published}
    return [
        group
        for group in groups
        if begun.intersection(group.replacements) or any(within.intersection(places[unit]) for unit in group.removed)
    ]


def _range_of(key: str) -> PartitionRange | None:
    """None for a key that is spelt in no way we know: its rows may lie anywhere."""
    try:
        return parse_key(key)
    except ValueError:
        return None


def _places(removed: Mapping[str, PartitionRange], slots: Sequence[PartitionRange]) -> dict[str, Sequence[int]]:
    """Indexes of the slots that each removed unit touches (at most too many)."""
    side = slots[0].side
    starts = {slot.lower: index for index, slot in enumerate(slots)}
    ends = {slot.upper: index for index, slot in enumerate(slots)}
    downward = {gone.upper: gone.lower for gone in removed.values() if gone.side == side}
    upward = {gone.lower: gone.upper for gone in removed.values() if gone.side == side}
    places: dict[str, Sequence[int]] = {}
    for key, gone in removed.items():
        first = last = None
        if gone.side == side:
            first, last = _walk(gone.lower, downward, starts), _walk(gone.upper, upward, ends)
        places[key] = range(0 if first is None else first, len(slots) if last is None else last + 1)
    return places


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


def _without_apart(
    place: Sequence[int], gone: PartitionRange, slots: Sequence[PartitionRange], type_name: str
) -> Sequence[int]:
    if gone.side != slots[0].side:  # all of them together are taken over by all slots, whichever each touches
        return place
    return [index for index in place if not are_apart(slots[index], gone, type_name)] or place


def _merged(places: Mapping[str, Sequence[int]], keys: Sequence[str], fresh: Sequence[bool]) -> list[RepartitionGroup]:
    """Places that share a replacement become one group."""
    groups: list[tuple[set[str], set[int]]] = []
    for unit, touched in places.items():
        replacements = {index for index in touched if fresh[index]} or set(touched)
        related = [group for group in groups if group[1] & replacements]
        groups = [group for group in groups if group not in related]
        groups.append(({unit}.union(*(g[0] for g in related)), replacements.union(*(g[1] for g in related))))
    groups.sort(key=lambda group: min(group[1]))
    return [
        RepartitionGroup(tuple(sorted(units)), tuple(keys[i] for i in sorted(replacements)))
        for units, replacements in groups
    ]

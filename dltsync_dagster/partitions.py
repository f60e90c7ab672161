"""Which partitions Dagster's list lacks or has too many, and ranges of them. Pure.

Dagster keeps dynamic partitions in the order they were added, and a ranged run walks that order. Nothing of dltsync depends on
it: new partitions are added at the end, those that vanished are deleted one by one, and ranges are formed so that Dagster's order
gives exactly the chosen partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

KEYS_PER_REQUEST = 10_000
"""One statement of the instance's database takes at most 65,535 parameters on PostgreSQL."""


@dataclass(frozen=True)
class PartitionChanges:
    """What to add to Dagster's list, in boundary order, and what to delete from it."""

    add: tuple[str, ...]
    delete: tuple[str, ...]


def partition_changes(stored: Sequence[str], live: Sequence[str]) -> PartitionChanges:
    """How to make the stored list hold the live partitions and no others, in whatever order."""
    known, current = set(stored), set(live)
    return PartitionChanges(
        add=tuple(key for key in live if key not in known), delete=tuple(key for key in stored if key not in current)
    )


T = TypeVar("T")


def portions(keys: Sequence[T], size: int = KEYS_PER_REQUEST) -> list[Sequence[T]]:
    """Keys, or other items, in pieces that fit one request."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def ranges(live: Sequence[str], stored: Sequence[str], chosen: Iterable[str], *, size: int) -> list[tuple[str, ...]]:
    """The chosen partitions in groups of at most `size`, each of which can be one ranged run: neighbours in the stored order.
    `live` is the boundary order: the groups go by the first boundary in them.

    Partitions that are not in both lists are left out.
    """
    boundary = {key: n for n, key in enumerate(live)}
    wanted = boundary.keys() & set(chosen)
    groups: list[list[str]] = []
    previous_taken = False
    for key in stored:
        if key in wanted:
            if previous_taken and len(groups[-1]) < size:
                groups[-1].append(key)
            else:
                groups.append([key])
        previous_taken = key in wanted
    return sorted((tuple(group) for group in groups), key=lambda group: min(boundary[key] for key in group))

"""Aligns Dagster's partitions with the server's, and forms ranges of them. Pure.

Dagster keeps dynamic partitions in the order they were added, and a ranged run walks that order. After a SPLIT the new keys
would stand at the end, and a range over them would be empty: such a run succeeds without any work. So the list is rewritten
from the first key that is out of order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

KEYS_PER_REQUEST = 10_000
"""One statement of the instance's database takes at most 65,535 parameters on PostgreSQL."""


@dataclass(frozen=True)
class Reconciliation:
    """What to delete from and then add to Dagster's list. `appeared` and `vanished` are the changes for users."""

    delete: tuple[str, ...]
    add: tuple[str, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def appends_only(self) -> bool:
        """Nothing is deleted: safe while runs of the table are active."""
        return not self.delete


def reconcile(stored: Sequence[str], live: Sequence[str]) -> Reconciliation:
    """How to make the stored list equal to the live one, order included."""
    known, current = set(stored), set(live)
    appeared = tuple(key for key in live if key not in known)
    vanished = tuple(key for key in stored if key not in current)
    kept = [key for key in stored if key in current]
    right = next((n for n, (have, want) in enumerate(zip(kept, live, strict=False)) if have != want), len(kept))
    displaced = set(kept[right:])
    delete = tuple(key for key in stored if key not in current or key in displaced)
    return Reconciliation(delete=delete, add=tuple(live[right:]), appeared=appeared, vanished=vanished)


T = TypeVar("T")


def portions(keys: Sequence[T], size: int = KEYS_PER_REQUEST) -> list[Sequence[T]]:
    """Keys, or other items, in pieces that fit one request."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def contiguous_groups(order: Sequence[str], chosen: Iterable[str], *, size: int) -> list[tuple[str, ...]]:
    """The chosen keys as runs of neighbours in `order`, at most `size` long: each can be one ranged run.

    Keys that are not in `order` are left out.
    """
    wanted = set(chosen)
    groups: list[list[str]] = []
    previous_taken = False
    for key in order:
        if key in wanted:
            if previous_taken and len(groups[-1]) < size:
                groups[-1].append(key)
            else:
                groups.append([key])
        previous_taken = key in wanted
    return [tuple(group) for group in groups]

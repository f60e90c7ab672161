"""Versions of history as values, and the door through which a warehouse shows and changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dltsync_core.history.repair import RepairPlan


@dataclass(frozen=True)
class VersionColumns:
    """Which columns of a table make its history."""

    business_keys: tuple[str, ...]
    effective_date: str
    end_date: str
    is_latest: str


class VersionStore(Protocol):
    """A warehouse that holds versions."""

    def revise_versions(
        self,
        target: tuple[str, str],
        columns: VersionColumns,
        decide: Callable[[Sequence[object]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Read, decide and (when `apply`) change, in one transaction."""

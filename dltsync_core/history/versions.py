"""Versions of history as values, and the door through which a warehouse shows and changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dltsync_core.history.repair import RepairPlan

_SECOND = 1_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class VersionColumns:
    """Which columns of a table make its history."""

    business_keys: tuple[str, ...]
    effective_date: str
    end_date: str
    is_latest: str


@dataclass(frozen=True)
class Version:
    """One row of history, valid in [valid_from, valid_to).

    Moments are nanoseconds since 1970, UTC, exact whatever the column's type. `valid_to` None means open: whatever a table
    writes there (NULL, 9999-12-31) and whether its ends belong to the version is the store's knowledge. `row` is the store's
    handle, good within one transaction. `key` is for people; rows are told apart by `row`, keys by the store.
    """

    row: int
    key: tuple[str | None, ...]
    valid_from: int
    valid_to: int | None
    is_latest: bool


class VersionStore(Protocol):
    """A warehouse that holds versions."""

    def revise_versions(
        self,
        target: tuple[str, str],
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Show `decide` all versions of every key that may break a rule (grouped by key, ordered by valid_from), and change
        what it plans when `apply`. All in one transaction. The plan that was (or would be) carried out, with the store's
        notes."""


def moment_text(moment: int | None) -> str | None:
    """A moment for people: ISO with as many digits as it needs. None stays None (open)."""
    if moment is None:
        return None
    seconds, nanos = divmod(moment, _SECOND)
    days, seconds = divmod(seconds, 86_400)
    text = f"{date.fromordinal(days + _EPOCH).isoformat()} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    digits = f"{nanos:09d}".rstrip("0")
    return f"{text}.{digits}" if digits else text

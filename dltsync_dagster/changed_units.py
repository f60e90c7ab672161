"""The units that a sensor requests: those whose probe differs from the committed one. Pure.

The comparison is with the core's ledger, not with a cursor: a sensor that was off, or whose cursor was lost, misses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from dltsync_core.committed import CommittedUnit, Probe
from dltsync_core.config import StaticTableConfig, TableConfig
from dltsync_core.identity import digest_of, joined
from dltsync_core.plan.evidence import why_changed

T = TypeVar("T")

FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=6)
"""Between attempts at the same version after failures: doubled from the first to the longest."""


@dataclass(frozen=True)
class Change:
    """One unit to load. `version` is the same as long as source and committed state are, and only then."""

    unit: str
    reason: str
    version: str


def changes_of(
    table: TableConfig, probes: Mapping[str, Probe], committed_units: Mapping[str, CommittedUnit], now: datetime
) -> list[Change]:
    """The units to load, in the order of the probes."""
    found = []
    for unit, probe in probes.items():
        committed_unit = committed_units.get(unit)
        reason = _why(table, committed_unit, probe, now)
        if reason is not None:
            found.append(Change(unit, reason, _version(table, unit, probe, committed_unit)))
    return found


def _why(table: TableConfig, committed_unit: CommittedUnit | None, probe: Probe, now: datetime) -> str | None:
    if committed_unit is None:
        return "never loaded before"
    reason = why_changed(committed_unit.probe, probe)
    if reason is not None:
        return reason
    limit = table.force_reload_after if isinstance(table, StaticTableConfig) else None
    if limit is not None and now - committed_unit.committed_at >= limit:
        return f"unchanged, but older than {limit}"
    return None


def _version(table: TableConfig, unit: str, probe: Probe, committed_unit: CommittedUnit | None) -> str:
    # The load it follows is part of it: a table that changes and changes back is requested twice.
    after = committed_unit.load_id if committed_unit is not None else ""
    parts = (str(table.name), unit, probe.method, str(probe.rows), probe.signature, probe.watermark_high or "", after)
    return _digest(parts)


def group_version(changes: Sequence[Change], scope: str) -> str:
    """The version of changes that one run loads, different for another `scope` (`Location.scope`): the instance counts failures
    by it, in all locations."""
    return _digest([scope, *(change.version for change in changes)])


def group_reason(changes: Sequence[Change]) -> str:
    """The reason of the run: the changes' reason when it is the same for all, else the first one."""
    reasons = {change.reason for change in changes}
    first = changes[0].reason
    return first if len(reasons) == 1 else f"{first}; {len(changes) - 1} more partitions changed"


def fair_shares(wanted: Sequence[Sequence[T]], limit: int) -> list[Sequence[T]]:
    """At most `limit` of them, the first ones of each: one of every table in turn, so that a table with many changes leaves
    room for the others."""
    taken = [0] * len(wanted)
    left = limit
    while left > 0 and any(count < len(of_one) for count, of_one in zip(taken, wanted, strict=True)):
        for n, of_one in enumerate(wanted):
            if left > 0 and taken[n] < len(of_one):
                taken[n] += 1
                left -= 1
    return [of_one[:count] for count, of_one in zip(taken, wanted, strict=True)]


def _digest(parts: Sequence[str]) -> str:
    return digest_of(joined(*parts))[:20]


def pause_after(failures: int) -> timedelta:
    """The pause before the next request of a version whose load failed that often."""
    if failures == 0:
        return timedelta(0)
    return min(FIRST_PAUSE * int(2 ** min(failures - 1, 16)), LONGEST_PAUSE)

"""The runs that a sensor requests, and what one of its ticks has to say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

import dagster as dg

from dltsync_core.clock import utc_now
from dltsync_core.config import TableConfig
from dltsync_core.display import number_of
from dltsync_core.errors import SyncError
from dltsync_dagster.changed_units import Change, fair_shares, group_reason, group_version, pause_after
from dltsync_dagster.checks import checks_with_load
from dltsync_dagster.location import Location
from dltsync_dagster.reconciliation import InLedger, RunlessEvent
from dltsync_dagster.run_history import PIPELINE_TAG, VERSION_TAG, failed_attempts

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

_NAMED = 5
"""Tables that a tick names in one sentence; of more it gives the number."""


@dataclass(frozen=True)
class RunsOfTable:
    """The runs that one table needs, and the observations that are recorded with them."""

    table: TableConfig
    runs: Sequence[dg.RunRequest]
    observed: Sequence[dg.AssetObservation] = ()


@dataclass(frozen=True)
class AskedRuns:
    """The runs for the changes of one table, and the reasons why others are not requested now. `again_at`: when a load that
    failed is requested again, in seconds since 1970."""

    runs: Sequence[dg.RunRequest]
    reasons: Sequence[str]
    again_at: float | None


@dataclass
class TickFindings:
    """The result of one tick, over all tables."""

    runs_by_table: list[RunsOfTable] = field(default_factory=list)
    events: list[RunlessEvent] = field(default_factory=list)
    ledgers: list[InLedger] = field(default_factory=list)
    """What the ledger has of the tables that no run loads."""
    unchanged: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """Tables whose last probe failed and that are not due yet."""
    waiting: int = 0
    """Tables that are not due yet."""
    next_due: int | None = None
    notes: list[str] = field(default_factory=list)
    """Further sentences, each about a table."""
    problems: list[str] = field(default_factory=list)
    permanent: bool = False
    """Whether one of the problems is not transient."""

    def add_problem(self, table: TableConfig, error: SyncError) -> None:
        """A table that could not be probed."""
        self.problems.append(f"{table.name}: {error}")
        self.permanent = self.permanent or not error.is_transient

    def add_outage(self, error: SyncError) -> None:
        """What concerns all tables: the server does not answer, or the ledger."""
        self.problems = [*(p for p in self.problems if str(error) not in p), str(error)]
        self.permanent = self.permanent or not error.is_transient

    def left_out(self, limit: int) -> list[RunsOfTable]:
        """The tables of which `limit` runs are not all."""
        shares = self._shares(limit)
        return [runs for runs, share in zip(self.runs_by_table, shares, strict=True) if len(share) < len(runs.runs)]

    def result(self, limit: int, cursor: str) -> dg.SensorResult:
        """For Dagster; with a reason when there is nothing to run. Of more than `limit` runs every table gets its share. Raises
        Failure, so that the tick turns red, when the only result is a permanent problem."""
        shares = self._shares(limit)
        runs = [run for share in shares for run in share]
        observed = [
            event for one, share in zip(self.runs_by_table, shares, strict=True) if share for event in one.observed
        ]
        events = [*self.events, *observed]
        if runs or events:
            return dg.SensorResult(run_requests=runs, asset_events=events, cursor=cursor)
        if self.permanent:
            raise dg.Failure(description="\n".join(self.problems))
        return dg.SensorResult(skip_reason="; ".join(self._sentences()) or "no tables", cursor=cursor)

    def _shares(self, limit: int) -> list[Sequence[dg.RunRequest]]:
        return fair_shares([table.runs for table in self.runs_by_table], limit)

    def _sentences(self) -> list[str]:
        named = {
            "unchanged": self.unchanged,
            "a run already loads": self.running,
            "no time left in this tick for": self.not_reached,
            "probed again later, after a failure": self.failing,
        }
        found = [*self.problems, *self.notes, *(f"{what}: {_list(tables)}" for what, tables in named.items() if tables)]
        if self.waiting and self.next_due is not None:
            at = datetime.fromtimestamp(self.next_due, tz=timezone.utc)
            found.append(
                f"{number_of(self.waiting, 'table is', 'tables are')} not due before {at:%Y-%m-%d %H:%M:%S} UTC"
            )
        return found


def _list(tables: Sequence[str]) -> str:
    more = len(tables) - _NAMED
    return ", ".join(tables[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def runs_of(
    location: Location,
    instance: dg.DagsterInstance,
    table: TableConfig,
    groups: Sequence[Sequence[str]],
    changed: Sequence[Change],
) -> AskedRuns:
    """The runs for changed units, as many as one tick may request."""
    by_unit = {change.unit: change for change in changed}
    runs: list[dg.RunRequest] = []
    reasons: list[str] = []
    pauses: list[float] = []
    for group in groups:
        if len(runs) >= location.settings.requests_per_tick:
            break  # the rest follows at the next tick
        changes = [by_unit[unit] for unit in group]
        version = group_version(changes, location.scope)
        attempts = failed_attempts(instance, version)
        if attempts.last_end is not None:
            again_at = attempts.last_end + pause_after(attempts.failures)
            if utc_now() < again_at:
                reasons.append(
                    f"{table.name}: failed {number_of(attempts.failures, 'time')}; requested again after "
                    f"{again_at:%Y-%m-%d %H:%M:%S} UTC"
                )
                pauses.append(again_at.timestamp())
                continue
        runs.append(_request(location, table, changes, version, attempts.failures))
    return AskedRuns(runs, reasons, min(pauses, default=None))


def _request(
    location: Location, table: TableConfig, changes: Sequence[Change], version: str, failures: int
) -> dg.RunRequest:
    """One run for units that are neighbours in Dagster's order."""
    tags = {
        PIPELINE_TAG: location.config.pipeline_name,
        VERSION_TAG: version,
        "dltsync/table": str(table.name),
        "dltsync/reason": group_reason(changes),
    }
    first, last = changes[0].unit, changes[-1].unit
    if len(changes) > 1:
        tags |= {RANGE_START: first, RANGE_END: last}
    return dg.RunRequest(
        run_key=f"{version}#{failures}",
        asset_selection=[location.asset_key(table)],
        asset_check_keys=checks_with_load(location, table),
        partition_key=first if table.kind == "partition" and len(changes) == 1 else None,
        tags=tags,
        run_config={"ops": {location.op_name("sync", table): {"config": {"only_if_changed": True}}}},
    )

"""Queries to the instance's run history: tables that are being loaded now, and unsuccessful runs for a version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from dltsync_dagster.location import Location

VERSION_TAG = "dltsync/version"
"""Tag of every run that a sensor requests: the version of the source."""
PIPELINE_TAG = "dltsync/pipeline"
"""Tag of every run of dltsync's jobs, and of every run that a sensor requests: its pipeline."""
EVERYTHING_JOB = "sync_everything"

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_UNSUCCESSFUL = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tables_in_runs(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], location: Location, *, besides: str | None = None
) -> set[dg.AssetKey]:
    """The assets of a pipeline that a queued or running run loads; `besides` is the id of a run that does not count."""
    wanted, busy = set(keys), set[dg.AssetKey]()
    for run in instance.get_runs(dg.RunsFilter(statuses=_ACTIVE)):
        if run.run_id == besides:
            continue
        if run.job_name == location.named(EVERYTHING_JOB):
            return wanted
        busy |= wanted & _going_to_load(instance, run)
    return busy


def _going_to_load(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[dg.AssetKey]:
    """The assets of a run. A run of a user's job over assets has no selection: its planned events name the assets."""
    if run.asset_selection is not None:
        return set(run.asset_selection)
    planned = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    events = [entry.dagster_event for entry in planned if entry.dagster_event is not None]
    return {event.asset_materialization_planned_data.asset_key for event in events}


@dataclass(frozen=True)
class Attempts:
    """Runs for one version that ended without success, and the end of the last one."""

    failures: int
    last_end: datetime | None


def failed_attempts(instance: dg.DagsterInstance, version: str) -> Attempts:
    """The unsuccessful runs for a version."""
    records = instance.get_run_records(dg.RunsFilter(tags={VERSION_TAG: version}, statuses=_UNSUCCESSFUL))
    ends = [record.end_time for record in records if record.end_time is not None]
    last = datetime.fromtimestamp(max(ends), tz=timezone.utc) if ends else None
    return Attempts(len(records), last)

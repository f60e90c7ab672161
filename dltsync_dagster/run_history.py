"""What the instance remembers of runs: which tables are being loaded now, and how often a version was tried in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

VERSION_TAG = "dltsync/version"
"""On every run a sensor asks for: the version of the source it was asked for."""
PIPELINE_TAG = "dltsync/pipeline"
"""On every run of the job for everything: whose everything it is. Other code locations on the instance may have that job, too."""
EVERYTHING_JOB = "sync_everything"

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_IN_VAIN = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tables_under_way(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], pipeline: str) -> set[dg.AssetKey]:
    """Those of the assets of a pipeline that a queued or running run is going to load."""
    wanted, busy = set(keys), set[dg.AssetKey]()
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if run.job_name == EVERYTHING_JOB and run.tags.get(PIPELINE_TAG, pipeline) == pipeline:
            return wanted
        busy |= wanted & _going_to_load(instance, run)
    return busy


def _going_to_load(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[dg.AssetKey]:
    """The assets of a run. One of a job that someone made of assets selects none: what was planned for it says which they are."""
    if run.asset_selection is not None:
        return set(run.asset_selection)
    planned = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    events = [entry.dagster_event for entry in planned if entry.dagster_event is not None]
    return {event.asset_materialization_planned_data.asset_key for event in events}


@dataclass(frozen=True)
class Attempts:
    """Runs for one version that ended without success, and when the last one did."""

    failures: int
    last_end: datetime | None


def attempts_at(instance: dg.DagsterInstance, version: str) -> Attempts:
    """How often a version was tried in vain."""
    records = instance.get_run_records(dg.RunsFilter(tags={VERSION_TAG: version}, statuses=_IN_VAIN))
    ends = [record.end_time for record in records if record.end_time is not None]
    last = datetime.fromtimestamp(max(ends), tz=timezone.utc) if ends else None
    return Attempts(len(records), last)

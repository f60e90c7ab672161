"""What the instance remembers of runs: which tables are being loaded now, and how often a version was tried in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

VERSION_TAG = "dltsync/version"
"""On every run a sensor asks for: the version of the source it was asked for."""
EVERYTHING_JOB = "sync_everything"

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_IN_VAIN = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tables_under_way(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> set[dg.AssetKey]:
    """Those of the assets that a queued or running run is going to load."""
    wanted, busy = set(keys), set[dg.AssetKey]()
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if run.job_name == EVERYTHING_JOB:
            return wanted
        busy |= wanted & set(run.asset_selection or ())
    return busy


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

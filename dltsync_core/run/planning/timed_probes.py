"""Probes of many tables within a given time, for sensors: what does not fit is left for the next time, and no statement goes on
after the time is over.

Small tables are probed together, as plans do it; such a request may take a part of the time only. When it fails or takes longer,
each of its tables is probed alone, after the others, so that the table to blame costs the others one request. There is one
attempt: the next tick is the retry. The first connection is made before anything else, so a server that is down costs one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from dltsync_core.committed import CommittedUnits, Probe
from dltsync_core.config import TableConfig
from dltsync_core.connect.retry import Budget, run_with_retries
from dltsync_core.connect.time_limit import CANCEL_SECONDS, TimeLimit, ended_within
from dltsync_core.errors import ConnectError, StatementTimeout, SyncError
from dltsync_core.identity import TableName
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.probes import TableToProbe, groups_of, probe_in_one_view, probes_by_unit
from dltsync_core.run.planning.resolved import ResolvedTable, read_facts, resolve_table

MOST_WORKERS = 4
"""Connections that probe at the same time: a sensor must not press the server."""
SHARE_OF_A_GROUP = 0.25
"""Of the time, for a request that probes several tables."""
WHOLE_CHANCE = 0.75
"""A table that was cancelled after less than this share of the time had no real chance yet: it counts as not reached."""

_ONCE = Budget(attempts=1, seconds=0)


@dataclass(frozen=True)
class TableProbes:
    """What the source says of one table now. `units` are in catalogue order; `probes` is empty where only they were asked for.
    `seconds` is what the probe took: a share by rows for a table that was probed together with others."""

    units: tuple[str, ...]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class TimedProbes:
    """By the names of the config: the probes of each table, or its error. A table that is missing was not reached. `outage` is
    the error of a server that stopped answering meanwhile."""

    tables: Mapping[TableName, TableProbes | SyncError]
    outage: ConnectError | None = None


@dataclass(frozen=True)
class _Known:
    """A table with everything but its probe."""

    config: TableConfig
    resolved: ResolvedTable
    committed: CommittedUnits

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(self.resolved.units)

    @property
    def to_probe(self) -> TableToProbe:
        return TableToProbe(self.resolved, self.committed)


def probe_within(
    context: RunContext,
    tables: Sequence[TableConfig],
    seconds: float,
    *,
    alone: Collection[TableName] = (),
    units_only: Collection[TableName] = (),
) -> TimedProbes:
    """Probe the tables in this order, as many as fit; those in `alone` by requests of their own. Of `units_only` no more than the
    catalogue is read.

    Raises ConnectError when the server does not answer, StatementTimeout and other errors of the catalogue's queries, and
    StateError. What concerns one table is its result.
    """
    limit = TimeLimit(seconds)
    facts, failed = ended_within(limit, lambda: run_with_retries(partial(read_facts, context, tables), _ONCE))
    found: dict[TableName, TableProbes | SyncError] = dict(failed)
    readable = [table for table in tables if table.name in facts]
    committed = context.ledger.committed_units_of([facts[table.name].name for table in readable])
    work: list[_Known] = []
    for table in readable:
        try:
            resolved = resolve_table(context, table, facts[table.name])
        except SyncError as error:
            found[table.name] = error
            continue
        known = _Known(table, resolved, committed[resolved.name])
        if table.name in units_only:
            found[table.name] = TableProbes(known.units)
        else:
            work.append(known)
    probing = _Probing(context, limit, work, set(alone))
    probing.run()
    return TimedProbes({**found, **probing.found}, probing.outage)


@dataclass(frozen=True)
class _Job:
    """Tables for one request. `blamed`: a request for these and others failed before."""

    tables: tuple[_Known, ...]
    blamed: bool = False


class _Probing:
    """Workers that take jobs in order until the time is over. `found` is complete when `run` returns; what an abandoned thread
    finds later is dropped."""

    def __init__(
        self, context: RunContext, limit: TimeLimit, work: Sequence[_Known], alone: Collection[TableName]
    ) -> None:
        self.found: dict[TableName, TableProbes | SyncError] = {}
        self.outage: ConnectError | None = None
        self._context, self._limit = context, limit
        self._seconds = limit.left
        self._jobs: deque[_Job] = deque(_jobs(work, alone))
        self._changed = threading.Condition()
        self._working = 0
        self._over = False

    def run(self) -> None:
        """Returns when all jobs are done, or the time is over."""
        # As many as there are tables, not jobs: a request that fails leaves its tables behind, each for itself.
        tables = sum(len(job.tables) for job in self._jobs)
        count = min(MOST_WORKERS, self._context.config.processing.max_workers, tables)
        for _ in range(count):
            threading.Thread(target=self._work, name="dltsync-probing", daemon=True).start()
        with self._changed:
            # The limit of each job ends earlier; this one is for what no limit ends.
            self._changed.wait_for(
                lambda: not self._jobs and not self._working, timeout=max(self._limit.left, 0) + 2 * CANCEL_SECONDS
            )
            self._over = True

    def _work(self) -> None:
        while (job := self._take()) is not None:
            outcome: Sequence[TableProbes] | Exception
            allowed = self._allowed(job)
            try:
                outcome = _probed(self._context, job, allowed)
            except Exception as error:  # noqa: BLE001 -- of these tables only
                outcome = error
            with self._changed:
                if not self._over:
                    self._note(job, outcome, allowed)
                self._working -= 1
                self._changed.notify_all()

    def _take(self) -> _Job | None:
        with self._changed:
            # A job that fails may leave its tables behind: whoever has nothing to do waits for that.
            self._changed.wait_for(lambda: bool(self._jobs) or not self._working or self._over)
            if self._over or not self._jobs:
                return None
            if self._limit.left < 1 or self.outage is not None:
                self._jobs.clear()
                self._changed.notify_all()
                return None
            self._working += 1
            return self._jobs.popleft()

    def _allowed(self, job: _Job) -> float:
        share = self._seconds * SHARE_OF_A_GROUP if len(job.tables) > 1 else self._seconds
        return min(self._limit.left, max(share, 1.0))

    def _note(self, job: _Job, outcome: Sequence[TableProbes] | Exception, allowed: float) -> None:
        names = [known.config.name for known in job.tables]
        if not isinstance(outcome, Exception):
            self.found.update(zip(names, outcome, strict=True))
        elif isinstance(outcome, ConnectError):
            self.outage = outcome
            self.found.update(dict.fromkeys(names, outcome))
        elif len(names) > 1:
            why = str(outcome) if isinstance(outcome, SyncError) else type(outcome).__name__
            log.warning("%d tables could not be probed together, so each is probed alone: %s", len(names), why)
            self._jobs.extend(_Job((known,), blamed=True) for known in job.tables)
        elif not isinstance(outcome, SyncError):
            self._context.reporter.unexpected(names[0], outcome, " while probing")
            self.found[names[0]] = SyncError(
                f"{names[0]}: unexpected error while probing: {type(outcome).__name__}",
                remedy="this is a fault of dltsync: report it with the traceback, which is in the log",
            )
        elif not isinstance(outcome, StatementTimeout):
            self.found[names[0]] = outcome
        elif job.blamed or allowed >= self._seconds * WHOLE_CHANCE:
            self.found[names[0]] = _too_slow(allowed)


def _too_slow(allowed: float) -> StatementTimeout:
    return StatementTimeout(
        f"the probe did not end within {allowed:.0f} s and was cancelled at the server",
        remedy="find what it waits for at the server (a lock); when the table is only large, allow more time, or let a schedule "
        "load it",
    )


def _jobs(work: Sequence[_Known], alone: Collection[TableName]) -> list[_Job]:
    """Requests in the order of the tables that come first in them."""
    position = {known.resolved.name: n for n, known in enumerate(work)}
    together = [known for known in work if known.config.name not in alone]
    groups = groups_of([known.to_probe for known in together])
    jobs = [_Job(tuple(work[position[table.resolved.name]] for table in group)) for group in groups]
    jobs += [_Job((known,)) for known in work if known.config.name in alone]
    return sorted(jobs, key=lambda job: position[job.tables[0].resolved.name])


def _probed(context: RunContext, job: _Job, allowed: float) -> list[TableProbes]:
    started = time.monotonic()
    tables = [known.to_probe for known in job.tables]
    probes = ended_within(TimeLimit(allowed), lambda: list(probe_in_one_view(context, tables)))
    seconds = time.monotonic() - started
    weights = [known.resolved.facts.approx_rows + 1 for known in job.tables]
    return [
        TableProbes(known.units, probes_by_unit(known.resolved, found), seconds * weight / sum(weights))
        for known, found, weight in zip(job.tables, probes, weights, strict=True)
    ]

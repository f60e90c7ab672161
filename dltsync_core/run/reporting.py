"""What a run tells of its units: the ledger's record, the events that somebody listens to, and the failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dltsync_core.clock import utc_now
from dltsync_core.errors import SyncError
from dltsync_core.identity import TableName
from dltsync_core.run.context import RunContext, Stopped
from dltsync_core.run.events import Event, Stage
from dltsync_core.run.failures import failure_of, traceback_of
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.result import UnitResult
from dltsync_core.state.records import LoadEvent, LoadStatus

log = logging.getLogger("dltsync.run")


class UnitReporter:
    """Tells of the units of one table."""

    def __init__(self, context: RunContext, table: TableName) -> None:
        self._context = context
        self._table = table

    def event(self, work: UnitWork, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> LoadEvent:
        """A line of the ledger, not written yet."""
        step, run_id = work.step, self._context.run_id
        return LoadEvent(step.table, step.kind, step.unit, work.load_id, run_id, status, utc_now(), rows, detail)

    def record(self, work: UnitWork, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> None:
        """Write a line into the ledger. Raises StateError."""
        self._context.ledger.record(self.event(work, status, rows=rows, detail=detail))

    def say(
        self, stage: Stage, work: UnitWork, *, rows: int | None = None, size: int | None = None, message: str = ""
    ) -> None:
        """Let those who listen know how far a unit is."""
        step = work.step
        self._context.reporter.say(Event(stage, step.table, step.unit, work.load_id, rows, bytes=size, message=message))

    def failed(self, works: Sequence[UnitWork], error: Exception) -> tuple[UnitResult, ...]:
        """Record and tell that units failed, and give their results. Raises nothing."""
        failure = failure_of(error, self._context.config)
        if not isinstance(error, (SyncError, Stopped)):
            log.error("%s: unexpected error\n%s", self._table, traceback_of(error, self._context.config))
        for work in works:
            try:
                self.record(work, LoadStatus.FAILED, detail=f"{failure.type}: {failure.message}")
            except SyncError as second:  # the ledger may be what failed; the first error is the one to report
                log.warning("%s: the failure could not be recorded: %s", self._table, second)
            self.say("failed", work, message=failure.message)
        return tuple(work.result("failed", failure) for work in works)

"""What a run reports: lines of the ledger, events for the caller, and the log. One reporter for a run and its units."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from dltsync_core.clock import utc_now
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import StateError, SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.logging import bound
from dltsync_core.plan.steps import Step
from dltsync_core.run.event_log import EventLog
from dltsync_core.run.events import Event, EventSink, Stage, ignore
from dltsync_core.run.failures import Failure, Stopped, failure_of, traceback_of
from dltsync_core.run.result import Status, UnitResult
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.records import LoadEvent, LoadStatus

log = logging.getLogger("dltsync.run")


class ReportedUnit(Protocol):
    """A unit on its way through a run, as far as it is reported."""

    @property
    def step(self) -> Step:
        """What is done with the unit."""

    @property
    def load_id(self) -> str:
        """Which load it is now."""

    @property
    def lines(self) -> list[LoadEvent]:
        """What is to be written of it with its commit or its failure."""

    def result(self, status: Status, failure: Failure | None = None) -> UnitResult:
        """The outcome as a value."""


class RunReporter:
    """Reports in three places: the ledger (once it is open), the caller's event sink, the log.

    For any number of threads; the sink gets one event at a time. A sink that fails is logged and never stops a load.
    """

    def __init__(self, config: PipelineConfig, sink: EventSink = ignore) -> None:
        self._config = config
        self._sink = sink
        self._ledger: Ledger | None = None
        self._run_id = ""
        self._lock = threading.Lock()
        self._current = threading.local()
        self.log = EventLog()

    def attach(self, ledger: Ledger, run_id: str) -> None:
        """From now on units are recorded in this ledger, as those of this run."""
        self._ledger, self._run_id = ledger, run_id

    # -- events -----------------------------------------------------------------------------------------------------

    def say(self, event: Event) -> None:
        """Log an event and pass it to the caller's sink."""
        with self._lock:
            self.log(event)
            try:
                self._sink(event)
            except Exception:  # a display that breaks must not cost a load that works
                log.exception("the event sink failed on %s of %s %s", event.stage, event.table, event.unit)

    def table(
        self, stage: Stage, table: TableName, message: str = "", *, units: int | None = None, rows: int | None = None
    ) -> None:
        """An event of a table as a whole. `units` and `rows` are those of its plan."""
        self.say(Event(stage, table, WHOLE_TABLE, message=message, units=units, expected_rows=rows))

    def unit(
        self, stage: Stage, work: ReportedUnit, *, rows: int | None = None, size: int | None = None, message: str = ""
    ) -> None:
        """An event of a unit that the ledger does not record."""
        step, committed = work.step, stage == "committed"
        self.say(
            Event(
                stage,
                step.table,
                step.unit,
                work.load_id,
                rows,
                bytes=size,
                message=message,
                result=work.result("committed") if committed else None,
                replaces=step.replaces if committed else (),
            )
        )

    @contextmanager
    def about(self, table: TableName, unit: str, load_id: str | None = None) -> Iterator[None]:
        """Within the block, in this thread, `waiting` and `warning` are events of this unit too."""
        before = getattr(self._current, "subject", None)
        self._current.subject = (table, unit, load_id)
        try:
            with bound(table=str(table), partition=unit if unit != WHOLE_TABLE else None, load_id=load_id):
                yield
        finally:
            self._current.subject = before

    def waiting(self, message: str) -> None:
        """This run waits for what another process holds: the warehouse's file, or a unit's lease."""
        log.info("%s", message)
        self._about_the_subject(message)

    def warning(self, message: str) -> None:
        """Something failed and is tried again."""
        log.warning("%s", message)
        self._about_the_subject(message)

    def retrying(self, stage: Stage, table: TableName, unit: str, load_id: str | None, message: str) -> None:
        """An attempt at a unit failed in a way that can pass."""
        self.say(Event(stage, table, unit, load_id, message=message, retry=True))

    def _about_the_subject(self, message: str) -> None:
        subject = getattr(self._current, "subject", None)
        if subject is not None:
            table, unit, load_id = subject
            self.say(Event("loading", table, unit, load_id, message=message))

    # -- the ledger -------------------------------------------------------------------------------------------------

    def line(self, work: ReportedUnit, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> LoadEvent:
        """A line of the ledger, not written yet."""
        step = work.step
        return LoadEvent(step.table, step.kind, step.unit, work.load_id, self._run_id, status, utc_now(), rows, detail)

    def record(self, work: ReportedUnit, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> None:
        """Write a line into the ledger, after those that wait for it. Raises StateError."""
        if self._ledger is None:
            raise StateError("this run has no ledger to write to")
        self._ledger.record(*work.lines, self.line(work, status, rows=rows, detail=detail))
        work.lines.clear()
        if status is LoadStatus.PLANNED:
            with self._lock:
                self.log(Event("planned", work.step.table, work.step.unit, work.load_id, message=detail))

    def note(self, work: ReportedUnit, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> None:
        """A line of the ledger for later (`ReportedUnit.lines`)."""
        work.lines.append(self.line(work, status, rows=rows, detail=detail))

    def reached(
        self,
        work: ReportedUnit,
        status: LoadStatus,
        *,
        rows: int | None = None,
        size: int | None = None,
        message: str = "",
    ) -> None:
        """A unit reached a stage: an event, and a line of the ledger that only informs. It is written with the next that counts:
        the unit's commit, or its failure."""
        self.note(work, status, rows=rows)
        self.unit(status.value, work, rows=rows, size=size, message=message)

    # -- failures ---------------------------------------------------------------------------------------------------

    def unexpected(self, table: TableName, error: BaseException, doing: str = "") -> None:
        """The traceback of an error that is a defect, for the log. Errors that dltsync can explain need none."""
        if not isinstance(error, (SyncError, Stopped)):
            log.error("%s: unexpected error%s\n%s", table, doing, traceback_of(error, self._config))

    def failed(self, table: TableName, works: Sequence[ReportedUnit], error: Exception) -> tuple[UnitResult, ...]:
        """Record and report that units of a table failed, and give their results. Raises nothing."""
        failure = failure_of(error, self._config)
        self.unexpected(table, error)
        for work in works:
            try:
                self.record(work, LoadStatus.FAILED, detail=f"{failure.type}: {failure.message}")
            except SyncError as second:  # the ledger may be what failed; the first error is the one to report
                log.warning("%s: the failure could not be recorded: %s", table, second)
            self.unit("failed", work, message=failure.message)
        return tuple(work.result("failed", failure) for work in works)

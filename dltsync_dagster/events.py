"""Writes the core's events to the step's log, with lines about loads that take long, and passes them on to be reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from dltsync_core.display import number_of
from dltsync_core.identity import TableName
from dltsync_core.run.events import ENDED, Event, EventSink, Stage, ignore

PROGRESS_SECONDS = 30.0
"""A unit that takes longer gets a line this often."""

_READING: Stage = "extracting"
_BEFORE_THE_LOAD: frozenset[Stage] = frozenset(("planning", "planned"))


class Log(Protocol):
    """The part of Dagster's log that is used."""

    def info(self, msg: object) -> None:
        """A line at level INFO."""
        ...

    def debug(self, msg: object) -> None:
        """A line at level DEBUG."""
        ...

    def warning(self, msg: object) -> None:
        """A line at level WARNING."""
        ...

    def error(self, msg: object) -> None:
        """A line at level ERROR."""
        ...


class StepLog:
    """An event sink for one step (the core sends events one at a time). `then` gets every event after it was logged."""

    def __init__(self, log: Log, then: EventSink = ignore, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._then = log, then
        self._progress = Progress(clock)

    def __call__(self, event: Event) -> None:
        self._progress.note(event)
        line = event.described_as("retried" if event.retry else event.stage)
        if event.stage == "failed":
            self._log.error(line)
        elif event.retry:
            self._log.warning(line)
        elif event.stage in {"extracting", "planning"}:
            self._log.debug(line)
        else:
            self._log.info(line)
        self._then(event)

    @contextmanager
    def reporting_progress(self, every: float = PROGRESS_SECONDS) -> Iterator[None]:
        """Within the block a thread writes a line about each unit that has taken longer than `every` seconds, as often."""
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(every):
                for line in self._progress.lines(at_least=every):
                    self._log.info(line)

        thread = threading.Thread(target=write, name="dltsync-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@dataclass(frozen=True)
class _UnitProgress:
    """One unit on its way. Times are seconds of the clock."""

    began: float
    stage: Stage
    stage_began: float
    rows: int
    first_rows: int
    expected_rows: int | None


class Progress:
    """What is known of the units that are being loaded. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._units: dict[tuple[TableName, str], _UnitProgress] = {}
        self._lock = threading.Lock()

    def note(self, event: Event) -> None:
        """Take an event in."""
        key, now = (event.table, event.unit), self._clock()
        with self._lock:
            if event.stage in ENDED:
                self._units.pop(key, None)
                return
            if event.stage in _BEFORE_THE_LOAD:
                return
            before = self._units.get(key)
            rows = event.rows if event.rows is not None else before.rows if before is not None else 0
            if before is None or (before.stage != _READING and event.stage == _READING):  # or read anew
                self._units[key] = _UnitProgress(now, event.stage, now, rows, rows, event.expected_rows)
                return
            same = before.stage == event.stage
            self._units[key] = replace(
                before,
                stage=event.stage,
                stage_began=before.stage_began if same else now,
                rows=rows,
                expected_rows=event.expected_rows or before.expected_rows,
            )

    def lines(self, at_least: float) -> list[str]:
        """A line about each unit that has been on its way for so many seconds."""
        now = self._clock()
        with self._lock:
            return [
                f"{table} {unit}: {_described(progress, now)}"
                for (table, unit), progress in self._units.items()
                if now - progress.began >= at_least
            ]


def _described(progress: _UnitProgress, now: float) -> str:
    if progress.stage != _READING:
        return f"{progress.stage}, {number_of(progress.rows, 'row')}; in this stage for {_duration(now - progress.stage_began)}"
    rate = (progress.rows - progress.first_rows) / (now - progress.began)
    if progress.expected_rows is None:
        return f"read {number_of(progress.rows, 'row')}, {rate:,.0f} rows/s"
    left = max(progress.expected_rows - progress.rows, 0)
    remaining = f", {_duration(left / rate)} left" if rate > 0 else ""
    return f"read {progress.rows:,} of {number_of(progress.expected_rows, 'row')}, {rate:,.0f} rows/s{remaining}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

"""The events of a run as entries of the log: one for each stage of a unit, and one about the whole run now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from dltsync_core.display import number_of
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.logging import reported
from dltsync_core.run.events import ENDED, Event
from dltsync_core.run.result import RunResult
from dltsync_core.run.totals import RunTotals, Totals

log = logging.getLogger("dltsync.run")

PROGRESS_SECONDS = 30.0
"""How often a run says how far it is. Also when nothing else happens: a log that stands still looks like a run that hangs."""

_LEVELS = {
    "planning": logging.DEBUG,
    "extracting": logging.DEBUG,
    "loading": logging.DEBUG,
    "retried": logging.WARNING,
    "failed": logging.ERROR,
}


class EventLog:
    """Writes events to the log. Call it with one at a time.

    The first rows of a unit are its entry `reading`; further ones are entries `extracting` of level DEBUG. `seconds` is the time
    since the unit's entry before, and in the last one (committed, failed) since its first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._totals = RunTotals(clock)
        self._began: dict[tuple[TableName, str], tuple[float, float]] = {}
        self._read: set[tuple[TableName, str, str | None]] = set()

    def __call__(self, event: Event) -> None:
        """Log an event."""
        self._totals.note(event)
        name = self._name(event)
        level = _LEVELS.get(name, logging.INFO)
        facts = {
            "event": name,
            "table": str(event.table),
            "partition": event.unit if event.unit != WHOLE_TABLE else None,
            "load_id": event.load_id,
            "rows": event.rows,
            "bytes": event.result.bytes_written if event.stage == "committed" and event.result else event.bytes,
            "expected_rows": event.expected_rows,
            "units": event.units,
            "seconds": self._seconds(event),
            "message": event.message or None,
        }
        if log.isEnabledFor(level):
            extra = {"dltsync": facts, **(reported("result") if name == "failed" else {})}
            log.log(level, "%s", event.described_as(name), extra=extra)

    @contextmanager
    def reporting_progress(self, every: float = PROGRESS_SECONDS) -> Iterator[None]:
        """Within the block a thread writes an entry `progress` about the whole run, each `every` seconds."""
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(every):
                totals = self._totals.now()
                log.info("%s", described(totals), extra={"dltsync": _facts_of(totals)})

        thread = threading.Thread(target=copy_context().run, args=(write,), name="dltsync-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def ended(self, result: RunResult) -> None:
        """The entry about the whole run."""
        totals = self._totals.now()
        facts: dict[str, Any] = {
            "event": "run finished",
            "success": result.success,
            "units": len(result.units),
            "committed": sum(unit.status == "committed" for unit in result.units),
            "skipped": sum(unit.status == "skipped" for unit in result.units),
            "failed": len(result.failed),
            "rows": sum(unit.rows_read for unit in result.units),
            "bytes": sum(unit.bytes_written for unit in result.units),
            "seconds": round(result.total_duration_seconds, 3),
        }
        log.info("run finished: %s", described(totals), extra={"dltsync": facts})

    def _name(self, event: Event) -> str:
        if event.retry:
            return "retried"
        if event.units is not None:
            return "table planned"
        key = event.table, event.unit, event.load_id
        if event.stage == "extracting" and key not in self._read:
            self._read.add(key)
            return "reading"
        return event.stage

    def _seconds(self, event: Event) -> float | None:
        key, now = (event.table, event.unit), self._clock()
        began, before = self._began.get(key, (now, now))
        if event.stage in ENDED:
            known = self._began.pop(key, None)
            self._read.discard((event.table, event.unit, event.load_id))
            return round(now - began, 3) if known is not None else None
        if event.stage == "planning":
            return None
        first = key not in self._began
        self._began[key] = began, now
        return None if first else round(now - before, 3)


def described(totals: Totals) -> str:
    """A sentence about a run: `12 of 40 units, 1,200,000 rows, 24,000 rows/s, 1.1 MB/s, 0:01:10 left`."""
    parts = [f"{totals.done:,} of {number_of(totals.units, 'unit')}"]
    if totals.failed:
        parts.append(f"{totals.failed:,} failed")
    if totals.rows:
        parts += [
            number_of(totals.rows, "row"),
            f"{totals.rows_per_second:,.0f} rows/s",
            f"{size_of(totals.bytes_per_second)}/s",
        ]
    if totals.seconds_left:
        parts.append(f"{duration_of(totals.seconds_left)} left")
    return ", ".join(parts)


def size_of(count: float) -> str:
    """A number of bytes as people read it: `980 B`, `1.5 kB`, `12 MB`, powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 9.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def duration_of(seconds: float) -> str:
    """Hours, minutes and seconds: `0:01:10`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _facts_of(totals: Totals) -> dict[str, Any]:
    left = totals.seconds_left
    return {
        "event": "progress",
        "units_done": totals.done,
        "units": totals.units,
        "failed": totals.failed or None,
        "rows": totals.rows,
        "bytes": totals.bytes,
        "rows_per_second": round(totals.rows_per_second),
        "bytes_per_second": round(totals.bytes_per_second),
        "seconds": round(totals.seconds, 3),
        "seconds_left": round(left) if left is not None else None,
    }

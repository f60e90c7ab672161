"""How far a run is, from its events: units, rows, bytes, rates, and the time that is probably left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dltsync_core.identity import TableName
from dltsync_core.run.events import ENDED, Event, Stage

_READ: frozenset[Stage] = frozenset(("extracting", "extracted"))


@dataclass(frozen=True)
class Totals:
    """A run at one moment. `units` grows while tables are planned.

    Rows and bytes are those that were read from the source, bytes as they are in the lake; `seconds` since the first row was
    asked for. `expected_rows` is None where the plan knows no number.
    """

    units: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    rows: int = 0
    bytes: int = 0
    expected_rows: int | None = 0
    seconds: float = 0.0

    @property
    def rows_per_second(self) -> float:
        """0 before anything was read."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """0 before anything was read."""
        return self.bytes / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """By rows where the plan knows how many there are, else by units. None: nothing to go by yet."""
        if self.done >= self.units:
            return 0.0 if self.units else None
        if self.expected_rows and self.rows and self.rows < self.expected_rows:
            return (self.expected_rows - self.rows) / self.rows_per_second if self.rows_per_second else None
        loaded = self.done - self.skipped
        return self.seconds / loaded * (self.units - self.done) if loaded and self.seconds else None


class RunTotals:
    """Adds the events of a run up. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._totals = Totals()
        self._reading: dict[tuple[TableName, str], tuple[int, int]] = {}
        self._planned: set[TableName] = set()
        self._ended: set[tuple[TableName, str]] = set()
        self._began: float | None = None

    def note(self, event: Event) -> None:
        """Take an event in."""
        key = event.table, event.unit
        with self._lock:
            if event.units is not None:
                self._planned.add(event.table)
                self._plan(event.units, event.expected_rows)
            elif event.stage in _READ:
                self._began = self._clock() if self._began is None else self._began
                rows, size = self._reading.get(key, (0, 0))
                self._reading[key] = event.rows or rows, event.bytes or size
            elif event.stage in ENDED and key not in self._ended:
                self._end(key, event.stage)

    def now(self) -> Totals:
        """The totals at this moment, with the rows of units that are being read."""
        with self._lock:
            rows, size = (sum(each[place] for each in self._reading.values()) for place in (0, 1))
            seconds = self._clock() - self._began if self._began is not None else 0.0
            known = self._totals
            return replace(known, rows=known.rows + rows, bytes=known.bytes + size, seconds=seconds)

    def _plan(self, units: int, rows: int | None) -> None:
        known = self._totals
        expected = None if rows is None or known.expected_rows is None else known.expected_rows + rows
        self._totals = replace(known, units=known.units + units, expected_rows=expected)

    def _end(self, key: tuple[TableName, str], stage: Stage) -> None:
        self._ended.add(key)
        rows, size = self._reading.pop(key, (0, 0))
        known = self._totals
        self._totals = replace(
            known,
            units=known.units + (key[0] not in self._planned),  # a table that could not be planned
            done=known.done + 1,
            skipped=known.skipped + (stage == "skipped"),
            failed=known.failed + (stage == "failed"),
            rows=known.rows + rows,
            bytes=known.bytes + size,
        )

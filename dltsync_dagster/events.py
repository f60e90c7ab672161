"""Writes the core's events to the step's log, and records committed units in case the run ends without a result."""

from __future__ import annotations

from typing import Protocol

from dltsync_core.run.events import Event


class Log(Protocol):
    """The part of Dagster's log that is used."""

    def info(self, msg: object) -> None:
        """A line at level INFO."""
        ...

    def debug(self, msg: object) -> None:
        """A line at level DEBUG."""
        ...

    def error(self, msg: object) -> None:
        """A line at level ERROR."""
        ...


class StepLog:
    """An event sink for the run of one table (the core sends events one at a time). `committed` holds units as they commit."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.committed: dict[str, Event] = {}

    def __call__(self, event: Event) -> None:
        if event.stage == "committed":
            self.committed[event.unit] = event
        line = _line(event)
        if event.stage == "failed":
            self._log.error(line)
        elif event.stage in {"extracting", "planning"}:
            self._log.debug(line)
        else:
            self._log.info(line)


def _line(event: Event) -> str:
    rows = "" if event.rows is None else f", {event.rows:,} rows"
    size = "" if event.bytes is None else f", {event.bytes:,} bytes"
    message = f": {event.message}" if event.message else ""
    return f"{event.table} {event.unit} {event.stage}{rows}{size}{message}"

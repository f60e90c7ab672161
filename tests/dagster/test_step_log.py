"""What a step writes about its loads: stages as they happen, and progress of those that take long."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from dltsync_core.identity import TableName
from dltsync_core.run.events import Event, Stage
from dltsync_dagster.events import Progress, StepLog

ORDERS, SHIPMENTS = TableName("sales", "Orders"), TableName("sales", "Shipments")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Lines:
    """A log that keeps its lines by level, and says when there is one of INFO."""

    found: list[tuple[str, str]] = field(default_factory=list)
    informed: threading.Event = field(default_factory=threading.Event)

    def info(self, msg: object) -> None:
        self.found.append(("info", str(msg)))
        self.informed.set()

    def debug(self, msg: object) -> None:
        self.found.append(("debug", str(msg)))

    def warning(self, msg: object) -> None:
        self.found.append(("warning", str(msg)))

    def error(self, msg: object) -> None:
        self.found.append(("error", str(msg)))


def reading(table: TableName, rows: int, expected: int | None = None) -> Event:
    return Event("extracting", table, "all", "load", rows, expected_rows=expected)


def test_a_long_load_shows_rows_rate_and_the_time_that_is_left() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.note(reading(ORDERS, 0, 4_000_000))
    progress.note(reading(SHIPMENTS, 1_000))
    clock.now += 20
    progress.note(reading(ORDERS, 500_000, 4_000_000))
    assert progress.lines(at_least=30) == [], "nothing takes long yet"
    clock.now += 20
    progress.note(reading(ORDERS, 1_000_000, 4_000_000))
    progress.note(reading(SHIPMENTS, 5_000))
    assert progress.lines(at_least=30) == [
        "sales.Orders all: read 1,000,000 of 4,000,000 rows, 25,000 rows/s, 0:02:00 left",
        "sales.Shipments all: read 5,000 rows, 100 rows/s",
    ]


def test_a_load_that_waits_or_is_written_shows_its_stage_and_for_how_long() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.note(reading(ORDERS, 0, 900))
    clock.now += 60
    progress.note(Event("loading", ORDERS, "all", "load", 900))
    clock.now += 45
    progress.note(Event("loading", ORDERS, "all", "load", message="waiting for the warehouse"))
    assert progress.lines(at_least=30) == ["sales.Orders all: loading, 900 rows; in this stage for 0:00:45"]
    progress.note(Event("committed", ORDERS, "all", "load", 900))
    assert progress.lines(at_least=30) == []


def test_rows_that_stand_still_or_are_read_anew_promise_no_end() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.note(reading(ORDERS, 700, 1_000))  # taken over from an attempt that broke off
    clock.now += 30
    assert progress.lines(at_least=30) == ["sales.Orders all: read 700 of 1,000 rows, 0 rows/s"]
    progress.note(Event("loaded", ORDERS, "all", "load", 1_000))
    progress.note(reading(ORDERS, 0, 1_000))
    clock.now += 30
    progress.note(reading(ORDERS, 600, 1_000))
    assert progress.lines(at_least=30) == ["sales.Orders all: read 600 of 1,000 rows, 20 rows/s, 0:00:20 left"]


def test_progress_is_written_at_info_while_the_step_runs() -> None:
    lines, passed = Lines(), list[Stage]()
    log = StepLog(lines, then=lambda event: passed.append(event.stage), clock=Clock())
    log(reading(ORDERS, 10, 100))
    assert lines.found == [("debug", "sales.Orders all extracting, 10 rows")]
    log._progress._clock.now += 60  # type: ignore[attr-defined]
    with log.reporting_progress(every=0.01):
        assert lines.informed.wait(30)
    assert ("info", "sales.Orders all: read 10 of 100 rows, 0 rows/s") in lines.found
    log(Event("failed", ORDERS, "all", message="no"))
    assert lines.found[-1][0] == "error"
    assert passed == ["extracting", "failed"]
    log(Event("extracting", ORDERS, "all", message="attempt 1 failed", retry=True))
    assert lines.found[-1] == ("warning", "sales.Orders all retried: attempt 1 failed")

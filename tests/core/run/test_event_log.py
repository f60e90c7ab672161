"""The log of a run: an entry for each stage of each unit, with its facts, in the file of the config; and how far the run is."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from dltsync_core.errors import TransientQueryError
from dltsync_core.identity import TableName
from dltsync_core.run.event_log import EventLog, described, duration_of, size_of
from dltsync_core.run.events import Event
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.totals import RunTotals
from tests.support.memory_shop import MemoryShop

ORDERS, CUSTOMERS = TableName("sales", "Orders"), TableName("sales", "Customers")


class LoggedShop(MemoryShop):
    """A shop whose config has a log file."""

    logging: dict[str, Any]

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        values = {"log_file": self.root / "log", **self.logging}
        config = self.config().model_copy(update=values)
        return IncrementalSQLServerParquetPipeline(config, source=self.source, warehouse=self.warehouse)

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "log").read_text(encoding="utf-8").splitlines()]

    def of_unit(self, table: str, partition: str | None = None) -> list[dict[str, Any]]:
        return [e for e in self.entries() if (e.get("table"), e.get("partition")) == (table, partition)]


@pytest.fixture
def place(tmp_path: Path) -> LoggedShop:
    made = LoggedShop(tmp_path)
    made.logging = {}
    return made


STAGES = ["planned", "reading", "extracted", "published", "loaded", "validated", "committed"]


def test_each_stage_of_each_unit_is_an_entry(place: LoggedShop) -> None:
    result = place.run()
    assert result.success
    for partition in ("(-inf,10)", "[10,20)", "[20,+inf)"):
        found = place.of_unit("sales.Orders", partition)
        assert [entry["event"] for entry in found] == STAGES
        assert {(e["pipeline"], e["run_id"]) for e in found} == {("dltsync", result.run_id)}
        (unit,) = (u for u in result.units if u.unit == partition)
        assert {entry["load_id"] for entry in found} == {unit.load_id}
        assert (found[-1]["rows"], found[-1]["bytes"]) == (unit.rows_read, unit.bytes_written)
        assert found[-1]["seconds"] >= max(entry["seconds"] for entry in found[1:-1])
    assert [entry["event"] for entry in place.of_unit("dbo.Countries")] == ["table planned", *STAGES]
    first, last = place.entries()[0], place.entries()[-1]
    assert (first["event"], last["event"], last["success"]) == ("run started", "run finished", True)
    assert (last["units"], last["committed"], last["rows"]) == (5, 5, sum(u.rows_read for u in result.units))


def test_units_that_did_not_change_are_entries_too(place: LoggedShop) -> None:
    place.run()
    (place.root / "log").unlink()
    place.run()
    skipped = [e for e in place.entries() if e["event"] == "skipped"]
    assert len(skipped) == 5
    assert all(entry["message"] for entry in skipped)


def test_failures_and_retries_are_entries_of_their_level(place: LoggedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    place.processing = {"retry_attempts": 2, "retry_budget_seconds": 100}
    monkeypatch.setattr("dltsync_core.run.context.RunContext.sleep", lambda self, seconds: None)

    def refused(*args: Any, **values: Any) -> Any:
        raise TransientQueryError("deadlock", number=1205)

    monkeypatch.setattr(type(place.source), "read_view", refused)
    assert place.run(table_types=["static"]).failed
    found = [(e["level"], e["event"]) for e in place.of_unit("dbo.Countries")]
    assert ("warning", "retried") in found
    assert found[-1] == ("error", "failed")
    assert "deadlock" in place.of_unit("dbo.Countries")[-1]["message"]


def test_a_run_that_cannot_begin_says_so_in_the_file(place: LoggedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="Nowhere"):
        place.run(table_names=["Nowhere"])
    last = place.entries()[-1]
    assert (last["level"], last["event"]) == ("error", "run failed")
    assert "Nowhere" in last["message"]
    assert last["run_id"]


@pytest.mark.parametrize(("level", "has"), [("DEBUG", {"loading", "committed"}), ("WARNING", set[str]())])
def test_the_level_decides_what_is_in_the_file(place: LoggedShop, level: str, has: set[str]) -> None:
    place.logging = {"log_level": level}
    place.run()
    events = {entry["event"] for entry in place.entries()}
    assert has <= events if has else not events


def test_a_host_application_gets_sentences(place: LoggedShop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dltsync")
    place.run(table_types=["static"])
    assert any(message.startswith("dbo.Countries all committed, 3 rows") for message in caplog.messages)


def test_plans_validations_and_status_write_to_the_file_too(place: LoggedShop) -> None:
    place.logging = {"log_level": "DEBUG"}
    with place.pipeline() as pipeline:
        pipeline.plan()
    assert {"planning", "table planned"} <= {entry["event"] for entry in place.entries()}


# -- how far a run is ---------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def planned(table: TableName, units: int, rows: int | None) -> Event:
    return Event("planned", table, "all", units=units, expected_rows=rows)


def reading(table: TableName, unit: str, rows: int, size: int) -> Event:
    return Event("extracting", table, unit, "l", rows, bytes=size)


def test_totals_are_those_of_all_units() -> None:
    clock = Clock()
    totals = RunTotals(clock)
    totals.note(planned(ORDERS, 3, 3000))
    totals.note(planned(CUSTOMERS, 1, 1000))
    totals.note(Event("skipped", ORDERS, "a", rows=0))
    totals.note(reading(ORDERS, "b", 0, 0))
    clock.now += 10
    totals.note(reading(ORDERS, "b", 500, 5000))
    totals.note(reading(CUSTOMERS, "all", 500, 5000))
    now = totals.now()
    assert (now.done, now.units, now.rows, now.bytes) == (1, 4, 1000, 10_000)
    assert (now.rows_per_second, now.bytes_per_second, now.seconds_left) == (100, 1000, 30)
    assert described(now) == "1 of 4 units, 1,000 rows, 100 rows/s, 1.0 kB/s, 0:00:30 left"
    totals.note(Event("extracted", ORDERS, "b", "l", 900, bytes=9000))
    totals.note(Event("committed", ORDERS, "b", "l", 900))
    totals.note(Event("failed", CUSTOMERS, "all", "l"))
    assert (totals.now().done, totals.now().failed, totals.now().rows) == (3, 1, 1400)


def test_without_known_rows_the_time_left_goes_by_units() -> None:
    clock = Clock()
    totals = RunTotals(clock)
    totals.note(planned(CUSTOMERS, 4, None))
    assert totals.now().seconds_left is None
    totals.note(reading(CUSTOMERS, "a", 10, 10))
    clock.now += 6
    totals.note(Event("committed", CUSTOMERS, "a", "l", 10))
    assert totals.now().seconds_left == 18
    assert described(RunTotals(clock).now()) == "0 of 0 units"


def test_a_table_that_could_not_be_planned_counts_as_a_unit() -> None:
    totals = RunTotals(Clock())
    totals.note(Event("failed", ORDERS, "all", message="no such table"))
    assert (totals.now().done, totals.now().units) == (1, 1)


def test_a_run_says_how_far_it_is_although_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dltsync")
    log = EventLog(Clock())
    log(planned(ORDERS, 3, 300))
    reached = Flag()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if getattr(record, "dltsync", {}).get("event") == "progress":
                reached.set()

    listener = Listener()
    logging.getLogger("dltsync.run").addHandler(listener)
    try:
        with log.reporting_progress(every=0.01):
            assert reached.wait(30)
    finally:
        logging.getLogger("dltsync.run").removeHandler(listener)
    assert "0 of 3 units" in caplog.text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (12e6, "12 MB"), (999_600, "1.0 MB"), (5e13, "50.0 TB")],
)
def test_sizes_are_short(count: float, text: str) -> None:
    assert size_of(count) == text


def test_durations_have_hours() -> None:
    assert [duration_of(seconds) for seconds in (0.4, 70, 3_599.6, 90_000)] == [
        "0:00:00",
        "0:01:10",
        "1:00:00",
        "25:00:00",
    ]

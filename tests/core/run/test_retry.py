"""A run's patience: told as events, shared by its units, ended by its stop."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig, PipelineConfig, ProcessingConfig, StaticTableConfig
from dltsync_core.errors import ServerUnreachable, TransientQueryError
from dltsync_core.identity import TableName
from dltsync_core.run.context import RunContext
from dltsync_core.run.events import Event
from dltsync_core.run.failures import Stopped
from dltsync_core.run.reporting import RunReporter
from dltsync_core.run.retry import with_retries

TABLE = TableName("sales", "Orders")


def services_of(heard: list[Event], **processing: Any) -> RunContext:
    nobody: Any = None
    config = PipelineConfig(
        database=DatabaseConfig(server="s", database="d", username="u", password="p"),
        static_tables=[StaticTableConfig(table_name="t")],
        processing=ProcessingConfig(**processing),
    )
    return RunContext(
        config=config,
        source=nobody,
        lake=nobody,
        warehouse=nobody,
        ledger=nobody,
        leases=nobody,
        reporter=RunReporter(config, heard.append),
        run_id="r",
        stop=threading.Event(),
    )


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(RunContext, "sleep", lambda self, seconds: found.append(seconds))
    return found


def failing(times: int, number: int = 1205) -> Any:
    left = [times]

    def work() -> str:
        if left[0]:
            left[0] -= 1
            raise TransientQueryError("refused", number=number)
        return "done"

    return work


def test_failures_are_told_as_events_of_the_unit(waits: list[float]) -> None:
    heard: list[Event] = []
    found = with_retries(services_of(heard), failing(2), stage="extracting", table=TABLE, unit="[1,2)", load_id="l")
    assert found == "done"
    assert [(e.stage, e.table, e.unit, e.load_id) for e in heard] == [("extracting", TABLE, "[1,2)", "l")] * 2
    assert [e.message.split(",")[0] for e in heard] == ["attempt 1 failed", "attempt 2 failed"]
    assert len(waits) == 2


def test_all_units_of_a_run_share_its_patience(waits: list[float]) -> None:
    """Each wait for a busy server takes ten seconds at least: 25 are enough for two at the most."""
    heard: list[Event] = []
    context = services_of(heard, retry_attempts=20, retry_budget_seconds=1000, run_retry_budget_seconds=25)
    for _ in range(3):
        with pytest.raises(TransientQueryError):
            with_retries(context, failing(20, number=40501), stage="extracting", table=TABLE, unit="u")
    assert 1 <= len(waits) <= 2
    assert sum(waits) <= 25
    assert "run_retry_budget_seconds" in heard[-1].message


def test_a_unit_has_a_budget_of_its_own(waits: list[float]) -> None:
    context = services_of([], retry_attempts=20, retry_budget_seconds=12)
    with pytest.raises(TransientQueryError):
        with_retries(context, failing(20, number=40501), stage="extracting", table=TABLE, unit="u")
    assert sum(waits) <= 12


def test_a_run_that_is_told_to_stop_waits_no_longer() -> None:
    context = services_of([])

    def work() -> None:
        context.stop.set()
        raise ServerUnreachable("gone")

    with pytest.raises(Stopped):
        with_retries(context, work, stage="extracting", table=TABLE, unit="u")


def test_attempts_are_the_configured_ones(waits: list[float]) -> None:
    with pytest.raises(TransientQueryError) as caught:
        with_retries(services_of([], retry_attempts=4), failing(9), stage="extracting", table=TABLE, unit="u")
    assert caught.value.facts["attempts"] == 4
    assert len(waits) == 3

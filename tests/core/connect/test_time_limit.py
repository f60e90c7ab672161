"""The time that is left limits each statement; without a limit the config's own holds."""

from __future__ import annotations

import threading

import pytest

from dltsync_core.connect import time_limit
from dltsync_core.connect.time_limit import TimeLimit, allowed_seconds, ended_within, in_driver, limited_by
from dltsync_core.errors import LoginFailed, StatementTimeout


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("dltsync_core.connect.time_limit.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("configured", "passed", "allowed"), [(0, 0.0, 20), (30, 0.0, 20), (5, 0.0, 5), (0, 13.5, 7), (30, 19.9, 1)]
)
def test_a_statement_may_take_what_is_left(clock: list[float], configured: int, passed: float, allowed: int) -> None:
    with limited_by(TimeLimit(20)):
        clock[0] += passed
        assert allowed_seconds(configured) == allowed
    assert allowed_seconds(configured) == configured


def test_after_the_time_nothing_is_sent(clock: list[float]) -> None:
    with limited_by(TimeLimit(20)):
        clock[0] += 20
        with pytest.raises(StatementTimeout, match="not sent"):
            allowed_seconds(0)


class Session:
    """Notes that it was abandoned."""

    def __init__(self) -> None:
        self.abandoned = threading.Event()

    def abandon(self) -> None:
        self.abandoned.set()


def test_a_driver_that_does_not_return_is_given_up_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "CANCEL_SECONDS", 0.05)
    monkeypatch.setattr(time_limit, "skip_native_exit", lambda: None)
    caught, idle, returned = Session(), Session(), threading.Event()

    def work() -> None:
        with in_driver(idle):
            pass
        with in_driver(caught):
            returned.wait(30)

    with pytest.raises(StatementTimeout, match="given up"):
        ended_within(TimeLimit(0.05), work)
    assert (caught.abandoned.is_set(), idle.abandoned.is_set()) == (True, False)
    returned.set()


def test_the_limited_work_returns_and_raises_as_it_would_without() -> None:
    assert ended_within(TimeLimit(5), lambda: allowed_seconds(0) > 0) is True

    def fail() -> None:
        raise LoginFailed("no")

    with pytest.raises(LoginFailed, match="no"):
        ended_within(TimeLimit(5), fail)

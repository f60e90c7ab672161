"""The circuit of a server: opens after failures in a row, lets one try after a pause, closes with the first success."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.circuit import (
    FAILURES_TO_OPEN,
    PAUSE_SECONDS,
    Breaker,
    Circuit,
    Go,
    Wait,
    circuit_of,
    failed,
    request_attempt,
    succeeded,
)
from dltsync_core.errors import CertificateNotTrusted, CircuitOpen, LoginFailed, ServerUnreachable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CircuitMachine(RuleBasedStateMachine):
    """Any order of asking, failing, succeeding and waiting, against an account in words."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit()
        self.now = 0.0
        self.in_a_row = 0
        self.last_failure = 0.0

    @rule(seconds=st.floats(0, 2 * PAUSE_SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(good=st.booleans())
    def somebody_connects(self, good: bool) -> None:
        self.circuit, verdict = request_attempt(self.circuit, self.now)
        if isinstance(verdict, Wait):
            assert self.in_a_row >= FAILURES_TO_OPEN
            assert 0 < verdict.seconds <= PAUSE_SECONDS
            assert self.now < self.last_failure + PAUSE_SECONDS
            return
        assert self.in_a_row < FAILURES_TO_OPEN or self.now >= self.last_failure + PAUSE_SECONDS
        if good:
            self.circuit, self.in_a_row = succeeded(self.circuit), 0
        else:
            self.circuit = failed(self.circuit, self.now)
            self.in_a_row += 1
            self.last_failure = self.now

    @invariant()
    def it_is_open_exactly_after_enough_failures_in_a_row(self) -> None:
        assert self.circuit.is_closed is (self.in_a_row < FAILURES_TO_OPEN)


TestCircuit = CircuitMachine.TestCase


@given(st.integers(2, 8))
def test_only_one_tries_when_the_pause_is_over(callers: int) -> None:
    circuit = Circuit(FAILURES_TO_OPEN, opened_at=0.0)
    verdicts = []
    for _ in range(callers):
        circuit, verdict = request_attempt(circuit, PAUSE_SECONDS)
        verdicts.append(verdict)
    assert [type(v) for v in verdicts] == [Go, *[Wait] * (callers - 1)]


def test_a_try_that_never_told_its_end_is_forgotten() -> None:
    circuit, _ = request_attempt(Circuit(FAILURES_TO_OPEN, opened_at=0.0), PAUSE_SECONDS)
    assert isinstance(request_attempt(circuit, PAUSE_SECONDS + 1)[1], Wait)
    assert isinstance(request_attempt(circuit, 2 * PAUSE_SECONDS)[1], Go)


def _fail(breaker: Breaker, error: BaseException) -> None:
    with breaker.attempt():
        raise error


def _open(breaker: Breaker) -> None:
    for n in range(FAILURES_TO_OPEN):
        with suppress(ServerUnreachable):
            _fail(breaker, ServerUnreachable(f"no route to host {n}"))


def test_a_server_that_is_down_is_left_alone_and_the_person_told(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    breaker = Breaker("db:1433", clock)
    _open(breaker)
    entered: list[int] = []

    def knock() -> None:
        with breaker.attempt():
            entered.append(1)

    with pytest.raises(CircuitOpen) as caught:
        knock()
    assert not entered
    assert "db:1433: 10 connections failed in a row" in str(caught.value)
    assert "for another 30 s; the last error: no route to host 9" in str(caught.value)
    assert "10 connections failed in a row; none is tried for 30 s" in caplog.text
    clock.now += PAUSE_SECONDS
    caplog.set_level(logging.INFO)
    knock()
    knock()
    assert entered == [1, 1]
    assert "db:1433 answers again" in caplog.text


def test_a_try_that_fails_opens_it_for_another_pause() -> None:
    clock = Clock()
    breaker = Breaker("db:1433", clock)
    _open(breaker)
    clock.now += PAUSE_SECONDS
    with pytest.raises(ServerUnreachable):
        _fail(breaker, ServerUnreachable("still down"))
    with pytest.raises(CircuitOpen, match=r"11 connections failed in a row.*still down"):
        _fail(breaker, RuntimeError("not reached"))


@pytest.mark.parametrize("error", [CertificateNotTrusted("x"), KeyboardInterrupt()])
def test_what_says_nothing_about_the_server_does_not_count(error: BaseException) -> None:
    breaker = Breaker("db:1433", Clock())
    for _ in range(2 * FAILURES_TO_OPEN):
        with suppress(type(error)):
            _fail(breaker, error)
    with breaker.attempt():
        pass


def test_refused_logins_count_so_that_no_account_is_locked_by_us() -> None:
    breaker = Breaker("db:1433", Clock())
    for _ in range(FAILURES_TO_OPEN):
        with suppress(LoginFailed):
            _fail(breaker, LoginFailed("no"))
    with pytest.raises(CircuitOpen):
        _fail(breaker, LoginFailed("no"))


def test_threads_share_the_circuit_of_a_server() -> None:
    config = DatabaseConfig(server=f"s{id(object())}", database="d", username="u", password="p")
    breaker = circuit_of(config)
    threads = [threading.Thread(target=_open, args=(breaker,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with pytest.raises(CircuitOpen):
        _fail(circuit_of(config.model_copy()), RuntimeError("not reached"))
    other = config.model_copy(update={"database": "another"})
    with circuit_of(other).attempt():
        pass

"""Trying again is decided by the error, and stops at the number of attempts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dltsync_core.errors import (
    ConfigError,
    ExtractError,
    LoginFailed,
    ServerUnreachable,
    StateConflict,
    SyncError,
    TransientQueryError,
    ValidationFailed,
    WarehouseBusy,
)
from dltsync_core.run.retry import may_pass, with_retries


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (TransientQueryError("deadlock victim"), True),
        (ServerUnreachable("connection reset"), True),
        (StateConflict("another run was first"), False),
        (WarehouseBusy("waited long enough"), False),
        (LoginFailed("wrong password"), False),
        (ExtractError("count and stream disagree"), False),
        (ValidationFailed("figures differ"), False),
        (ConfigError("misspelt"), False),
        (RuntimeError("a bug"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_only_what_can_pass_is_tried_again(error: BaseException, passes: bool) -> None:
    assert may_pass(error) is passes


def attempts_of(failures: int, attempts: int) -> tuple[int, list[float], BaseException | None]:
    calls = 0
    waits: list[float] = []

    def work() -> int:
        nonlocal calls
        calls += 1
        if calls <= failures:
            raise TransientQueryError(f"failure {calls}")
        return calls

    try:
        with_retries(work, attempts=attempts, sleep=waits.append, on_retry=lambda *_: None)
    except SyncError as error:
        return calls, waits, error
    return calls, waits, None


def test_success_after_failures_ends_the_trying() -> None:
    calls, waits, error = attempts_of(failures=2, attempts=5)
    assert (calls, len(waits), error) == (3, 2, None)


def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    calls, waits, error = attempts_of(failures=9, attempts=3)
    assert (calls, len(waits), str(error)) == (3, 2, "failure 3")


def test_waits_grow_and_are_bounded() -> None:
    _, waits, _ = attempts_of(failures=9, attempts=10)
    assert all(later >= earlier - 1 for earlier, later in pairwise(waits))
    assert 1 <= waits[0] <= 2
    assert waits[-1] <= 31


def test_a_sleep_that_raises_ends_the_waiting() -> None:
    def interrupted(seconds: float) -> None:
        raise InterruptedError

    def work() -> None:
        raise TransientQueryError("x")

    with pytest.raises(InterruptedError):
        with_retries(work, attempts=3, sleep=interrupted, on_retry=lambda *_: None)

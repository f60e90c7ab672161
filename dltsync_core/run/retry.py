"""Trying again: a decision about the error, and one loop that sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from dltsync_core.errors import StateConflict, SyncError, WarehouseBusy

T = TypeVar("T")

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0


def may_pass(error: BaseException) -> bool:
    """Whether the same thing, tried again within this run, can succeed.

    Not after losing a commit to another run (the expectation stays wrong until a new plan is made), nor after having waited
    for the warehouse file as long as the config allows.
    """
    return isinstance(error, SyncError) and error.is_transient and not isinstance(error, (StateConflict, WarehouseBusy))


def with_retries(
    work: Callable[[], T],
    *,
    attempts: int,
    sleep: Callable[[float], None],
    on_retry: Callable[[int, BaseException, float], None],
) -> T:
    """What `work` returns, tried `attempts` times at most while its error may pass; then the last error.

    Waits grow exponentially with jitter, so that workers thrown out together do not come back together. `on_retry` hears
    the number of the failed attempt, its error and the seconds to wait; `sleep` may raise to end the waiting.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        if error is not None:
            on_retry(state.attempt_number, error, wait)

    loop = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_exponential_jitter(initial=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
        retry=retry_if_exception(may_pass),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )
    return loop(work)

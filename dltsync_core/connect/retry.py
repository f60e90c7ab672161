"""One policy for trying again: a pure decision about (error, attempt, budget). The loop that sleeps is `waiting.try_until_done`.

Transient errors are retried by a policy, the source server's or the ledger's; every other error is raised at once. The
outermost loop of a policy retries: a loop inside it of the same policy makes one attempt, so that attempts never multiply.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from dltsync_core.connect.error_numbers import TRANSIENT, RetryKind
from dltsync_core.display import number_of
from dltsync_core.errors import (
    CircuitOpen,
    ConnectError,
    QueryError,
    ServerUnreachable,
    StatementTimeout,
    SyncError,
)
from dltsync_core.waiting import Again, GiveUp, try_until_done

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Pauses in seconds: at least `floor`, plus anything from 0 to a span that doubles from `first` up to `longest`.

    `attempts` is an upper limit, whatever is configured.
    """

    floor: float
    first: float
    longest: float
    attempts: int | None = None


BACKOFFS: Final = {
    RetryKind.SAME_CONNECTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.NEW_TRANSACTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.NEW_CONNECTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.THROTTLED: Backoff(10.0, 5.0, 60.0),
    RetryKind.FAILOVER: Backoff(5.0, 10.0, 60.0),
    RetryKind.LOGIN: Backoff(1.0, 5.0, 30.0),
    # A statement that is too slow for its limit is too slow the second time as well.
    RetryKind.STALLED: Backoff(0.0, 1.0, 30.0, attempts=2),
}
"""Full jitter, so that workers that failed together do not retry together."""


@dataclass(frozen=True)
class Budget:
    """Attempts in all, the first included, and seconds of waiting between them (a policy may count the attempts' own seconds
    too)."""

    attempts: int
    seconds: float


@dataclass(frozen=True)
class Retry:
    """Try once more, `after` seconds from now."""

    after: float
    kind: RetryKind
    reason: str


Decision: TypeAlias = Retry | GiveUp


def retry_kind_of(error: BaseException) -> RetryKind | None:
    """How this error is retried; None when it is permanent, or not the source server's."""
    if not isinstance(error, (ConnectError, QueryError)) or not error.is_transient or isinstance(error, CircuitOpen):
        return None
    if isinstance(error, StatementTimeout):
        return RetryKind.STALLED
    number = error.facts.get("number")
    if isinstance(number, int) and number in TRANSIENT:
        return TRANSIENT[number]
    return RetryKind.NEW_CONNECTION if isinstance(error, ServerUnreachable) else RetryKind.NEW_TRANSACTION


@dataclass(frozen=True, eq=False)
class Policy:
    """Which errors are transient, and the pauses of each kind. `counts_attempts`: a budget's seconds include the attempts, not
    the pauses only."""

    retry_kind_of: Callable[[BaseException], RetryKind | None]
    backoffs: Mapping[RetryKind, Backoff]
    counts_attempts: bool = False


SOURCE: Final = Policy(retry_kind_of, BACKOFFS)
"""The policy for the source server."""


def decide(
    error: BaseException, *, attempt: int, waited: float, budget: Budget, jitter: float, policy: Policy = SOURCE
) -> Decision:
    """What to do after attempt number `attempt` (from 1) failed with `error`. `waited` counts the seconds spent so far;
    `jitter` is a random number from 0 to 1."""
    kind = policy.retry_kind_of(error)
    if kind is None:
        return GiveUp("the error is permanent")
    backoff = policy.backoffs[kind]
    attempts = budget.attempts if backoff.attempts is None else min(budget.attempts, backoff.attempts)
    if attempt >= attempts:
        return GiveUp(f"{attempt} of {number_of(attempts, 'attempt is', 'attempts are')} used up")
    after = backoff.floor + jitter * min(backoff.longest, backoff.first * 2 ** min(attempt - 1, 16))
    if waited + after > budget.seconds:
        return GiveUp(f"another {after:.1f} s of waiting would exceed the budget of {budget.seconds:.0f} s")
    return Retry(after, kind, kind.value)


class SharedRetryBudget:
    """Seconds of waiting that many loops share, such as the units of one run. For any number of threads."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._lock = threading.Lock()

    def spend(self, seconds: float) -> bool:
        """Take `seconds` out; False, and nothing taken, when fewer are left."""
        with self._lock:
            if seconds > self._left:
                return False
            self._left -= seconds
            return True


@dataclass(frozen=True)
class FailedAttempt:
    """A failed attempt and the decision, for the callback `on_failure`."""

    attempt: int
    error: SyncError
    decision: Decision

    @property
    def message(self) -> str:
        """One sentence."""
        if isinstance(self.decision, Retry):
            return f"attempt {self.attempt} failed, trying again in {self.decision.after:.0f} s: {self.error}"
        return f"given up after {number_of(self.attempt, 'attempt')} ({self.decision.reason}): {self.error}"


_active_policies: ContextVar[tuple[Policy, ...]] = ContextVar("dltsync_trying", default=())


def run_with_retries(
    work: Callable[[], T],
    budget: Budget,
    *,
    policy: Policy = SOURCE,
    shared_budget: SharedRetryBudget | None = None,
    sleep: Callable[[float], None] = time.sleep,
    on_failure: Callable[[FailedAttempt], None] | None = None,
) -> T:
    """The result of `work`, retried as `decide` says; in the end the last error, with the number of attempts in its facts.

    `on_failure` gets every transient failure: those that are retried, and the last one. `sleep` may raise to
    end the wait.
    """
    active = _active_policies.get()
    if policy in active:
        return work()
    token = _active_policies.set((*active, policy))
    try:
        return _loop(work, budget, policy, shared_budget, sleep, on_failure)
    finally:
        _active_policies.reset(token)


def _loop(
    work: Callable[[], T],
    budget: Budget,
    policy: Policy,
    shared_budget: SharedRetryBudget | None,
    sleep: Callable[[float], None],
    on_failure: Callable[[FailedAttempt], None] | None,
) -> T:
    attempt, waited, began = 1, 0.0, time.monotonic()

    def decide_after(error: SyncError) -> Again | SyncError:
        nonlocal attempt, waited
        spent = time.monotonic() - began if policy.counts_attempts else waited
        chance = random.random()  # noqa: S311
        decision = decide(error, attempt=attempt, waited=spent, budget=budget, jitter=chance, policy=policy)
        if isinstance(decision, Retry) and shared_budget is not None and not shared_budget.spend(decision.after):
            decision = GiveUp("the run has waited as long as it may in all (run_retry_budget_seconds)")
        if on_failure is not None and policy.retry_kind_of(error) is not None:
            on_failure(FailedAttempt(attempt, error, decision))
        if isinstance(decision, GiveUp):
            error.facts["attempts"] = attempt
            return error
        waited += decision.after
        attempt += 1
        return Again(decision.after)

    return try_until_done(work, SyncError, decide_after, sleep=sleep)

"""One policy for trying again: a pure decision about (error, attempt, budget). The loop that sleeps is `waiting.try_until_done`.

What is tried again is what the server refused for now, by a policy of the source server's or the ledger's; everything else is
raised at once. Whoever starts a loop owns it: a loop inside another of the same policy makes one attempt, so that attempts
never multiply.
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

    `attempts` is the most that makes sense, whatever was configured.
    """

    floor: float
    first: float
    longest: float
    attempts: int | None = None


RHYTHMS: Final = {
    RetryKind.SAME_CONNECTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.NEW_TRANSACTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.NEW_CONNECTION: Backoff(0.0, 1.0, 30.0),
    RetryKind.THROTTLED: Backoff(10.0, 5.0, 60.0),
    RetryKind.FAILOVER: Backoff(5.0, 10.0, 60.0),
    RetryKind.LOGIN: Backoff(1.0, 5.0, 30.0),
    # A statement too slow for its limit is too slow the second time as well.
    RetryKind.STALLED: Backoff(0.0, 1.0, 30.0, attempts=2),
}
"""Full jitter, so that workers thrown out together do not come back together."""


@dataclass(frozen=True)
class Budget:
    """What may be spent: attempts in all, the first included, and seconds of waiting between them (the policy may count the
    attempts' own seconds, too)."""

    attempts: int
    seconds: float


@dataclass(frozen=True)
class Retry:
    """Try once more, `after` seconds from now."""

    after: float
    recourse: RetryKind
    reason: str


Decision: TypeAlias = Retry | GiveUp


def retry_kind_of(error: BaseException) -> RetryKind | None:
    """How this error is got past; None when it stays, or when it is not the source server's."""
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
    """Which errors pass, and the pauses of each kind. `counts_attempts`: the seconds of a budget run during the attempts as well,
    not in the pauses only."""

    retry_kind_of: Callable[[BaseException], RetryKind | None]
    rhythms: Mapping[RetryKind, Backoff]
    counts_attempts: bool = False


SOURCE: Final = Policy(retry_kind_of, RHYTHMS)
"""The source server's."""


def decide(
    error: BaseException, *, attempt: int, waited: float, budget: Budget, dice: float, policy: Policy = SOURCE
) -> Decision:
    """What to do after the `attempt`-th attempt (from 1) failed with `error`. `waited` counts the seconds spent so far;
    `dice` is a number from 0 to 1, the chance in the pause."""
    recourse = policy.retry_kind_of(error)
    if recourse is None:
        return GiveUp("the same thing would fail again")
    rhythm = policy.rhythms[recourse]
    attempts = budget.attempts if rhythm.attempts is None else min(budget.attempts, rhythm.attempts)
    if attempt >= attempts:
        return GiveUp(f"{attempt} of {attempts} attempts are used up")
    after = rhythm.floor + dice * min(rhythm.longest, rhythm.first * 2 ** min(attempt - 1, 16))
    if waited + after > budget.seconds:
        return GiveUp(f"another {after:.1f} s of waiting would exceed the budget of {budget.seconds:.0f} s")
    return Retry(after, recourse, recourse.value)


class SharedRetryBudget:
    """Seconds of waiting that many loops share, such as the units of one run. For any number of threads."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._lock = threading.Lock()

    def spend(self, seconds: float) -> bool:
        """Take `seconds` out; False, and nothing taken, when there are not so many left."""
        with self._lock:
            if seconds > self._left:
                return False
            self._left -= seconds
            return True


@dataclass(frozen=True)
class Failed:
    """An attempt that failed, and what was decided. For whoever listens."""

    attempt: int
    error: SyncError
    decision: Decision

    @property
    def message(self) -> str:
        """One sentence."""
        if isinstance(self.decision, Retry):
            return f"attempt {self.attempt} failed, trying again in {self.decision.after:.0f} s: {self.error}"
        return f"given up after {self.attempt} attempts ({self.decision.reason}): {self.error}"


_trying: ContextVar[tuple[Policy, ...]] = ContextVar("dltsync_trying", default=())


def run_with_retries(
    work: Callable[[], T],
    budget: Budget,
    *,
    policy: Policy = SOURCE,
    purse: SharedRetryBudget | None = None,
    sleep: Callable[[float], None] = time.sleep,
    on_failure: Callable[[Failed], None] | None = None,
) -> T:
    """What `work` returns, tried again as `decide` says; then the last error, with the number of attempts in its facts.

    `on_failure` hears of failures that can pass: of those that will be tried again, and of the last one. `sleep` may raise to
    end the waiting.
    """
    under_way = _trying.get()
    if policy in under_way:
        return work()
    token = _trying.set((*under_way, policy))
    try:
        return _loop(work, budget, policy, purse, sleep, on_failure)
    finally:
        _trying.reset(token)


def _loop(
    work: Callable[[], T],
    budget: Budget,
    policy: Policy,
    purse: SharedRetryBudget | None,
    sleep: Callable[[float], None],
    on_failure: Callable[[Failed], None] | None,
) -> T:
    attempt, waited, began = 1, 0.0, time.monotonic()

    def decide_after(error: SyncError) -> Again | SyncError:
        nonlocal attempt, waited
        spent = time.monotonic() - began if policy.counts_attempts else waited
        chance = random.random()  # noqa: S311
        decision = decide(error, attempt=attempt, waited=spent, budget=budget, dice=chance, policy=policy)
        if isinstance(decision, Retry) and purse is not None and not purse.spend(decision.after):
            decision = GiveUp("the run has waited as long as it may in all (run_retry_budget_seconds)")
        if on_failure is not None and policy.retry_kind_of(error) is not None:
            on_failure(Failed(attempt, error, decision))
        if isinstance(decision, GiveUp):
            error.facts["attempts"] = attempt
            return error
        waited += decision.after
        attempt += 1
        return Again(decision.after)

    return try_until_done(work, SyncError, decide_after, sleep=sleep)

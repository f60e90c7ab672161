"""Trying again is decided by the error and what is left to spend; one loop carries it out, and loops do not multiply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.connect.error_numbers import TRANSIENT, RetryKind
from dltsync_core.connect.retry import (
    BACKOFFS,
    Budget,
    FailedAttempt,
    Retry,
    SharedRetryBudget,
    decide,
    retry_kind_of,
    run_with_retries,
)
from dltsync_core.errors import (
    CertificateNotTrusted,
    CircuitOpen,
    ConfigError,
    ExtractError,
    LoginFailed,
    QueryError,
    ServerUnreachable,
    StateConflict,
    StatementTimeout,
    SyncError,
    TableNotFound,
    TransientQueryError,
    ValidationFailed,
    WarehouseBusy,
)
from dltsync_core.waiting import GiveUp

PLENTY = Budget(5, 1000)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TransientQueryError("deadlock", number=1205), RetryKind.NEW_TRANSACTION),
        (TransientQueryError("lock timeout", number=1222), RetryKind.SAME_CONNECTION),
        (TransientQueryError("busy", number=40501), RetryKind.THROTTLED),
        (ServerUnreachable("moving", number=40613), RetryKind.FAILOVER),
        (ServerUnreachable("script upgrade", number=18401), RetryKind.LOGIN),
        (ServerUnreachable("reset", number=10054), RetryKind.NEW_CONNECTION),
        (ServerUnreachable("reset", number=None), RetryKind.NEW_CONNECTION),
        (TransientQueryError("serialization failure", sqlstate="40001"), RetryKind.NEW_TRANSACTION),
        (StatementTimeout("slow"), RetryKind.STALLED),
        # These stay, or are not the source's: a second try changes nothing, or was made already elsewhere.
        (CircuitOpen("down"), None),
        (LoginFailed("wrong password", number=18456), None),
        (CertificateNotTrusted("self-signed"), None),
        (QueryError("syntax", number=102), None),
        (TableNotFound("gone"), None),
        (StateConflict("another run was first"), None),
        (WarehouseBusy("waited long enough"), None),
        (ExtractError("count and stream disagree"), None),
        (ValidationFailed("figures differ"), None),
        (ConfigError("misspelt"), None),
        (RuntimeError("a bug"), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_what_is_tried_again_and_how(error: BaseException, kind: RetryKind | None) -> None:
    assert retry_kind_of(error) is kind
    decision = decide(error, attempt=1, waited=0, budget=PLENTY, jitter=0.5)
    assert isinstance(decision, GiveUp) is (kind is None)


TRANSIENT_ERRORS = st.one_of(
    st.sampled_from(sorted(TRANSIENT)).map(lambda n: TransientQueryError("x", number=n)),
    st.just(ServerUnreachable("x")),
    st.just(StatementTimeout("x")),
)


@given(TRANSIENT_ERRORS, st.integers(1, 40), st.floats(0, 500), st.integers(1, 20), st.floats(0, 600), st.floats(0, 1))
def test_a_decision_never_spends_more_than_there_is(
    error: SyncError, attempt: int, waited: float, attempts: int, seconds: float, jitter: float
) -> None:
    decision = decide(error, attempt=attempt, waited=waited, budget=Budget(attempts, seconds), jitter=jitter)
    if isinstance(decision, Retry):
        backoff = BACKOFFS[decision.kind]
        assert attempt < attempts
        assert waited + decision.after <= seconds
        assert backoff.floor <= decision.after <= backoff.floor + backoff.longest
    else:
        assert decision.reason


@given(TRANSIENT_ERRORS, st.integers(1, 9), st.floats(0, 1), st.floats(0, 1))
def test_chance_covers_the_whole_span_and_later_spans_are_no_shorter(
    error: SyncError, attempt: int, low: float, high: float
) -> None:
    """Full jitter: the pause grows with the jitter from the floor on."""
    budget = Budget(50, 10_000)
    pauses = [
        decide(error, attempt=attempt, waited=0, budget=budget, jitter=d) for d in (0.0, *sorted((low, high)), 1.0)
    ]
    later = decide(error, attempt=attempt + 1, waited=0, budget=budget, jitter=1.0)
    if isinstance(later, GiveUp):  # a stall is tried once more only
        assert isinstance(error, StatementTimeout)
        return
    after = [p.after for p in pauses if isinstance(p, Retry)]
    assert after == sorted(after)
    assert len(after) == 4
    assert later.after >= after[-1]


def test_a_server_that_asks_for_patience_gets_ten_seconds() -> None:
    decision = decide(TransientQueryError("busy", number=40501), attempt=1, waited=0, budget=PLENTY, jitter=0)
    assert isinstance(decision, Retry)
    assert decision.after >= 10


def test_failover_is_waited_for_up_to_a_minute() -> None:
    waits = [
        decide(ServerUnreachable("x", number=40613), attempt=n, waited=0, budget=PLENTY, jitter=1) for n in range(1, 5)
    ]
    assert [w.after for w in waits if isinstance(w, Retry)] == [15, 25, 45, 65]


class Work:
    """Fails so often, then gives 'done'."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_what_passes_is_tried_again() -> None:
    work, waits = Work(ServerUnreachable("no"), ServerUnreachable("no")), list[float]()
    assert run_with_retries(work, PLENTY, sleep=waits.append) == "done"
    assert (work.calls, len(waits)) == (3, 2)


def test_the_last_error_is_the_one_to_see_and_knows_the_attempts() -> None:
    work = Work(*(ServerUnreachable(f"try {n}") for n in range(1, 9)))
    with pytest.raises(ServerUnreachable, match="try 3") as caught:
        run_with_retries(work, Budget(3, 1000), sleep=lambda _: None)
    assert caught.value.facts["attempts"] == 3


@pytest.mark.parametrize("error", [LoginFailed("no"), CertificateNotTrusted("no"), QueryError("no", number=229)])
def test_what_stays_is_not_tried_again(error: SyncError) -> None:
    """A second wrong password would only bring the account nearer to being locked."""
    work = Work(error, error)
    with pytest.raises(type(error)):
        run_with_retries(work, PLENTY, sleep=lambda _: None)
    assert work.calls == 1


def test_a_loop_inside_a_loop_makes_one_attempt() -> None:
    inner = Work(*(ServerUnreachable("no") for _ in range(9)))

    def outer() -> str:
        return run_with_retries(inner, Budget(5, 1000), sleep=lambda _: None)

    with pytest.raises(ServerUnreachable):
        run_with_retries(outer, Budget(3, 1000), sleep=lambda _: None)
    assert inner.calls == 3
    assert run_with_retries(Work(ServerUnreachable("no")), PLENTY, sleep=lambda _: None) == "done", (
        "the next loop tries again"
    )


def test_a_purse_is_shared_and_never_overdrawn() -> None:
    shared_budget, told = SharedRetryBudget(5.0), list[FailedAttempt]()
    failing = Work(*(TransientQueryError("busy", number=40501) for _ in range(9)))
    with pytest.raises(TransientQueryError):
        run_with_retries(failing, PLENTY, shared_budget=shared_budget, sleep=lambda _: None, on_failure=told.append)
    assert failing.calls == 1
    assert "run_retry_budget_seconds" in told[-1].message
    assert shared_budget.spend(5.0)
    assert not shared_budget.spend(0.1)


def test_every_passing_failure_is_told_and_the_last_says_why_it_is_the_last() -> None:
    told: list[FailedAttempt] = []
    with pytest.raises(TransientQueryError):
        run_with_retries(
            Work(*(TransientQueryError(str(n), number=1205) for n in range(4))),
            Budget(2, 1000),
            sleep=lambda _: None,
            on_failure=told.append,
        )
    first, last = (failure.message for failure in told)
    assert first.startswith("attempt 1 failed, trying again in ")
    assert last.startswith("given up after 2 attempts (2 of 2 attempts are used up)")


def test_a_sleep_that_raises_ends_the_waiting() -> None:
    def interrupted(seconds: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_with_retries(Work(TransientQueryError("x")), PLENTY, sleep=interrupted)

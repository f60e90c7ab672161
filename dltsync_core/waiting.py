"""The only loop that waits: something is tried, a pure decision says whether and when it is tried again, and the loop sleeps.

Two kinds of waiting go through it. A `Wait` is for what another process holds (a file, a lease): it tries at a steady pace and
says now and then that it waits. `connect.retry` is for what a server refused: its pauses grow, and only some errors pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from dltsync_core.display import number_of

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

NOTICE_EVERY_SECONDS = 10.0
"""How often a message says that something still waits. The first one comes at once."""


@dataclass(frozen=True)
class Again:
    """Try once more, `after` seconds from now."""

    after: float
    notice: bool = False
    """Whether it is time to say that this waits."""


@dataclass(frozen=True)
class GiveUp:
    """Do not try again."""

    reason: str


WaitDecision: TypeAlias = Again | GiveUp


def try_until_done(
    work: Callable[[], T],
    caught: type[E],
    decide: Callable[[E], Again | Exception],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `work` returns. After each error of the class `caught`, `decide` says when to try again, or which error to raise.
    `sleep` may raise to end the waiting."""
    while True:
        try:
            return work()
        except caught as error:
            decision = decide(error)
            if decision is error:
                raise
            if isinstance(decision, Exception):
                raise decision from None
        sleep(decision.after)


class Blocked(Exception):
    """What is wanted is held by another. `wanted` and `reason` complete the sentence "waiting for <wanted>: <reason>"."""

    def __init__(self, wanted: str, reason: str) -> None:
        super().__init__(f"{wanted}: {reason}")
        self.wanted = wanted
        self.reason = reason


@dataclass(frozen=True)
class WaitPolicy:
    """At most `seconds` of waiting; a try every `pause` seconds (0: a try takes its time by itself)."""

    seconds: float
    pause: float
    notice_every: float


def decide_wait(policy: WaitPolicy, *, waited: float, noticed: float | None) -> WaitDecision:
    """What to do after `waited` seconds, the last message having come after `noticed` seconds (None: there was none)."""
    if waited >= policy.seconds:
        return GiveUp(f"waited {number_of(policy.seconds, 'second')}")
    pause = min(policy.pause, max(policy.seconds - waited, 0.01))
    return Again(pause, notice=noticed is None or waited - noticed >= policy.notice_every)


B = TypeVar("B", bound=Blocked)


class Wait:
    """One wait, whose time may be spent on several things one after the other (first a thread's turn, then a process's)."""

    def __init__(
        self,
        seconds: float,
        *,
        on_wait: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._on_wait = on_wait
        self._sleep = sleep
        self._now = now
        self._started = now()
        self._noticed: float | None = None

    def until(self, work: Callable[[], T], caught: type[B], *, pause: float, give_up: Callable[[B], Exception]) -> T:
        """What `work` returns, tried again while it raises `caught`. When the time is over, raises what `give_up` makes of it."""
        policy = WaitPolicy(self._seconds, pause, NOTICE_EVERY_SECONDS)

        def decide(blocked: B) -> Again | Exception:
            waited = self._now() - self._started
            decision = decide_wait(policy, waited=waited, noticed=self._noticed)
            if isinstance(decision, GiveUp):
                return give_up(blocked)
            if decision.notice:
                self._noticed = waited
                self._on_wait(f"waiting for {blocked} ({waited:.0f} of at most {number_of(self._seconds, 'second')})")
            return decision

        return try_until_done(work, caught, decide, sleep=self._sleep)

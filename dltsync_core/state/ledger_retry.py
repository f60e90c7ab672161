"""Waiting for a ledger that is away for a moment: its server restarts, its file is locked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from dltsync_core.connect.retry import Budget, FailedAttempt, Retry, run_with_retries
from dltsync_core.errors import LedgerUnavailable
from dltsync_core.state.transient_errors import LEDGER

log = logging.getLogger("dltsync.state")

T = TypeVar("T")

LOOKING_SECONDS = 5.0
"""Who looks (a person, a sensor that comes back) would rather be told than wait for longer."""

MANY = 1_000
"""Attempts are not counted: the seconds decide."""


class Patience:
    """Up to `seconds` for each thing that is asked of the ledger, from the first attempt on. Once they were in vain everything
    else is tried once, until something succeeds: a run of a thousand units does not wait a thousand times for a ledger that
    is gone. For any number of threads. `sleep` may raise to end the waiting."""

    def __init__(
        self,
        seconds: float = 0,
        *,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._tell = tell
        self._in_vain = False

    def kept(self, work: Callable[[bool], T]) -> T:
        """What `work` returns, tried again while the ledger is away. `work` hears whether an attempt failed before: it may have
        taken effect all the same. Raises LedgerUnavailable in the end, with the number of attempts in its facts."""
        failed = False

        def attempt() -> T:
            nonlocal failed
            before, failed = failed, True
            return work(before)

        budget = Budget(1, 0) if self._in_vain or not self._seconds else Budget(MANY, self._seconds)
        try:
            result = run_with_retries(attempt, budget, policy=LEDGER, sleep=self._sleep, on_failure=self._say)
        except LedgerUnavailable:
            self._in_vain = True
            raise
        self._in_vain = False
        return result

    def _say(self, failure: FailedAttempt) -> None:
        if isinstance(failure.decision, Retry):  # the last one is raised
            self._tell(f"the ledger is away: {failure.message}")

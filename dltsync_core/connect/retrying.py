"""Connecting is tried again when the failure may pass; nothing else is retried here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from dltsync_core.errors import SyncError

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0


def connect_with_retry(connect: Callable[[], T], attempts: int) -> T:
    """What `connect` returns. A transient SyncError is tried again, `attempts` times in all, with growing pauses; any other
    error, and the last one, is raised as it is."""
    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)
        + wait_random(0, FIRST_WAIT_SECONDS),
        retry=retry_if_exception(lambda error: isinstance(error, SyncError) and error.is_transient),
        reraise=True,
    )
    return retrying(connect)

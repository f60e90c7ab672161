"""A moment at which all statements of a piece of work are over: what is left of the time is the limit of each one.

The drivers enforce the limit: they cancel the statement at the server (an attention over the wire) and raise a time-out. A
server that does not answer the cancel either keeps the thread in the driver for up to two minutes: `ended_within` then gives
that thread up, together with its connection.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from dltsync_core.connect.deadline import skip_native_exit
from dltsync_core.errors import StatementTimeout

T = TypeVar("T")

CANCEL_SECONDS = 3.0
"""Seconds for a server to answer a cancel, and for the thread to notice."""


class Abandonable(Protocol):
    """A session that can be left to a thread that is blocked in the driver."""

    def abandon(self) -> None: ...


class TimeLimit:
    """So many seconds from now. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._in_use: list[Abandonable] = []

    @property
    def left(self) -> float:
        """Seconds that are left; negative when it is over."""
        return self._ends_at - time.monotonic()

    @property
    def message(self) -> str:
        """What a statement that it ended has to say."""
        return f"cancelled after {self.seconds:.0f} s, the time that it may take here"

    def abandon(self) -> None:
        """Leave the sessions that are in use to their threads, which close them when the driver returns."""
        skip_native_exit()
        with self._lock:
            for session in self._in_use:
                session.abandon()

    @contextmanager
    def using(self, session: Abandonable) -> Iterator[None]:
        """The session is in the driver while the block runs."""
        with self._lock:
            self._in_use.append(session)
        try:
            yield
        finally:
            with self._lock:
                self._in_use.remove(session)


_current: ContextVar[TimeLimit | None] = ContextVar("dltsync_time_limit", default=None)


@contextmanager
def limited_by(limit: TimeLimit) -> Iterator[None]:
    """Within the block, in this thread, statements and logins end with the limit."""
    token = _current.set(limit)
    try:
        yield
    finally:
        _current.reset(token)


def allowed_seconds(configured: int) -> int:
    """Seconds that the next statement or login may take: at most as configured (0: no limit), and at most what is left. Raises
    StatementTimeout when nothing is left."""
    limit = _current.get()
    if limit is None:
        return configured
    left = limit.left
    if left <= 0:
        raise StatementTimeout(f"not sent: {limit.message}")
    whole = math.ceil(left)  # drivers know whole seconds
    return min(configured, whole) if configured else whole


@contextmanager
def in_driver(session: Abandonable) -> Iterator[None]:
    """Around a call into the driver: what is given up with the current limit."""
    limit = _current.get()
    if limit is None:
        yield
        return
    with limit.using(session):
        yield


def ended_within(limit: TimeLimit, work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread of its own within the limit. Raises what it raises; and StatementTimeout when it does
    not even end after its statements were cancelled: its thread and its connection are then abandoned."""
    results: list[T] = []
    failures: list[BaseException] = []

    def do() -> None:
        try:
            with limited_by(limit):
                results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            failures.append(error)

    thread = threading.Thread(target=do, name="dltsync-limited", daemon=True)
    thread.start()
    thread.join(max(limit.left, 0) + CANCEL_SECONDS)
    if thread.is_alive():
        limit.abandon()
        raise StatementTimeout(
            f"{limit.message}; the server does not answer the cancel either, so its connection was given up",
            remedy="look at the server and at the network to it",
        )
    if failures:
        raise failures[0]
    return results[0]

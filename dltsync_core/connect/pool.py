"""Sessions that stay open between uses: a run logs in once per worker, not once per unit.

A session goes back to its pool only when nothing went wrong on it, with its settings as they were after the login; after any
error, and when its use was broken off, it is closed. An idle session may have ended at the server meanwhile: its next user
finds that with the first thing it asks, and logs in anew. Sessions stay open inside `kept_open` alone, and are closed with its
end.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from dltsync_core.errors import ServerUnreachable, SyncError

log = logging.getLogger("dltsync.connect")


class PooledSession(Protocol):
    """What a pool asks of a session."""

    @property
    def reusable(self) -> bool:
        """Whether nothing went wrong on it so far."""

    def close(self) -> None: ...


S = TypeVar("S", bound=PooledSession)
R = TypeVar("R")


class SessionPool(Generic[S]):
    """Idle sessions to one server, each for one user at a time. Thread-safe. A forked child inherits none of them."""

    def __init__(self, connect: Callable[[], S]) -> None:
        self._connect = connect
        self._guard = threading.Lock()
        self._idle: list[S] = []
        self._keepers = 0
        self._owner = os.getpid()
        self._inherited: list[S] = []

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """For the block sessions stay open between uses. Blocks may overlap, in any threads: the last one closes what is idle."""
        with self._guard:
            self._disown_parents_sessions()
            self._keepers += 1
        try:
            yield
        finally:
            with self._guard:
                self._disown_parents_sessions()
                self._keepers = max(self._keepers - 1, 0)
                left = [] if self._keepers else self._take_all()
            for session in left:
                close_quietly(session)

    def take(self, first: Callable[[S], R]) -> tuple[S, R]:
        """A session and what `first` returned with it. An idle session on which `first` finds the connection broken is
        replaced by a new one, once. Raises what `first` raises and what a login raises; then no session is left open."""
        session = self._take_idle()
        if session is not None:
            try:
                return session, _asked(session, first)
            except ServerUnreachable as error:
                log.info("an idle connection had ended: %s", error.problem)
            self.close_idle()  # most likely they ended together
        session = self._connect()
        return session, _asked(session, first)

    def give_back(self, session: S) -> None:
        """The session's user is done. It is closed unless it may be used again and sessions stay open now."""
        with self._guard:
            self._disown_parents_sessions()
            kept = self._keepers > 0 and session.reusable
            if kept:
                self._idle.append(session)
        if not kept:
            close_quietly(session)

    def close_idle(self) -> None:
        """Close every session that nobody uses."""
        with self._guard:
            self._disown_parents_sessions()
            idle = self._take_all()
        for session in idle:
            close_quietly(session)

    def _take_idle(self) -> S | None:
        with self._guard:
            self._disown_parents_sessions()
            return self._idle.pop() if self._idle else None

    def _take_all(self) -> list[S]:
        idle, self._idle = self._idle, []
        return idle

    def _disown_parents_sessions(self) -> None:
        """In a forked child the connections are the parent's: they are held, never used and never closed here."""
        if os.getpid() != self._owner:
            self._owner, self._keepers = os.getpid(), 0
            self._inherited += self._take_all()


def _asked(session: S, first: Callable[[S], R]) -> R:
    try:
        return first(session)
    except BaseException:
        close_quietly(session)
        raise


def close_quietly(session: PooledSession) -> None:
    """Close without an error: the connection may be gone, and its failure was raised already."""
    with suppress(SyncError):
        session.close()

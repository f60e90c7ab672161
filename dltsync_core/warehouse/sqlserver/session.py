"""Sessions with the warehouse's database: one per thread, the application locks it holds, what is done again when a connection
breaks, and what the server's errors mean for a load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.control import ControlSession, control_session
from dltsync_core.connect.error_numbers import RetryKind
from dltsync_core.connect.retry import BACKOFFS, Budget, FailedAttempt, Policy, retry_kind_of, run_with_retries
from dltsync_core.display import number_of
from dltsync_core.errors import (
    CatalogError,
    ConnectError,
    QueryError,
    ServerUnreachable,
    SyncError,
    TransientQueryError,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.tsql.fragments import Statement
from dltsync_core.tsql.warehouse.locks import release_session_lock, take_session_lock
from dltsync_core.waiting import Blocked, Wait

T = TypeVar("T")

_ATTEMPTS_ON_LOST_CONNECTIONS = 3
_TRY_MS = 1000
"""How long the server waits in one try for a lock; between two tries a message may be shown, and a run may be stopped."""


def _lost_connection(error: BaseException) -> RetryKind | None:
    """Whether a connection broke, or none could be had: nothing else is done again."""
    return retry_kind_of(error) if isinstance(error, ServerUnreachable) else None


LOST_CONNECTION: Final = Policy(_lost_connection, BACKOFFS)


class _Locked(Blocked):
    """Another session holds the application lock of a target."""


@dataclass
class _Open:
    """A thread's session. `locks` are the resources it holds, in the order taken; `remembered` is what was read once. One that
    `is_closed` broke, and no other could be had yet."""

    session: ControlSession
    stack: ExitStack
    locks: list[str] = field(default_factory=list)
    remembered: dict[Any, Any] = field(default_factory=dict)
    is_closed: bool = False


class Sessions:
    """Sessions with one database, for any number of threads. `on_wait` gets a sentence when a lock is waited for."""

    def __init__(self, database: DatabaseConfig, *, lock_seconds: float, on_wait: Callable[[str], None]) -> None:
        self.database = database
        self._lock_seconds = lock_seconds
        self._on_wait = on_wait
        self._mine = threading.local()

    @contextmanager
    def opened(self) -> Iterator[ControlSession]:
        """This thread's session, opened when it has none and closed by whoever opened it. Its locks end with it."""
        held: _Open | None = getattr(self._mine, "open", None)
        if held is not None:
            yield held.session
            return
        self._mine.open = self._connect()
        try:
            yield self._mine.open.session
        finally:
            last: _Open = self._mine.open
            self._mine.open = None
            with suppress(SyncError):  # nothing depends on how a session ends
                last.stack.close()

    @property
    def remembered(self) -> dict[Any, Any]:
        """What was read in this thread's session, for as long as it is open; empty and of no effect while none is."""
        held: _Open | None = getattr(self._mine, "open", None)
        return held.remembered if held is not None else {}

    def query(self, statement: Statement, doing: str) -> Sequence[Any]:
        """The rows of a statement, by column name."""
        with self.opened() as session:
            return session.query(statement.text, statement.parameters, doing)

    def run(self, statement: Statement, doing: str) -> None:
        """Run a batch to its end."""
        with self.opened() as session:
            session.run(statement.text, doing)

    @contextmanager
    def locked(self, resources: Sequence[tuple[str, str]]) -> Iterator[None]:
        """For the block, the application locks of these resources, each with the table it is about. Raises WarehouseBusy."""
        with self.opened():
            mine: _Open = self._mine.open
            before = len(mine.locks)
            try:
                if mine.is_closed:
                    self.reconnect(resources)
                else:
                    try:
                        self._take(mine, resources)
                    except ServerUnreachable:  # the session broke since it was last used: one more attempt, on another
                        self.reconnect(resources)
                yield
            finally:
                held: _Open = self._mine.open
                for resource in reversed(held.locks[before:]):
                    with suppress(SyncError):  # a session that broke has released them
                        held.session.query(release_session_lock(resource).text, (), "releasing a lock")
                del held.locks[before:]

    def locked_again(
        self,
        resources: Sequence[tuple[str, str]],
        work: Callable[[], T],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> T:
        """What `work` returns, with the application locks of these resources held. When a connection breaks under it, it begins
        again from its start, with the locks taken on a new session and nothing remembered, up to three times in all. Raises
        WarehouseBusy, and the last error of `work`. Raised by `pause` to end the waiting."""

        def attempt() -> T:
            with self.opened(), self.locked(resources):  # a session that broke is replaced when its locks are taken
                return work()

        def report(failed: FailedAttempt) -> None:
            self.remembered.clear()
            self._on_wait(f"the warehouse: {failed.message}")

        return run_with_retries(
            attempt,
            Budget(_ATTEMPTS_ON_LOST_CONNECTIONS, self._lock_seconds),
            policy=LOST_CONNECTION,
            sleep=pause,
            on_failure=report,
        )

    def reconnect(self, resources: Sequence[tuple[str, str]]) -> None:
        """A new session in place of one that broke, with the same locks. It waits until the server has ended the old one:
        until then the old one holds them."""
        old: _Open = self._mine.open
        old.is_closed = True
        with suppress(SyncError):
            old.stack.close()
        self._mine.open = new = self._connect()
        self._take(new, resources)

    def try_lock(self, resource: str) -> bool:
        """Take a lock if it is free now. It is released by `release`."""
        with self.opened() as session:
            return _take(session, resource, 0)

    def release(self, resource: str) -> None:
        """Release a lock that `try_lock` took."""
        with self.opened() as session:
            session.query(release_session_lock(resource).text, (), "releasing a lock")

    def _take(self, mine: _Open, resources: Sequence[tuple[str, str]]) -> None:
        wait = Wait(self._lock_seconds, on_wait=self._on_wait)
        for resource, table in sorted(resources):  # in one order everywhere: no two runs wait for each other

            def attempt(resource: str = resource, table: str = table) -> None:
                if not _take(mine.session, resource, _TRY_MS):
                    raise _Locked(f"table {table} of the warehouse", "another run is loading it")

            wait.until(attempt, _Locked, pause=0, give_up=self._busy)
            mine.locks.append(resource)

    def _busy(self, blocked: _Locked) -> WarehouseBusy:
        return WarehouseBusy(
            f"{blocked.wanted}: {blocked.reason} for more than {number_of(self._lock_seconds, 'second')}",
            remedy="run again when the other run has ended, or raise destination.lock_timeout_seconds",
        )

    def _connect(self) -> _Open:
        stack = ExitStack()
        return _Open(stack.enter_context(control_session(self.database)), stack)


def _take(session: ControlSession, resource: str, wait_ms: int) -> bool:
    (row,) = session.query(take_session_lock(resource, wait_ms).text, (), "taking the application lock of a target")
    return int(row["code"]) >= 0


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the server as errors of the warehouse, so that none is taken for one of the source."""
    try:
        yield
    except (ServerUnreachable, TransientQueryError) as error:
        raise WarehouseBusy(f"the warehouse: {error.problem}", remedy=error.remedy, **error.facts) from error
    except (ConnectError, QueryError, CatalogError) as error:
        raise WarehouseError(f"the warehouse: {error.problem}", remedy=error.remedy, **error.facts) from error

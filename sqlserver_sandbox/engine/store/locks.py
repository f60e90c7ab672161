"""Locks of sessions: on tables, on catalogues, and application locks; queues, deadlock detection and LOCK_TIMEOUT.

A lock that cannot be given waits behind the requests that came before it, and nothing overtakes: while a SWITCH waits for its
schema modification lock, new statements on the table wait behind it (SQL Server docs: ALTER TABLE, lock partition switching).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlserver_sandbox.model import Cancelled, SqlError

Key = tuple[int, int]
"""(database id, object id); object 0 stands for the database's catalogue."""
Resource = tuple[int, "int | str"]
"""A `Key`, or (database id, name) of an application lock."""

STABLE, READ, WRITE, MODIFY = "Sch-S", "S", "X", "Sch-M"
"""On tables: of a statement that reads row versions, of one that reads under locks, of a writer (of the whole table), of DDL."""
SHARED, UPDATE, EXCLUSIVE, INTENT_SHARED, INTENT_EXCLUSIVE = (
    "Shared",
    "Update",
    "Exclusive",
    "IntentShared",
    "IntentExclusive",
)
"""Of application locks (SQL Server docs: sp_getapplock)."""
_TOGETHER = {
    frozenset(pair)
    for pair in (
        (STABLE,),
        (STABLE, READ),
        (STABLE, WRITE),
        (READ,),
        (SHARED,),
        (SHARED, UPDATE),
        (SHARED, INTENT_SHARED),
        (UPDATE, INTENT_SHARED),
        (INTENT_SHARED,),
        (INTENT_SHARED, INTENT_EXCLUSIVE),
        (INTENT_EXCLUSIVE,),
    )
}
"""Modes that two owners may hold at once (SQL Server docs: lock compatibility)."""

STATEMENT, CHANGES, TRANSACTION, SESSION = "Statement", "Changes", "Transaction", "Session"
"""How long a lock is held: CHANGES until what the transaction changed is committed or undone."""


@dataclass(frozen=True)
class _Held:
    owner: int
    resource: Resource
    mode: str
    until: str


@dataclass(frozen=True)
class LowPriority:
    """WAIT_AT_LOW_PRIORITY: for so long others go first; then the request queues as any other, or with `gives_up` fails."""

    seconds: float
    gives_up: bool


@dataclass(eq=False)
class _Request:
    owner: int
    resource: Resource
    mode: str
    is_low: bool = False


class Locks:
    """`owner` is a session's number. An owner's own locks never stand in its way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[_Held] = []
        self._queue: list[_Request] = []
        self._cancelled: set[int] = set()

    def acquire(
        self,
        owner: int,
        resource: Resource,
        timeout_ms: int,
        *,
        mode: str = WRITE,
        until: str = CHANGES,
        low: LowPriority | None = None,
    ) -> bool:
        """True when newly taken, False when already held. Raises 1222 after the timeout (-1 waits for ever), 1205 on a cycle.

        An application lock may be taken several times: it is to be released as often.
        """
        deadline = _deadline(timeout_ms)
        polite = low is not None and low.seconds > 0
        if low is not None and polite:
            deadline = time.monotonic() + low.seconds
        wanted = _Held(owner, resource, mode, until)
        with self._changed:
            if isinstance(resource[1], int) and wanted in self._held:
                return False
            self._cancelled.discard(owner)
            request = _Request(owner, resource, mode, is_low=polite)
            self._queue.append(request)
            try:
                while self._blockers(request):
                    if self._closes_cycle(request):
                        raise deadlock(owner)
                    if request.is_low and low is not None and deadline is not None and time.monotonic() >= deadline:
                        if low.gives_up:
                            raise lock_timeout()
                        request.is_low, deadline = False, _deadline(timeout_ms)
                    self._wait(owner, deadline, raises=not request.is_low)
                self._held.append(wanted)
            finally:
                self._queue.remove(request)
                self._changed.notify_all()
            return True

    def _wait(self, owner: int, deadline: float | None, *, raises: bool) -> None:
        remaining = None if deadline is None else deadline - time.monotonic()
        if raises and remaining is not None and remaining <= 0:
            raise lock_timeout()
        self._changed.wait(remaining if remaining is None else max(remaining, 0))
        if owner in self._cancelled:
            self._cancelled.discard(owner)
            raise Cancelled

    def _blockers(self, request: _Request) -> set[int]:
        """The owners that a request waits for: those that hold the resource, and those that asked for it before.

        Who holds it already does not queue again: a lock that is made stronger waits for the holders only.
        """
        holders = {
            h.owner
            for h in self._held
            if h.resource == request.resource
            and h.owner != request.owner
            and frozenset((h.mode, request.mode)) not in _TOGETHER
        }
        if any(h.owner == request.owner and h.resource == request.resource for h in self._held):
            return holders
        earlier = self._queue[: self._queue.index(request)]
        return holders | {
            r.owner
            for r in earlier
            if r.resource == request.resource
            and r.owner != request.owner
            and not r.is_low
            and frozenset((r.mode, request.mode)) not in _TOGETHER
        }

    def _closes_cycle(self, request: _Request) -> bool:
        seen: set[int] = set()
        ahead = self._blockers(request)
        while ahead:
            owner = ahead.pop()
            if owner == request.owner:
                return True
            if owner not in seen:
                seen.add(owner)
                for other in self._queue:
                    if other.owner == owner:
                        ahead |= self._blockers(other)
        return False

    def release(self, owner: int, *lifetimes: str) -> None:
        """Everything `owner` holds for these lifetimes."""
        with self._changed:
            kept = [h for h in self._held if h.owner != owner or h.until not in lifetimes]
            if len(kept) < len(self._held):
                self._held = kept
                self._changed.notify_all()

    def release_one(self, owner: int, resource: Resource, until: str) -> bool:
        """The newest lock on a resource that was taken for this lifetime; False when there is none."""
        with self._changed:
            mine = [h for h in self._held if (h.owner, h.resource, h.until) == (owner, resource, until)]
            if not mine:
                return False
            self._held.remove(mine[-1])
            self._changed.notify_all()
            return True

    def modes(self, owner: int, resource: Resource, until: str) -> set[str]:
        """The modes in which `owner` holds a resource for this lifetime."""
        with self._changed:
            return {h.mode for h in self._held if (h.owner, h.resource, h.until) == (owner, resource, until)}

    def is_free(self, owner: int, resource: Resource, mode: str) -> bool:
        """Whether the lock would be given at once."""
        with self._changed:
            return all(
                h.owner == owner or h.resource != resource or frozenset((h.mode, mode)) in _TOGETHER for h in self._held
            )

    def cancel(self, owner: int) -> None:
        """Wake `owner` if it waits; it raises Cancelled."""
        with self._changed:
            if any(r.owner == owner for r in self._queue):
                self._cancelled.add(owner)
                self._changed.notify_all()


def _deadline(timeout_ms: int) -> float | None:
    return None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000


def lock_timeout() -> SqlError:
    return SqlError(1222, "Lock request time out period exceeded.", state=51)


def deadlock(owner: int) -> SqlError:
    return SqlError(
        1205,
        f"Transaction (Process ID {owner}) was deadlocked on lock resources with another process and has been chosen as the"
        " deadlock victim. Rerun the transaction.",
        class_=13,
        state=51,
    )

"""Writers' locks: one per table, held to the end of the transaction, with deadlock detection and LOCK_TIMEOUT."""

from __future__ import annotations

import threading
import time

from sqlserver_sandbox.model import Cancelled, SqlError

Key = tuple[int, int]
"""(database id, object id); object 0 stands for the database's catalogue."""


class Locks:
    """Readers take none: they see committed snapshots."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[Key, int] = {}
        self._waiting: dict[int, Key] = {}
        self._cancelled: set[int] = set()

    def acquire(self, owner: int, key: Key, timeout_ms: int) -> bool:
        """True when newly taken, False when already held. Raises 1222 after the timeout (-1 waits for ever), 1205 on a cycle."""
        deadline = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
        with self._changed:
            if self._holders.get(key) == owner:
                return False
            self._cancelled.discard(owner)
            while key in self._holders:
                if self._closes_cycle(owner, key):
                    raise deadlock(owner)
                self._wait(owner, key, deadline)
            self._holders[key] = owner
            return True

    def _wait(self, owner: int, key: Key, deadline: float | None) -> None:
        remaining = None if deadline is None else deadline - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise SqlError(1222, "Lock request time out period exceeded.", state=51)
        self._waiting[owner] = key
        try:
            self._changed.wait(remaining)
        finally:
            del self._waiting[owner]
        if owner in self._cancelled:
            self._cancelled.discard(owner)
            raise Cancelled

    def _closes_cycle(self, owner: int, key: Key) -> bool:
        seen: set[int] = set()
        holder = self._holders.get(key)
        while holder is not None and holder not in seen:
            if holder == owner:
                return True
            seen.add(holder)
            wanted = self._waiting.get(holder)
            holder = self._holders.get(wanted) if wanted is not None else None
        return False

    def release(self, owner: int) -> None:
        """Everything `owner` holds."""
        with self._changed:
            for key in [k for k, holder in self._holders.items() if holder == owner]:
                del self._holders[key]
            self._changed.notify_all()

    def cancel(self, owner: int) -> None:
        """Wake `owner` if it waits; it raises Cancelled."""
        with self._changed:
            if owner in self._waiting:
                self._cancelled.add(owner)
                self._changed.notify_all()


def deadlock(owner: int) -> SqlError:
    return SqlError(
        1205,
        f"Transaction (Process ID {owner}) was deadlocked on lock resources with another process and has been chosen as the"
        " deadlock victim. Rerun the transaction.",
        class_=13,
        state=51,
    )

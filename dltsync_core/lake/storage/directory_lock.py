"""Directory locks: a private directory belongs to one process, which holds a lock in it until it ends, however it ends.

A directory is abandoned when its owner is shown to be gone (same machine, and the lock is free or the machine was restarted), or
when nothing in it has changed for longer than any lease can last. Until then it may belong to a run on another machine.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from dltsync_core.lake.storage.disk import FILE_MODE, explained
from dltsync_core.process import identity_from, this_process

LONGER_THAN_ANY_LEASE = timedelta(days=7)
"""Leases last minutes and are renewed. A run that has written nothing for a week holds none."""

_LOCK, _OWNER = ".lock", ".owner"


class DirectoryLock:
    """A directory that belongs to this process until `release`, or until the process ends."""

    def __init__(self, directory: Path) -> None:
        with explained(directory, "locking"):
            # thread_local=False: who stages a load and who publishes it may be two threads.
            self._lock = FileLock(directory / _LOCK, mode=FILE_MODE, thread_local=False)
            self._lock.acquire(timeout=0)
            owner = this_process()
            # After the lock: whoever reads an owner may rely on the lock.
            (directory / _OWNER).write_text(json.dumps({"machine": owner.machine, "boot": owner.boot}))

    def release(self) -> None:
        """Give the directory up. Harmless when it is gone, or called twice."""
        self._lock.release(force=True)


def is_abandoned(directory: Path, now: datetime) -> bool:
    """Whether no process can be at work in a directory that was locked. False whenever that cannot be shown."""
    try:
        owner = identity_from(json.loads((directory / _OWNER).read_text()))
    except (FileNotFoundError, ValueError):  # its owner stopped before it could say so
        return _untouched(directory, now)
    if not owner.is_on_this_machine:
        return _untouched(directory, now)
    if owner.ended_with_a_restart:
        return True
    try:
        with FileLock(directory / _LOCK, mode=FILE_MODE, thread_local=False).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _untouched(directory: Path, now: datetime) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (directory, *directory.iterdir()))
    except FileNotFoundError:  # its owner is at work right now
        return False
    return now.timestamp() - newest > LONGER_THAN_ANY_LEASE.total_seconds()

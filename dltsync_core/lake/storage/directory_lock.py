"""Whose is a private directory? Its owner holds a lock in it for as long as the process lives, however it ends.

A directory is abandoned when its owner is provably gone (same machine, lock free; or the machine was started anew since), or
when nothing in it has changed for longer than any lease can last. Until then it may belong to a run on another machine.
"""

from __future__ import annotations

import json
import platform
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from dltsync_core.lake.storage.disk import FILE_MODE, explained

LONGER_THAN_ANY_LEASE = timedelta(days=7)
"""Leases last minutes and are renewed. A run that has written nothing for a week holds none."""

_LOCK, _OWNER = ".lock", ".owner"


class Claim:
    """A directory that is ours until `release`, or until this process ends."""

    def __init__(self, directory: Path) -> None:
        with explained(directory, "claiming"):
            # thread_local=False: who stages a load and who publishes it may be two threads.
            self._lock = FileLock(directory / _LOCK, mode=FILE_MODE, thread_local=False)
            self._lock.acquire(timeout=0)
            # After the lock: whoever sees an owner may rely on the lock.
            (directory / _OWNER).write_text(json.dumps({"machine": platform.node(), "boot": boot_id()}))

    def release(self) -> None:
        """Give the directory up. Harmless when it is gone, or called twice."""
        self._lock.release(force=True)


def abandoned(directory: Path, now: datetime) -> bool:
    """Whether nobody can be at work in a directory that somebody claimed. Unsure means no."""
    try:
        owner = json.loads((directory / _OWNER).read_text())
    except (FileNotFoundError, ValueError):  # its owner stopped before it could say so
        return _untouched(directory, now)
    if owner.get("machine") != platform.node() or not boot_id():
        return _untouched(directory, now)
    if owner.get("boot") != boot_id():
        return True
    try:
        with FileLock(directory / _LOCK, mode=FILE_MODE, thread_local=False).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _untouched(directory: Path, now: datetime) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (directory, *directory.iterdir()))
    except FileNotFoundError:  # somebody is at work right now
        return False
    return now.timestamp() - newest > LONGER_THAN_ANY_LEASE.total_seconds()


def boot_id() -> str:
    """What tells this start of the machine from the one before; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""

"""Copies of an SQLite ledger: made before runs, thinned out with age."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dltsync_core.state.store import Store

NEWEST_KEPT = 10
"""That many copies are kept whatever their age: a pipeline that ran last year still has something to go back to."""

UNFINISHED_KEPT = timedelta(days=1)
"""A copy takes seconds. One that is unfinished after this belongs to a process that was killed."""

_NAME = re.compile(r"ledger-(\d{8}T\d{12})Z\.(db|partial)")
_STAMP = "%Y%m%dT%H%M%S%f"


def back_up(store: Store, directory: Path, *, now: datetime, retention_days: int) -> Path | None:
    """Copy the ledger into `directory`, remove copies that are due, and return the copy's path.

    None when there is nothing to copy: a server's database is its administrator's to back up. Raises StateError,
    NotWritable or DiskFull.
    """
    if store.path is None or not store.exists:
        return None
    target = directory / f"ledger-{now.astimezone(timezone.utc):{_STAMP}}Z.db"
    store.copy_to(target)
    for name in superfluous((path.name for path in directory.iterdir()), now=now, retention_days=retention_days):
        (directory / name).unlink(missing_ok=True)
    return target


def superfluous(names: Iterable[str], *, now: datetime, retention_days: int) -> list[str]:
    """Which copies to remove. Kept are the newest ones, then the last of each day until `retention_days` are over; and
    unfinished ones that somebody may still be writing. Names that are not ours are never listed.
    """
    ours = sorted(((taken, name) for name in names if (taken := _taken(name)) is not None), reverse=True)
    found = [(taken, name) for taken, name in ours if name.endswith(".db")]
    unfinished = [name for taken, name in ours if not name.endswith(".db") and now - taken > UNFINISHED_KEPT]
    days_seen = {taken.date() for taken, _ in found[:NEWEST_KEPT]}
    removable = []
    for taken, name in found[NEWEST_KEPT:]:
        if taken.date() in days_seen or now - taken > timedelta(days=retention_days):
            removable.append(name)
        days_seen.add(taken.date())
    return removable + unfinished


def _taken(name: str) -> datetime | None:
    match = _NAME.fullmatch(name)
    return datetime.strptime(match[1], _STAMP).replace(tzinfo=timezone.utc) if match else None

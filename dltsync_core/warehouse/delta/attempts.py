"""Loads at work, each with a note that says so in the table's directory: what a killed one left is known by it, and removed.

Data files carry the name of their attempt. The note is written before the first of them and removed last, so that no file of
a killed load lies there without it.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta

from dltsync_core.clock import iso, parse_iso, utc_now
from dltsync_core.process import read_identity, this_process
from dltsync_core.warehouse.delta.markers import remove_older
from dltsync_core.warehouse.delta.snapshot import Snapshot, is_attempt_committed
from dltsync_core.warehouse.delta.store import TableDirectory

DIRECTORY = "_dltsync/attempts"
LONGEST_LOAD = timedelta(days=7)
"""An attempt of a process that cannot be asked (another machine's) is taken for killed after it: Delta's own time before a
file that no version names is removed."""


class Attempt:
    """One load of a table."""

    def __init__(self, directory: TableDirectory) -> None:
        self.name = uuid.uuid4().hex
        self._directory = directory
        self._files = 0

    def begin(self) -> None:
        """Note it."""
        said = {"process": str(this_process()), "started": iso(utc_now())}
        self._directory.prepare()
        self._directory.write(self._note, json.dumps(said).encode())

    def end(self) -> None:
        """Remove the note: the files are part of the table, or were removed."""
        self._directory.delete([self._note])

    def new_path(self) -> str:
        """The path of the next file."""
        self._files += 1
        return f"part-{self._files:05d}-{self.name}.zstd.parquet"

    @property
    def paths(self) -> list[str]:
        """Those of all its files, also of such as were not written."""
        return [f"part-{number:05d}-{self.name}.zstd.parquet" for number in range(1, self._files + 1)]

    @property
    def _note(self) -> str:
        return f"{DIRECTORY}/{self.name}.json"


def remove_left_behind(directory: TableDirectory, snapshot: Snapshot | None, *, now: datetime) -> None:
    """Remove the files of attempts that were killed before their commit, and files of markers that were replaced. Files of
    the table stay, also those that only its earlier versions have."""
    for note in directory.names(DIRECTORY):
        if not _is_dead(directory.read(note), directory.modified(note), now):
            continue
        attempt = note.removeprefix(f"{DIRECTORY}/").removesuffix(".json")
        if snapshot is None or not is_attempt_committed(directory, attempt):
            in_use = {each.path for each in snapshot.files} if snapshot is not None else set()
            names = (name for name in directory.names() if name.endswith(f"-{attempt}.zstd.parquet"))
            directory.delete([name for name in names if name not in in_use])
        directory.delete([note])
    if snapshot is not None:
        remove_older(directory, snapshot.markers_at)


def _is_dead(note: bytes | None, modified: datetime | None, now: datetime) -> bool:
    if note is None or modified is None:  # removed in between
        return False
    try:
        said = json.loads(note)
        process, started = read_identity(str(said["process"])), parse_iso(str(said["started"]))
    except (ValueError, KeyError):  # being written, or torn when the process was killed
        return now - modified > LONGEST_LOAD
    return process.is_gone or process.ended_with_a_restart or now - started > LONGEST_LOAD

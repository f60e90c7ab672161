"""One at a time at the DuckDB file. DuckDB admits one writing process; every other one waits, and says so.

Threads of this process and other processes of dltsync queue at a lock file beside the database. Any other program (the DuckDB
command line, a notebook) holds DuckDB's own lock: then opening fails and is tried again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import filelock

from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.display import number_of
from dltsync_core.errors import SyncError, WarehouseBusy, WarehouseError
from dltsync_core.lake.storage.disk import FILE_MODE, explain, make_directory
from dltsync_core.waiting import Blocked, Wait

_POLL_SECONDS = 0.2

_HELD = re.compile(r"could not set lock|conflicting lock|unique file handle conflict", re.IGNORECASE)
_HOLDER = re.compile(r"held in (?P<program>\S+)(?: \((?:deleted|[^)]*)\))?.*?\(PID (?P<pid>\d+)\)", re.DOTALL)

_threads: dict[Path, threading.Lock] = {}
_threads_guard = threading.Lock()


class WarehouseFileLock:
    """The queue for one DuckDB file."""

    def __init__(self, path: Path, *, timeout_seconds: float, on_wait: Callable[[str], None]) -> None:
        self.path = path.absolute()
        self._timeout = timeout_seconds
        self._on_wait = on_wait

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that no other process writes beside. Raises WarehouseBusy after the timeout, NotWritable, DiskFull, or
        WarehouseError for a file that is no DuckDB database of this version."""
        wait = Wait(self._timeout, on_wait=self._on_wait)
        make_directory(self.path.parent)
        with self._thread_turn(wait), self._process_turn(wait):
            is_new = not self.path.exists()
            connection = wait.until(self._connect, _FileHeld, pause=_POLL_SECONDS, give_up=self._busy)
            try:
                if is_new:
                    self.path.chmod(FILE_MODE)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def _thread_turn(self, wait: Wait) -> Iterator[None]:
        with _threads_guard:
            lock = _threads.setdefault(self.path, threading.Lock())

        def acquire() -> None:
            if not lock.acquire(timeout=_POLL_SECONDS):
                raise self._held_by("another load of this process")

        wait.until(acquire, _FileHeld, pause=0, give_up=self._busy)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _process_turn(self, wait: Wait) -> Iterator[None]:
        lock_path = self.path.with_name(self.path.name + ".queue")
        lock = filelock.FileLock(lock_path, mode=FILE_MODE)

        def acquire() -> None:
            try:
                lock.acquire(timeout=_POLL_SECONDS, poll_interval=_POLL_SECONDS / 4)
            except filelock.Timeout:
                raise self._held_by("another dltsync process") from None
            except OSError as error:
                raise explain(error, lock_path, "locking") from error

        wait.until(acquire, _FileHeld, pause=0, give_up=self._busy)
        try:
            yield
        finally:
            lock.release()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self.path))
        except duckdb.Error as error:
            in_use = isinstance(error, (duckdb.IOException, duckdb.BinderException)) and _HELD.search(str(error))
            if not in_use:
                raise cannot_open(error, self.path) from error
            raise self._held_by(_holder(str(error))) from error

    def _held_by(self, holder: str) -> _FileHeld:
        return _FileHeld(self.path, holder)

    def _busy(self, held: _FileHeld) -> WarehouseBusy:
        return WarehouseBusy(
            f"{held.holder} has had the warehouse {self.path} open for the {number_of(self._timeout, 'second')} we waited",
            remedy="close it there (a DuckDB shell or a notebook keeps the file until it ends), or raise "
            "destination.lock_timeout_seconds, and run again",
            path=str(self.path),
            holder=held.holder,
        )


class _FileHeld(Blocked):
    """The DuckDB file is open elsewhere."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"the warehouse {path}", f"{holder} has it open")
        self.holder = holder


def _holder(message: str) -> str:
    """Which program holds the file, in the words of DuckDB's error."""
    match = _HOLDER.search(message)
    if match:
        return f"process {match['pid']} ({match['program']})"
    return "another connection of this process" if "unique file handle" in message.lower() else "another process"


def cannot_open(error: duckdb.Error, path: Path) -> SyncError:
    """Our error for a file that DuckDB will not open."""
    refused = refused_by_the_system(error, path, "opening the warehouse")
    return refused or WarehouseError(
        f"the warehouse {path} cannot be opened: {error}",
        remedy="check that destination.path names a DuckDB file of a version this DuckDB reads, or a file not there yet",
        path=str(path),
    )


def refused_by_the_system(error: duckdb.Error, path: Path, doing: str) -> SyncError | None:
    """DiskFull or NotWritable when it was the operating system that refused DuckDB; None otherwise."""
    message = str(error)
    if is_disk_full(error):
        return disk_full(
            f"on the disk for the warehouse {path}",
            message,
            move="move the warehouse to a larger disk",
            outcome="the table is as it was",
            path=str(path),
        )
    for number, sign in ((13, "Permission denied"), (30, "Read-only file system")):
        if sign.lower() in message.lower():
            return explain(OSError(number, sign), path, doing)
    return None

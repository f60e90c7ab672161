"""One at a time at the DuckDB file. DuckDB admits one writing process; everybody else is told and waits.

Threads of this process and other processes of ours queue at a lock file beside the database. A stranger (the DuckDB command
line, a notebook) holds DuckDB's own lock: then opening fails and we wait in the same way.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import filelock

from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import SyncError, WarehouseBusy, WarehouseError
from dltsync_core.lake.storage.disk import FILE_MODE, explain, make_directory

TELL_EVERY_SECONDS = 10.0
"""How often a waiting load says that it still waits."""

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
        """A connection that nobody else writes beside. Raises WarehouseBusy after the timeout, NotWritable, DiskFull, or
        WarehouseError for a file that is no DuckDB database of this version."""
        waiting = _Waiting(self.path, self._timeout, self._on_wait)
        make_directory(self.path.parent)
        with self._thread_turn(waiting), self._process_turn(waiting):
            is_new = not self.path.exists()
            connection = self._connect(waiting)
            try:
                if is_new:
                    self.path.chmod(FILE_MODE)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def _thread_turn(self, waiting: _Waiting) -> Iterator[None]:
        with _threads_guard:
            lock = _threads.setdefault(self.path, threading.Lock())
        while not lock.acquire(timeout=_POLL_SECONDS):
            waiting.still("another load of this process")
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _process_turn(self, waiting: _Waiting) -> Iterator[None]:
        lock_path = self.path.with_name(self.path.name + ".queue")
        lock = filelock.FileLock(lock_path, mode=FILE_MODE)
        while True:
            try:
                lock.acquire(timeout=_POLL_SECONDS, poll_interval=_POLL_SECONDS / 4)
            except filelock.Timeout:
                waiting.still("another dltsync process")
            except OSError as error:
                raise explain(error, lock_path, "locking") from error
            else:
                break
        try:
            yield
        finally:
            lock.release()

    def _connect(self, waiting: _Waiting) -> duckdb.DuckDBPyConnection:
        while True:
            try:
                return duckdb.connect(str(self.path))
            except (duckdb.IOException, duckdb.BinderException) as error:
                if not _HELD.search(str(error)):
                    raise cannot_open(error, self.path) from error
                waiting.still(_holder(str(error)))
                time.sleep(_POLL_SECONDS)
            except duckdb.Error as error:
                raise cannot_open(error, self.path) from error


class _Waiting:
    """How long somebody waits, and what is said about it: at once, then every ten seconds."""

    def __init__(self, path: Path, timeout: float, on_wait: Callable[[str], None]) -> None:
        self._path = path
        self._timeout = timeout
        self._on_wait = on_wait
        self._started = time.monotonic()
        self._told: float | None = None

    def still(self, holder: str) -> None:
        """Say it when it is time to, and give up when the time is over."""
        now = time.monotonic()
        waited = now - self._started
        if waited >= self._timeout:
            raise WarehouseBusy(
                f"{holder} has had the warehouse {self._path} open for the {self._timeout:g} seconds we waited",
                remedy="close it there (a DuckDB shell or a notebook keeps the file until it ends), or raise "
                "destination.lock_timeout_seconds, and run again",
                path=str(self._path),
                holder=holder,
            )
        if self._told is None or now - self._told >= TELL_EVERY_SECONDS:
            self._told = now
            self._on_wait(
                f"waiting for the warehouse {self._path}: {holder} has it open ({waited:.0f} of at most "
                f"{self._timeout:g} seconds)"
            )


def _holder(message: str) -> str:
    """Who holds the file, as DuckDB tells it."""
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

"""A DuckDB in memory, for counting and comparing rows of files."""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.disk_full import disk_full
from dltsync_core.duckdb import sql as q
from dltsync_core.errors import DiskFull


class _IdleDatabases:
    """Databases whose work is done, for the next check with the same memory: DuckDB 1.5 takes 11 to 15 ms of a processor to make
    one, and less than 2 to give one back and take it again."""

    MOST = 8
    """A process with more workers than that makes the others anew."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._idle: list[tuple[DuckDbMemory, duckdb.DuckDBPyConnection]] = []

    def take(self, memory: DuckDbMemory) -> duckdb.DuckDBPyConnection | None:
        """One that belongs to the caller from here on; None when there is none."""
        with self._guard:
            for position in reversed(range(len(self._idle))):
                if self._idle[position][0] == memory:
                    return self._idle.pop(position)[1]
        return None

    def give_back(self, memory: DuckDbMemory, database: duckdb.DuckDBPyConnection) -> None:
        """Keep it, unless it is not as it was made: then it is closed."""
        if _is_as_made(database):
            with self._guard:
                if len(self._idle) < self.MOST:
                    self._idle.append((memory, database))
                    return
        database.close()

    def forget_after_fork(self) -> None:
        """The threads of these databases are not in a forked process, which crashes when it closes one: it never does."""
        for _, database in self._idle:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))
        self._guard = threading.Lock()
        self._idle = []


_idle_databases = _IdleDatabases()
os.register_at_fork(after_in_child=_idle_databases.forget_after_fork)


def _is_as_made(database: duckdb.DuckDBPyConnection) -> bool:
    """Whether nothing is left of its work. Settings of a session and temporary tables went with the session."""
    try:
        database.execute("RESET disabled_optimizers")  # `validate.lake_rows` changes it, for the whole database
        database.execute("SET temp_directory = ''")  # DuckDB refuses that once it has spilled
        return database.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
    except duckdb.Error:
        return False


@contextmanager
def scratch_database(memory: DuckDbMemory) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty one. Beyond its limit it spills into a directory that is removed with it: by default DuckDB uses the current
    directory, and four fifths of the machine's memory."""
    with tempfile.TemporaryDirectory(prefix="dltsync-") as spill:
        database = _idle_databases.take(memory)
        if database is None:
            database = _made(memory)
        try:
            with database.cursor() as connection:
                connection.execute(q.set_to("temp_directory", spill))
                yield connection
        except BaseException:
            database.close()
            raise
        _idle_databases.give_back(memory, database)


def _made(memory: DuckDbMemory) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"memory_limit": f"{memory.limit_mb}MiB", "threads": memory.threads})


def scratch_disk_full(error: object, doing: str, *, outcome: str = "") -> DiskFull:
    """The error for a scratch database that has no room to spill. `doing` completes the sentence "… while <doing>"."""
    directory = tempfile.gettempdir()
    return disk_full(
        f"in {directory} while {doing}", error, move="point TMPDIR to a larger disk", outcome=outcome, path=directory
    )


def distinct_rows(rows: pa.RecordBatchReader, memory: DuckDbMemory) -> int:
    """How many different rows there are; NULLs count as equal. Raises duckdb.Error, also for errors of the reader."""
    with scratch_database(memory) as connection:
        counted = connection.from_arrow(rows).distinct().count("*").fetchone()
    return int(counted[0]) if counted else 0

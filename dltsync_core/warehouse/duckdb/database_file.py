"""The DuckDB file of a warehouse: opened by one at a time, with bounded memory, and its refusals as our errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.errors import WarehouseError
from dltsync_core.warehouse.duckdb.catalog import catalog_of
from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock, refused_by_the_system


class DatabaseFile:
    """Thread-safe; processes and threads queue for the file. `on_wait` hears how long they do."""

    def __init__(
        self, path: Path, *, lock_timeout_seconds: float, memory: DuckDbMemory, on_wait: Callable[[str], None]
    ) -> None:
        self._path = path.absolute()
        self._memory = memory
        self._queue = WarehouseFileLock(path, timeout_seconds=lock_timeout_seconds, on_wait=on_wait)
        self._ours = threading.local()

    def exists(self) -> bool:
        """Whether anything was ever loaded. Looking must not create the file: a plan leaves nothing behind."""
        return self._path.exists()

    @contextmanager
    def opened(self) -> Iterator[tuple[DuckDBPyConnection, str]]:
        """A connection and the catalogue's name: within a block of this thread's the same ones. Raises WarehouseBusy,
        WarehouseError, NotWritable, DiskFull."""
        ours: tuple[DuckDBPyConnection, str] | None = getattr(self._ours, "opened", None)
        if ours is not None:
            with self._explained():
                yield ours
            return
        with self._queue.opened() as connection, self._explained():
            # DuckDB's own default is four fifths of the machine's memory, and all of its processors.
            connection.execute(f"SET memory_limit = '{self._memory.limit_mb}MiB'")
            connection.execute(f"SET threads = {self._memory.threads}")
            connection.execute("SET TimeZone = 'UTC'")
            self._ours.opened = (connection, catalog_of(connection))
            try:
                yield self._ours.opened
            finally:
                self._ours.opened = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            refused = refused_by_the_system(error, self._path, "writing the warehouse")
            raise refused or WarehouseError(
                f"the warehouse {self._path} refused: {error}",
                remedy="the load was not committed; correct what the message names and run again",
                path=str(self._path),
            ) from error


@contextmanager
def one_transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    """All of the block, or nothing of it: DuckDB's transactions cover definitions as well as rows."""
    connection.begin()
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # DuckDB ends a transaction by itself after a fatal error
            connection.rollback()
        raise
    connection.commit()

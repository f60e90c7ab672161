"""The ledger as an SQLite file: how it is opened, who may read it, and copies of it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from dltsync_core import checkpoints
from dltsync_core.errors import NotWritable

WRITES = "dltsync_writes"
"""Execution option of connections that are going to write: their transactions take the write lock at once."""

BUSY_SECONDS = 60
"""How long a writer waits for another. Commits take milliseconds, the copy of a big ledger seconds."""

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
"""State names tables, boundaries and row counts of a production database: for its owner only."""

_inherited: list[KeptConnection] = []
"""Connections of the parent of a forked process: held, so that collecting them as garbage does not close them."""


def open_engine(path: Path, *, writable: bool) -> sa.Engine:
    """An engine on the file; created with its directory when `writable`. Raises NotWritable, OSError.

    WAL lets readers (plan, status, Dagster) go on while a run commits. Every connection is closed after use, so that the
    side files vanish with the last one and nothing is held over a fork; a run keeps one open (`KeptConnection`).
    """
    if writable:
        _prepare(path)
    mode = "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: BEGIN is ours (see _begin), Python's sqlite3 would begin too late.
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "begin", _begin)
    if writable:
        with engine.connect() as connection:
            _switch_to_wal(connection.connection.driver_connection)
    return engine


class KeptConnection:
    """One connection for all transactions of the process, one at a time: opening a file, reading its schema and closing it
    cost more than the transaction of one unit does. SQLite lets one transaction write at a time anyway.

    As long as it is open no other connection is the last one to close, which would copy the log of what was written into the
    file and remove the log; every commit is on the disk before it returns, with this or without. After an error a new connection
    takes its place. In a fork it is the parent's, which SQLite forbids to touch.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._turn = threading.RLock()
        self._owner = os.getpid()
        self._connection: sa.Connection | None = engine.connect()
        self._connection.exec_driver_sql(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()  # others see it once it has read
        self._connection.rollback()

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it."""
        return os.getpid() == self._owner

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block, whole or not at all."""
        with self._turn:
            connection = self._connection = self._connection or self._engine.connect()
            try:
                with connection.execution_options(**{WRITES: writes}).begin():
                    yield connection
            except BaseException:
                self._connection = None
                connection.close()
                raise

    def close(self) -> None:
        """Let go of it. In a fork it is held instead, so that collecting it as garbage does not close it."""
        if not self.is_ours:
            _inherited.append(self)
            return
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def copy_to(source: Path, target: Path) -> None:
    """A consistent copy of a ledger that may be in use, readable by its owner only. `target` must not exist."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    try:
        reader = sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=rw", uri=True, timeout=BUSY_SECONDS)
        writer = sqlite3.connect(partial)
        try:
            reader.backup(writer)
        finally:
            writer.close()
            reader.close()
        checkpoints.reached(checkpoints.BACKING_UP)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _prepare(path: Path) -> None:
    directory = path.parent
    directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, FILE_MODE))
    if not os.access(path, os.W_OK) or not os.access(directory, os.W_OK):
        raise NotWritable(
            f"the ledger {path} cannot be written",
            remedy="choose another state.state_directory, or give this user write access to the file and its directory",
            path=str(path),
        )


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _switch_to_wal(connection: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL").fetchone()

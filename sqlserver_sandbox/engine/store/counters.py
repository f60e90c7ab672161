"""Counters of a database: identity values and rowversions. Like SQL Server's, they do not go back on rollback.

The newest value is in memory; each transaction that used a counter adds a row with its value to the database's log of counters.
"""

from __future__ import annotations

import threading

from sqlserver_sandbox.engine.duckdb.connection import Connection

ROWVERSION = "rowversion"
FIRST_ROWVERSION = 2000
"""A new database's @@DBTS is 0x00000000000007D0."""


class Counters:
    """Of all databases, shared by all sessions. `mutex` is the one that commits hold."""

    def __init__(self, mutex: threading.RLock) -> None:
        self._mutex = mutex
        self._step = 0
        """Orders the log of counters."""
        self._values: dict[tuple[int, str], int] = {}
        self._active_rowversions: dict[int, tuple[int, int]] = {}

    def load(self, root: Connection, database_id: int) -> None:
        """Read a database's log, and shorten it: while the file is open it only grows."""
        log = f"db{database_id}.main.sandbox_counters"
        newest = f"SELECT name, arg_max(value, step) AS value, max(step) AS step FROM {log} GROUP BY name"
        for name, value, step in root.fetch(newest):
            self._values[database_id, name] = value
            self._step = max(self._step, step)
        root.run(f"CREATE OR REPLACE TABLE {log} AS {newest}")

    def forget_database(self, database_id: int) -> None:
        with self._mutex:
            for key in [k for k in self._values if k[0] == database_id]:
                del self._values[key]

    # ---- identity and other counters ------------------------------------------------------------------------------
    def take(self, database_id: int, name: str, count: int, first: int, increment: int) -> int:
        """The first of `count` new values of a counter."""
        with self._mutex:
            last = self._values.get((database_id, name))
            start = first if last is None else last + increment
            if count:
                self._values[database_id, name] = start + increment * (count - 1)
            return start

    def last(self, database_id: int, name: str) -> int | None:
        """The newest value, None before the first."""
        with self._mutex:
            return self._values.get((database_id, name))

    def push(self, database_id: int, name: str, value: int, increment: int, seed: int) -> None:
        """Move a counter on to `value` when that is past it."""
        with self._mutex:
            last = self._values.get((database_id, name), seed - increment)
            past = value > last if increment > 0 else value < last
            self._values[database_id, name] = value if past else last

    def record(self, connection: Connection, database_id: int, name: str) -> None:
        """Keep a counter's value with the transaction that used it. Rows are only added: two writers never conflict."""
        with self._mutex:
            value = self._values.get((database_id, name))
            self._step += 1
            step = self._step
        if value is not None:
            connection.run(f"INSERT INTO db{database_id}.main.sandbox_counters VALUES (?, ?, ?)", [name, value, step])

    def restart(self, connection: Connection, database_id: int, name: str, value: int) -> None:
        """TRUNCATE TABLE: the next value is the seed again."""
        with self._mutex:
            self._values[database_id, name] = value
        self.record(connection, database_id, name)

    # ---- rowversions ----------------------------------------------------------------------------------------------
    def last_rowversion(self, database_id: int) -> int:
        return self._values.get((database_id, ROWVERSION), FIRST_ROWVERSION)

    def take_rowversions(self, database_id: int, count: int, owner: int) -> int:
        """The first of `count` new rowversions; they are active until `owner`'s transaction ends."""
        with self._mutex:
            start = self.take(database_id, ROWVERSION, count, FIRST_ROWVERSION + 1, 1)
            self._active_rowversions.setdefault(owner, (database_id, start))
            return start

    def end_rowversions(self, owner: int) -> None:
        with self._mutex:
            self._active_rowversions.pop(owner, None)

    def min_active_rowversion(self, database_id: int) -> int:
        with self._mutex:
            active = [first for database, first in self._active_rowversions.values() if database == database_id]
            return min(active, default=self.last_rowversion(database_id) + 1)

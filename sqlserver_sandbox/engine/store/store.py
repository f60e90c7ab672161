"""The data directory: one DuckDB file per database, its declared catalogue and counters beside the rows."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb

from sqlserver_sandbox.engine.duckdb import kernels, macros
from sqlserver_sandbox.engine.store.locks import Key, Locks
from sqlserver_sandbox.engine.testing.canned import Canned
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, from_json, to_json
from sqlserver_sandbox.tsql.values.storage import text_literal

MASTER = "master"
ROWVERSION = "rowversion"
FIRST_ROWVERSION = 2000
"""A new database's @@DBTS is 0x00000000000007D0."""


class Store:
    """Shared by all sessions of one engine."""

    def __init__(self, data: Path, *, allows_canned: bool = False) -> None:
        self.data = data
        self.allows_canned = allows_canned
        self.canned: dict[int, Canned] = {}
        """What EXEC sandbox_canned declared, by database. Not kept over a restart."""
        self.root = duckdb.connect()
        self.root.execute("SET preserve_insertion_order = true")
        kernels.register(self.root)
        macros.register(self.root)
        self.locks = Locks()
        self.commit_mutex = threading.RLock()
        self.sequence = 0
        """Counts commits that changed something."""
        self._changed: dict[Key, int] = {}
        self._version = 0
        self._step = 0
        """Orders the log of counters."""
        self._names: dict[int, str] = {}
        self._catalogues: dict[tuple[int, int], Database] = {}
        self._counters: dict[tuple[int, str], int] = {}
        self._active_rowversions: dict[int, tuple[int, int]] = {}
        self._open_all()

    # ---- files ----------------------------------------------------------------------------------------------------
    def _open_all(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.data.glob("db*.duckdb")):
            self._attach(int(path.stem[2:]))
        if MASTER not in (n.lower() for n in self._names.values()):
            self.create_database(MASTER)

    def _path(self, database_id: int) -> Path:
        return self.data / f"db{database_id}.duckdb"

    def _attach(self, database_id: int) -> None:
        alias = f"db{database_id}"
        self.root.execute(f"ATTACH {text_literal(str(self._path(database_id)))} AS {alias}")
        found = _one(self.root.execute(f"SELECT version, body FROM {alias}.main.sandbox_catalogue").fetchone())
        database = from_json(found[1])
        self._version = max(self._version, found[0])
        self._names[database_id] = database.name
        self._catalogues[database_id, found[0]] = database
        newest = f"SELECT name, arg_max(value, step) AS value, max(step) AS step FROM {alias}.main.sandbox_counters GROUP BY name"
        for name, value, step in self.root.execute(newest).fetchall():
            self._counters[database_id, name] = value
            self._step = max(self._step, step)
        # The log of counters only grows while the file is open: keep the newest of each.
        self.root.execute(f"CREATE OR REPLACE TABLE {alias}.main.sandbox_counters AS {newest}")

    def create_database(self, name: str) -> Database:
        """A new, empty database. Raises 1801 when the name is taken."""
        with self.commit_mutex:
            if self.find(name) is not None:
                raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.")
            number = 1 if name.lower() == MASTER else max((i for i in self._names), default=4) + 1
            number = number if number == 1 else max(number, 5)
            database = Database(number, name, created=now_text(), version=self.next_version())
            alias = database.alias
            self.root.execute(f"ATTACH {text_literal(str(self._path(number)))} AS {alias}")
            self.root.execute(f"CREATE TABLE {alias}.main.sandbox_catalogue (version BIGINT, body VARCHAR)")
            self.root.execute(f"CREATE TABLE {alias}.main.sandbox_counters (name VARCHAR, value BIGINT, step BIGINT)")
            self.root.execute(
                f"INSERT INTO {alias}.main.sandbox_catalogue VALUES (?, ?)", [database.version, to_json(database)]
            )
            self._names[number] = name
            self.publish({(0, 0)})
            return database

    def drop_database(self, database_id: int) -> None:
        with self.commit_mutex:
            self.root.execute(f"DETACH db{database_id}")
            for path in (self._path(database_id), self._path(database_id).with_suffix(".duckdb.wal")):
                path.unlink(missing_ok=True)
            del self._names[database_id]
            for key in [k for k in self._counters if k[0] == database_id]:
                del self._counters[key]
            self.publish({(0, 0)})

    def find(self, name: str) -> int | None:
        """The id of a database by name, whatever its case."""
        return next((i for i, n in self._names.items() if n.lower() == name.lower()), None)

    def name_of(self, database_id: int) -> str:
        return self._names.get(database_id, "")

    def database_ids(self) -> list[int]:
        return sorted(self._names)

    # ---- catalogue ------------------------------------------------------------------------------------------------
    def read_catalogue(self, connection: duckdb.DuckDBPyConnection, database_id: int) -> Database:
        """The catalogue as `connection`'s transaction sees it."""
        found = _one(connection.execute(f"SELECT version FROM db{database_id}.main.sandbox_catalogue").fetchone())
        cached = self._catalogues.get((database_id, found[0]))
        if cached is None:
            body = _one(connection.execute(f"SELECT body FROM db{database_id}.main.sandbox_catalogue").fetchone())
            cached = from_json(body[0])
            self._catalogues[database_id, found[0]] = cached
        return cached

    def write_catalogue(self, connection: duckdb.DuckDBPyConnection, database: Database) -> None:
        """Replace the catalogue within `connection`'s transaction."""
        connection.execute(
            f"UPDATE {database.alias}.main.sandbox_catalogue SET version = ?, body = ?",
            [database.version, to_json(database)],
        )

    def next_version(self) -> int:
        with self.commit_mutex:
            self._version += 1
            return self._version

    # ---- what changed when ----------------------------------------------------------------------------------------
    def publish(self, keys: set[Key]) -> None:
        """Called with `commit_mutex` held, right after DuckDB's COMMIT."""
        if keys:
            self.sequence += 1
            for key in keys:
                self._changed[key] = self.sequence

    def changed_since(self, key: Key, sequence: int) -> bool:
        return self._changed.get(key, 0) > sequence

    # ---- counters: like SQL Server's, they do not go back on rollback ---------------------------------------------
    def take(self, database_id: int, name: str, count: int, first: int, increment: int) -> int:
        """The first of `count` new values of a counter."""
        with self.commit_mutex:
            last = self._counters.get((database_id, name))
            start = first if last is None else last + increment
            if count:
                self._counters[database_id, name] = start + increment * (count - 1)
            return start

    def push_counter(self, database_id: int, name: str, value: int, increment: int, seed: int) -> None:
        """Move a counter on to `value` when that is past it."""
        with self.commit_mutex:
            last = self._counters.get((database_id, name), seed - increment)
            past = value > last if increment > 0 else value < last
            self._counters[database_id, name] = value if past else last

    def record_counter(self, connection: duckdb.DuckDBPyConnection, database_id: int, name: str) -> None:
        """Keep a counter's value with the transaction that used it. Rows are only added: two writers never conflict."""
        with self.commit_mutex:
            value = self._counters.get((database_id, name))
            self._step += 1
            step = self._step
        if value is not None:
            connection.execute(
                f"INSERT INTO db{database_id}.main.sandbox_counters VALUES (?, ?, ?)", [name, value, step]
            )

    def restart_counter(self, connection: duckdb.DuckDBPyConnection, database_id: int, name: str, value: int) -> None:
        """TRUNCATE TABLE: the next value is the seed again."""
        with self.commit_mutex:
            self._counters[database_id, name] = value
        self.record_counter(connection, database_id, name)

    def forget_counter(self, database_id: int, name: str) -> None:
        with self.commit_mutex:
            self._counters.pop((database_id, name), None)

    def last_rowversion(self, database_id: int) -> int:
        return self._counters.get((database_id, ROWVERSION), FIRST_ROWVERSION)

    def take_rowversions(self, database_id: int, count: int, owner: int) -> int:
        """The first of `count` new rowversions; they are active until `owner`'s transaction ends."""
        with self.commit_mutex:
            start = self.take(database_id, ROWVERSION, count, FIRST_ROWVERSION + 1, 1)
            self._active_rowversions.setdefault(owner, (database_id, start))
            return start

    def end_rowversions(self, owner: int) -> None:
        with self.commit_mutex:
            self._active_rowversions.pop(owner, None)

    def min_active_rowversion(self, database_id: int) -> int:
        with self.commit_mutex:
            active = [first for database, first in self._active_rowversions.values() if database == database_id]
            return min(active, default=self.last_rowversion(database_id) + 1)

    def close(self) -> None:
        self.root.close()


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """The row a database file must have. Raises OSError for a file that is none of ours."""
    if row is None:
        raise OSError("the database file has no catalogue: it was not made by the sandbox, or it is damaged")
    return row


def now_text() -> str:
    """The time as catalogue entries keep it."""
    return datetime.now(timezone.utc).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")

"""The data directory: one DuckDB file per database, with its declared catalogue beside the rows, and what changed when."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.store.counters import Counters
from sqlserver_sandbox.engine.store.locks import Key, Locks
from sqlserver_sandbox.engine.store.result_cache import ResultCache
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.catalogue_json import from_json, to_json

MASTER = "master"
CATALOGUES_REMEMBERED = 256


class Store:
    """Shared by all sessions of one engine."""

    def __init__(self, data: Path, *, threads: int | None = None) -> None:
        self.data = data
        self.root = Connection.open(threads)
        self.locks = Locks()
        self.commit_mutex = threading.RLock()
        """Held while a transaction commits, while a statement's snapshot begins, and while databases come and go."""
        self.results = ResultCache()
        self.counters = Counters(self.commit_mutex)
        self.sequence = 0
        """Counts commits that changed something."""
        self._changed: dict[Key, int] = {}
        self._altered: dict[Key, int] = {}
        self._version = 0
        self._names: dict[int, str] = {}
        self._newest: dict[int, Database] = {}
        """The catalogues as they are committed."""
        self._catalogues: OrderedDict[tuple[int, int], Database] = OrderedDict()
        """The newest, as values: no two catalogues of a server have the same version."""
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
        self.root.attach(self._path(database_id), alias)
        found = _one(self.root.fetch(f"SELECT version, body FROM {alias}.main.sandbox_catalogue"))
        database = from_json(found[1])
        self._version = max(self._version, found[0])
        self._names[database_id] = database.name
        self._newest[database_id] = database
        self._remember(database)
        self.counters.load(self.root, database_id)

    def create_database(self, name: str) -> Database:
        """A new, empty database. Raises 1801 when the name is taken."""
        with self.commit_mutex:
            if self.find(name) is not None:
                raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.")
            number = 1 if name.lower() == MASTER else self._next_id()
            database = Database(number, name, created=now_text(), version=self.next_version())
            alias = database.alias
            self.root.attach(self._path(number), alias)
            self.root.run(f"CREATE TABLE {alias}.main.sandbox_catalogue (version BIGINT, body VARCHAR)")
            self.root.run(f"CREATE TABLE {alias}.main.sandbox_counters (name VARCHAR, value BIGINT, step BIGINT)")
            self.root.run(
                f"INSERT INTO {alias}.main.sandbox_catalogue VALUES (?, ?)", [database.version, to_json(database)]
            )
            self._names[number] = name
            self._newest[number] = database
            self.publish({(0, 0)})
            return database

    def copy_database(self, database_id: int, name: str) -> None:
        """A new database with the committed tables, rows and counters of another one. Raises 1801 when the name is taken."""
        with self.commit_mutex:
            if self.find(name) is not None:
                raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.")
            source = self.read_catalogue(self.root, database_id)
            copy = replace(
                source, database_id=self._next_id(), name=name, created=now_text(), version=self.next_version()
            )
            self.root.attach(self._path(copy.database_id), copy.alias)
            self.root.run(f"COPY FROM DATABASE {source.alias} TO {copy.alias}")
            self.write_catalogue(self.root, copy)
            self.counters.load(self.root, copy.database_id)
            self._names[copy.database_id] = name
            self._newest[copy.database_id] = copy
            self.publish({(0, 0)})

    def _next_id(self) -> int:
        """Numbers below 5 are those of system databases."""
        return max(5, max(self._names, default=4) + 1)

    def drop_database(self, database_id: int) -> None:
        with self.commit_mutex:
            self.root.run(f"DETACH db{database_id}")
            for path in (self._path(database_id), self._path(database_id).with_suffix(".duckdb.wal")):
                path.unlink(missing_ok=True)
            del self._names[database_id], self._newest[database_id]
            self.counters.forget_database(database_id)
            self.publish({(0, 0)})

    def find(self, name: str) -> int | None:
        """The id of a database by name, whatever its case."""
        return next((i for i, n in self._names.items() if n.lower() == name.lower()), None)

    def name_of(self, database_id: int) -> str:
        return self._names.get(database_id, "")

    def database_ids(self) -> list[int]:
        return sorted(self._names)

    # ---- catalogue ------------------------------------------------------------------------------------------------
    def catalogue(self, database_id: int) -> Database:
        """The newest that is committed. Raises 911 for a database that another session dropped just now."""
        found = self.newest(database_id)
        if found is None:
            raise SqlError(911, f"Database {database_id} does not exist. Another session dropped it.")
        return found

    def newest(self, database_id: int) -> Database | None:
        """The same, None for a database that is not there any more."""
        return self._newest.get(database_id)

    def publish_catalogues(self, changed: Mapping[int, Database]) -> None:
        """Called with `commit_mutex` held, right after DuckDB's COMMIT."""
        self._newest.update(changed)

    def read_catalogue(self, connection: Connection, database_id: int) -> Database:
        """The catalogue as `connection`'s transaction sees it."""
        found = _one(connection.fetch(f"SELECT version FROM db{database_id}.main.sandbox_catalogue"))
        cached = self._catalogues.get((database_id, found[0]))
        if cached is None:
            body = _one(connection.fetch(f"SELECT body FROM db{database_id}.main.sandbox_catalogue"))
            cached = from_json(body[0])
            self._remember(cached)
        return cached

    def write_catalogue(self, connection: Connection, database: Database) -> None:
        """Replace the catalogue within `connection`'s transaction."""
        connection.run(
            f"UPDATE {database.alias}.main.sandbox_catalogue SET version = ?, body = ?",
            [database.version, to_json(database)],
        )
        self._remember(database)

    def _remember(self, database: Database) -> None:
        with self.commit_mutex:
            self._catalogues[database.database_id, database.version] = database
            while len(self._catalogues) > CATALOGUES_REMEMBERED:
                self._catalogues.popitem(last=False)

    def next_version(self) -> int:
        with self.commit_mutex:
            self._version += 1
            return self._version

    # ---- what changed when ----------------------------------------------------------------------------------------
    def publish(self, keys: set[Key], altered: frozenset[Key] = frozenset()) -> None:
        """Called with `commit_mutex` held, right after DuckDB's COMMIT. `altered` are those of `keys` that DDL touched."""
        if keys:
            self.sequence += 1
            for key in keys:
                self._changed[key] = self.sequence
            for key in altered:
                self._altered[key] = self.sequence

    def changed_since(self, key: Key, sequence: int) -> bool:
        return self._changed.get(key, 0) > sequence

    def altered_since(self, key: Key, sequence: int) -> bool:
        """Whether DDL, a SWITCH or a TRUNCATE touched the table."""
        return self._altered.get(key, 0) > sequence

    def close(self) -> None:
        self.root.close()


def _one(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The row a database file must have. Raises OSError for a file that is none of ours."""
    if not rows:
        raise OSError("the database file has no catalogue: it was not made by the sandbox, or it is damaged")
    return rows[0]


def hashed_password(login: str, password: str) -> str:
    """What master stores of a password. The login is the salt: sandboxes hold passwords of tests."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), login.lower().encode(), 1000).hex()


def now_text() -> str:
    """The time as catalogue entries keep it."""
    return datetime.now(timezone.utc).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")

"""One session's snapshot of the data: DuckDB's transaction, what it has seen, and what it has written.

DuckDB gives a transaction one snapshot. It is open during a statement, and between statements when something was written. Most
statements ask for the catalogue only, which the store has in memory: DuckDB's transaction begins with the first use of the
connection, and only if the catalogues that were looked at are still the newest.
"""

from __future__ import annotations

from contextlib import suppress

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.store.locks import Key
from sqlserver_sandbox.engine.store.store import Store, now_text
from sqlserver_sandbox.model import Cancelled, SqlError
from sqlserver_sandbox.tsql.catalogue import Database


class StaleSnapshotError(Exception):
    """The statement's snapshot is from before another session's DDL: it is to be bound and run anew. Never reaches a client."""


class Snapshot:
    """`written` are the tables changed in it, `altered` those of them that DDL, a SWITCH or a TRUNCATE touched."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store = store
        self._connection = connection
        connection.before_use = self.begin
        self._began: dict[int, int] = {}
        """Database -> the number of commits when the snapshot first looked at it."""
        self._catalogues: dict[int, Database] = {}
        """As the snapshot has them: read once, and again after a changed one was stored."""
        self.is_open = False
        """The statement has looked at a catalogue, or has begun."""
        self.has_begun = False
        """DuckDB's transaction is open."""
        self.written: set[Key] = set()
        self.altered: set[Key] = set()
        self.written_since: dict[int, str] = {}
        self._defined: dict[int, Database] = {}
        """The catalogues that were stored in it."""

    def touch(self, database_id: int) -> Database:
        """The database's catalogue in the snapshot; where DuckDB's transaction has not begun, the newest."""
        with self._store.commit_mutex:
            self.is_open = True
            self._began.setdefault(database_id, self._store.sequence)
            if database_id not in self._catalogues:
                self._catalogues[database_id] = (
                    self._store.read_catalogue(self._connection, database_id)
                    if self.has_begun
                    else self._store.catalogue(database_id)
                )
            return self._catalogues[database_id]

    def begin(self) -> None:
        """Begin DuckDB's transaction, if it has not, with a snapshot of every database that was looked at.

        Raises StaleSnapshotError when the catalogue of one of them is another one meanwhile.
        """
        if self.has_begun:
            return
        with self._store.commit_mutex:
            if any(self._store.newest(d) is not seen for d, seen in self._catalogues.items()):
                raise StaleSnapshotError
            self.is_open = self.has_begun = True
            # DuckDB takes the snapshot of a database when it first looks at it: all in one go, and no commit comes between.
            looks = [f"FROM db{d}.main.sandbox_catalogue LIMIT 0" for d in self._catalogues]
            try:
                self._connection.run("; ".join(["BEGIN TRANSACTION", *looks]))
            except BaseException:  # an attention, most likely
                with suppress(SqlError, Cancelled):  # it may not have begun
                    self._connection.run("ROLLBACK")
                self.has_begun = False
                raise
            for database_id in self._catalogues:
                self._began[database_id] = self._store.sequence

    def note_written(self, key: Key, *, by_definition: bool) -> None:
        self.written.add(key)
        if by_definition:
            self.altered.add(key)
        self.written_since.setdefault(key[0], now_text())

    def note_defined(self, database: Database) -> None:
        """A changed catalogue was stored."""
        self._defined[database.database_id] = self._catalogues[database.database_id] = database

    def move_on(self) -> bool:
        """Take what was written over to a new snapshot, which has what others committed meanwhile; False where that cannot be.

        The tables that were written are locked: nobody else has changed them. They are carried over whole.
        """
        if self._defined:
            return False
        tables = [f"db{database}.main.t{number}" for database, number in sorted(self.written) if number]
        carried = {name: self._connection.table(f"SELECT * FROM {name}") for name in tables}
        databases = [*self._began]
        counters = [
            (f"db{d}.main.sandbox_counters", self._connection.fetch(f"SELECT * FROM db{d}.main.sandbox_counters"))
            for d in databases
        ]
        self._connection.run("ROLLBACK")
        self.is_open = self.has_begun = False
        self._began.clear()
        self._catalogues.clear()
        with self._store.commit_mutex:
            for database in databases:
                self.touch(database)
            self.begin()
        for name, rows in carried.items():
            self._connection.run(f"DELETE FROM {name}")
            self._connection.insert(name, rows)
        for name, values in counters:
            known = set(self._connection.fetch(f"SELECT * FROM {name}"))
            for row in values:
                if row not in known:
                    self._connection.run(f"INSERT INTO {name} VALUES (?, ?, ?)", row)
        return True

    # ---- what others did since ------------------------------------------------------------------------------------
    def stale(self, keys: set[Key]) -> set[Key]:
        """Those tables that others changed after the snapshot began."""
        return {k for k in keys - self.written if self._store.changed_since(k, self._since(k))}

    def redefined(self, keys: set[Key]) -> set[Key]:
        """Those that others touched with DDL, SWITCH or TRUNCATE after the snapshot began."""
        return {k for k in keys - self.written if self._store.altered_since(k, self._since(k))}

    def _since(self, key: Key) -> int:
        return self._began.get(key[0], self._store.sequence)

    def is_broken(self) -> bool:
        """Whether DuckDB has given the open transaction up."""
        return self.has_begun and self._connection.is_broken()

    # ---- ends -----------------------------------------------------------------------------------------------------
    def commit(self) -> None:
        """Raises what DuckDB's COMMIT raises; nothing is left of the snapshot either way."""
        try:
            if self.has_begun:
                with self._store.commit_mutex:
                    self._connection.run("COMMIT")
                    self._store.publish_catalogues(self._defined)
                    self._store.publish(self.written, frozenset(self.altered))
        finally:
            self._clear()

    def rollback(self) -> None:
        try:
            if self.has_begun:
                self._connection.run("ROLLBACK")
        finally:
            self._clear()

    def _clear(self) -> None:
        self.is_open = self.has_begun = False
        self._began.clear()
        self._catalogues.clear()
        self.written.clear()
        self.altered.clear()
        self.written_since.clear()
        self._defined.clear()

"""SAVE TRANSACTION: tables are copied before their first change after a savepoint, because DuckDB has no savepoints itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.refusal import refused

_CATALOGUE = 0
"""The object number that stands for a database's catalogue."""


@dataclass
class _Savepoint:
    name: str
    copies: dict[str, str] = field(default_factory=dict)
    """Table -> its copy. Both are DuckDB names."""
    has_definitions: bool = False


class Savepoints:
    """Of one transaction, oldest first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._points: list[_Savepoint] = []
        self._copies = 0

    @property
    def have_copies(self) -> bool:
        return any(p.copies for p in self._points)

    def save(self, name: str) -> None:
        self._points.append(_Savepoint(name.lower()))

    def has(self, name: str) -> bool:
        return any(p.name == name.lower() for p in self._points)

    def before_write(self, database: Database, object_id: int) -> None:
        """A table, or with 0 the catalogue, is about to change: keep what it is for the newest savepoint."""
        if not self._points:
            return
        newest = self._points[-1]
        if object_id == _CATALOGUE:
            newest.has_definitions = True
            return
        table = database.table_by_id(object_id)
        if table is None or not self._exists(database, table.physical):
            newest.has_definitions = True
            return
        physical = f"{database.alias}.main.{table.physical}"
        if physical not in newest.copies:
            self._copies += 1
            copy = f"temp.main.savepoint_{self._copies}"
            self._connection.run(f"CREATE TEMP TABLE savepoint_{self._copies} AS SELECT * FROM {physical}")
            newest.copies[physical] = copy

    def _exists(self, database: Database, physical: str) -> bool:
        found = self._connection.scalar(
            f"SELECT count(*) FROM duckdb_tables() WHERE database_name = '{database.alias}' AND table_name = '{physical}'"
        )
        return bool(found)

    def rollback_to(self, name: str) -> None:
        """Tables are as they were at the savepoint, which stays. Raises 6401 for none of that name, the refusal after DDL."""
        if not self.has(name):
            raise SqlError(
                6401, f"Cannot roll back {name}. No transaction or savepoint of that name was found.", state=1
            )
        position = max(i for i, p in enumerate(self._points) if p.name == name.lower())
        if any(p.has_definitions for p in self._points[position:]):
            raise refused("ROLLBACK to a savepoint after which definitions changed; roll the whole transaction back")
        for point in reversed(self._points[position:]):
            for physical, copy in point.copies.items():
                self._connection.run(f"DELETE FROM {physical}")
                self._connection.run(f"INSERT INTO {physical} SELECT * FROM {copy}")
                self._connection.run(f"DROP TABLE {copy}")
            point.copies.clear()
        del self._points[position + 1 :]

    def forget_copies(self) -> None:
        """Nothing has been written, and what was copied is gone with its snapshot."""
        for point in self._points:
            point.copies.clear()
            point.has_definitions = False

    def clear(self) -> None:
        """The transaction is about to end: no copy outlives it."""
        for point in self._points:
            for copy in point.copies.values():
                self._connection.run(f"DROP TABLE IF EXISTS {copy}")
        self._points.clear()

"""The warehouses under test. Another kind joins the matrix by being in `WAREHOUSES`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pytest

from tests.support.server_shop import Server
from tests.support.sqlserver_shop import TARGET_SCHEMA, dropped, made_database

Row = tuple[Any, ...]
Rows = list[Row]


class WarehouseUnderTest(Protocol):
    """What the matrix needs of a warehouse. A place is a directory of a test's own, which is copied with what is in it."""

    name: str
    marks: tuple[pytest.MarkDecorator, ...]

    def beside(self, server: Server) -> WarehouseUnderTest:
        """The same for a test whose source is on this server."""

    def destination(self, place: Path) -> dict[str, Any]:
        """The section `destination` of the config."""

    def copied(self, source: Path, place: Path) -> None:
        """The place was copied as a directory: bring along what does not lie in it."""

    def rows(self, place: Path, table: str, columns: Sequence[str]) -> Rows:
        """All rows of a target table, read without the project; none when it does not exist."""

    def leftovers(self, place: Path) -> list[str]:
        """What a load left behind that is no table of the user's nor a record of loads: empty when all is tidy."""

    def lose(self, place: Path) -> None:
        """Somebody removes the warehouse."""

    def forget(self, place: Path) -> None:
        """The place goes away: remove what does not lie in it."""


class DuckDb:
    """A file in the place."""

    name = "duckdb"
    marks: tuple[pytest.MarkDecorator, ...] = ()

    def beside(self, server: Server) -> DuckDb:
        return self

    def destination(self, place: Path) -> dict[str, Any]:
        return {"path": str(place / "house.duckdb")}

    def copied(self, source: Path, place: Path) -> None:
        """The file was copied with its directory."""

    def rows(self, place: Path, table: str, columns: Sequence[str]) -> Rows:
        path = place / "house.duckdb"
        if not path.exists():
            return []
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'warehouse' AND table_name = ?", [table]
            ).fetchone()
            if found == (0,):
                return []
            return named(connection.execute(f'SELECT * FROM warehouse."{table}"'), columns)

    def leftovers(self, place: Path) -> list[str]:
        with duckdb.connect(str(place / "house.duckdb"), read_only=True) as connection:
            schemas = connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal").fetchall()
        known = {"main", "warehouse", "_dltsync"}
        work = place / "state" / "work"
        return [f"schema {name}" for (name,) in schemas if name not in known] + [
            f"work {path.name}" for path in (sorted(work.iterdir()) if work.exists() else [])
        ]

    def lose(self, place: Path) -> None:
        for path in place.glob("house.duckdb*"):
            path.unlink()

    def forget(self, place: Path) -> None:
        """Nothing lies elsewhere."""


class SqlServer:
    """A database of its own for each place, on the server of the source."""

    name = "sqlserver"
    marks: tuple[pytest.MarkDecorator, ...] = (pytest.mark.sandbox_only("the sandbox copies a database in one piece"),)

    def __init__(self, server: Server | None = None) -> None:
        self._server = server
        self._databases: dict[Path, Server] = {}

    def beside(self, server: Server) -> SqlServer:
        return SqlServer(server)

    def destination(self, place: Path) -> dict[str, Any]:
        if place not in self._databases:
            assert self._server is not None
            self._databases[place] = made_database(self._server, snapshot=False)
        return {"type": "sqlserver", "connection": self._databases[place].database_section}

    def copied(self, source: Path, place: Path) -> None:
        """The sandbox copies a database in one piece: markers, partitions and constraints come along."""
        if source in self._databases:
            name = f"wh_{uuid.uuid4().hex[:8]}"
            with closing(self._databases[source].connect()) as connection:
                connection.execute(f"EXEC sandbox_copy N'{name}'")
            self._databases[place] = replace(self._databases[source], database=name)

    def rows(self, place: Path, table: str, columns: Sequence[str]) -> Rows:
        if place not in self._databases:
            return []
        with closing(self._databases[place].connect()) as connection:
            there = connection.execute(f"SELECT OBJECT_ID(N'{TARGET_SCHEMA}.{table}', N'U')").fetchval()
            if there is None:
                return []
            cursor = connection.execute(f"SELECT * FROM {TARGET_SCHEMA}.[{table}]")
            found = [str(column[0]) for column in cursor.description]
            return in_order([tuple(row) for row in cursor.fetchall()], found, columns)

    def leftovers(self, place: Path) -> list[str]:
        work = place / "state" / "work"
        with closing(self._databases[place].connect()) as connection:
            staging = connection.execute(
                "SELECT t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id "
                "WHERE s.name = N'_dltsync_staging'"
            ).fetchall()
            return [f"staging table {name}" for (name,) in staging] + [
                f"work {path.name}" for path in (sorted(work.iterdir()) if work.exists() else [])
            ]

    def lose(self, place: Path) -> None:
        """An empty database of the same name takes its place."""
        lost = self._databases[place]
        dropped(lost)
        with closing(replace(lost, database="master").connect()) as connection:
            connection.execute(f"CREATE DATABASE {lost.database}")

    def forget(self, place: Path) -> None:
        gone = self._databases.pop(place, None)
        if gone is not None:
            dropped(gone)


WAREHOUSES: tuple[WarehouseUnderTest, ...] = (DuckDb(), SqlServer())


def named(result: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Rows:
    """Rows with these columns in this order, sorted; a column that is not there (yet) reads as NULL. Moments become text."""
    return in_order(result.fetchall(), [str(column[0]) for column in result.description or ()], columns)


def in_order(rows: Sequence[Row], found: Sequence[str], columns: Sequence[str]) -> Rows:
    """Rows of the columns `found`, with those asked for in their order; NULL for one that is not there."""
    at = {name: number for number, name in enumerate(found)}
    return plain([tuple(row[at[c]] if c in at else None for c in columns) for row in rows])


def plain(rows: Sequence[Row]) -> Rows:
    def value(v: Any) -> Any:
        return v.isoformat(timespec="microseconds") if isinstance(v, datetime) else v

    return sorted((tuple(value(v) for v in row) for row in rows), key=repr)

"""The shop of `server_shop`, loaded into a database of a SQL Server: read back by pyodbc alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyodbc

from dltsync_core.config import DestinationConfig
from tests.support.server_shop import COLUMNS, Rows, Server, ServerShop, plain_rows

TARGET_SCHEMA = "warehouse"


class SqlServerShop(ServerShop):
    """`target` is the server with the warehouse's database. `settings` replace or add fields of `destination`."""

    def __init__(self, server: Server, root: Path, target: Server) -> None:
        super().__init__(server, root)
        self.target = target
        self.settings: dict[str, Any] = {}

    def destination(self) -> DestinationConfig:
        return DestinationConfig(type="sqlserver", connection=self.target.database_section, **self.settings)

    def target_query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement in the warehouse, read by pyodbc; none for one without rows."""
        with closing(self.target.connect()) as connection:
            cursor = connection.execute(sql, *values)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def warehouse_rows(self, table: str) -> Rows:
        try:
            return plain_rows(self.target_query(f"SELECT {COLUMNS[table]} FROM {TARGET_SCHEMA}.{table}"))
        except pyodbc.ProgrammingError as error:
            if "(208)" in str(error):
                return []
            raise

    def leftovers(self) -> list[str]:
        """Staging tables, and dlt's working directories."""
        tables = self.target_query(
            "SELECT t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id "
            "WHERE s.name = '_dltsync_staging'"
        )
        work = self.root / "state" / "work"
        return [name for (name,) in tables] + ([path.name for path in work.iterdir()] if work.exists() else [])

    def methods(self) -> dict[str, str | None]:
        """How the units of the next run enter the warehouse, by table: a run must follow in which each table has one way."""
        result = self.run()
        assert result.success, result["errors"]
        return {unit.table.table: unit.load_method for unit in result.units if unit.status == "committed"}


def made_database(server: Server, *, snapshot: bool = True) -> Server:
    """A database of its own on that server."""
    name = f"wh_{uuid.uuid4().hex[:8]}"
    with closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON")
        if snapshot:
            connection.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
    return replace(server, database=name)


def dropped(server: Server) -> None:
    """Remove a database that `made_database` made."""
    with closing(replace(server, database="master").connect()) as connection:
        drop_database(connection, server.database)


def drop_database(connection: pyodbc.Connection, name: str) -> None:
    """Drop it as soon as nobody is in it: a server notices a little later that a connection was closed."""
    for last in (*[False] * 100, True):
        try:
            connection.execute(f"DROP DATABASE {name}")
        except pyodbc.ProgrammingError as error:
            if last or "(3702)" not in str(error):
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def made_sqlserver_shop(server: Server, directory: Path, target: Server) -> Iterator[SqlServerShop]:
    """A shop with rows in it while the block lasts; nothing of it was loaded yet."""
    made = SqlServerShop(server, directory, target)
    try:
        made.create()
        yield made
    finally:
        made.drop()

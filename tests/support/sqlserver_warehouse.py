"""A warehouse in a database of its own on a SQL Server, and a look at it through pyodbc alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyodbc

from dltsync_core.config.sqlserver_destination import WarehouseConnection
from dltsync_core.warehouse.sqlserver.store import StoreSettings
from dltsync_core.warehouse.sqlserver.warehouse import SqlServerWarehouse
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.sqlserver_shop import drop_database

STAGING = "_dltsync_staging"


class SandboxWarehouse:
    """An empty database, and a warehouse over it. `settings` are fields of `StoreSettings`."""

    def __init__(self, server: SandboxServer | Server, root: Path, database: str, **settings: Any) -> None:
        self.server, self.root, self.database = server, root, database
        connection = server.database_config(database=database).model_dump(exclude_unset=True)
        self.waits: list[str] = []
        given = {"staging_schema": STAGING, "lock_seconds": 20.0, **settings}
        self.warehouse = SqlServerWarehouse(
            WarehouseConnection(**connection),
            work_directory=root / "work",
            settings=StoreSettings(**given),
            on_wait=self.waits.append,
        )

    def another(self, **settings: Any) -> SandboxWarehouse:
        """The same database as another process sees it."""
        return SandboxWarehouse(self.server, self.root, self.database, **settings)

    def connect(self) -> pyodbc.Connection:
        """A connection in autocommit."""
        return pyodbc.connect(self.server.odbc(database=self.database), autocommit=True)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            cursor = connection.execute(sql, *values)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def staging(self) -> list[str]:
        """The staging tables that are there."""
        found = self.query(
            "SELECT t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE s.name = ?",
            STAGING,
        )
        return [name for (name,) in found]


@contextmanager
def sandbox_warehouse(server: SandboxServer | Server, root: Path, **settings: Any) -> Iterator[SandboxWarehouse]:
    """For the block."""
    name = f"wh_{uuid.uuid4().hex[:8]}"
    with closing(pyodbc.connect(server.odbc(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            connection.execute(f"ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON")
            yield SandboxWarehouse(server, root, name, **settings)
        finally:
            drop_database(connection, name)


@dataclass(frozen=True)
class Prepared:
    """A warehouse that was filled once, for many tests: each works on a copy."""

    original: SandboxWarehouse
    fill: Callable[[SandboxWarehouse], object]

    @contextmanager
    def copy(self, root: Path, **settings: Any) -> Iterator[SandboxWarehouse]:
        """For the block. A genuine server cannot copy a database: there the copy is filled as the original was."""
        name = f"wh_{uuid.uuid4().hex[:8]}"
        try:
            self.original.query(f"EXEC sandbox_copy N'{name}'")
        except pyodbc.ProgrammingError as error:
            if "(2812)" not in str(error):
                raise
            with sandbox_warehouse(self.original.server, root, **settings) as house:
                self.fill(house)
                yield house
            return
        try:
            yield SandboxWarehouse(self.original.server, root, name, **settings)
        finally:
            with closing(pyodbc.connect(self.original.server.odbc(), autocommit=True)) as connection:
                drop_database(connection, name)


@contextmanager
def prepared_warehouse(
    server: SandboxServer | Server, root: Path, fill: Callable[[SandboxWarehouse], object]
) -> Iterator[Prepared]:
    """For the fixture of a module: filling a warehouse is dear, copying one is not."""
    with sandbox_warehouse(server, root) as original:
        fill(original)
        yield Prepared(original, fill)

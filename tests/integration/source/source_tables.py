"""A schema of its own for each test, and tables in it; changed by pyodbc, never by the project."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pyarrow as pa
import pyodbc

from dltsync_core.config import DatabaseConfig, ProcessingConfig, TableConfig
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE, Extracted, UnitFilter
from tests.support.server_shop import Server

UNUSED_WITHIN_SECONDS = 5.0


class SourceTables:
    """`{s}` in a statement is the schema; what is made through `make` is dropped at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.schema = f"src_{uuid.uuid4().hex[:8]}"
        self.connection: pyodbc.Connection = server.connect()
        self._undo: list[str] = []
        self.make("CREATE SCHEMA {s}", "DROP SCHEMA {s}")

    def run(self, statement: str, *values: Any) -> None:
        """Execute at the source."""
        self.connection.execute(statement.replace("{s}", self.schema), *values)

    def make(self, statement: str, undo: str) -> None:
        """Execute, and remember how to take it back."""
        self.run(statement)
        self._undo.append(undo)

    def table(self, name: str, columns: str, on: str = "") -> None:
        """CREATE TABLE."""
        self.make(f"CREATE TABLE {{s}}.{name} ({columns}) {on}", f"DROP TABLE {{s}}.{name}")

    def numbered(self, name: str, rows: int) -> None:
        """A table with so many rows: `id` from 0, and a text of a hundred characters."""
        self.table(name, "id int NOT NULL, text nvarchar(100) NOT NULL")
        self.run(f"INSERT INTO {{s}}.{name} VALUES (0, ?)", "x" * 100)
        present = 1
        while present < rows:
            more = min(present, rows - present)
            self.run(
                f"INSERT INTO {{s}}.{name} (id, text) SELECT id + {present}, text FROM {{s}}.{name} WHERE id < {more}"
            )
            present += more

    def drop(self) -> None:
        """Take everything back."""
        for statement in reversed(self._undo):
            self._run_when_unused(statement)
        self.connection.close()

    def other_database(self, snapshot: str) -> str:
        """CREATE DATABASE with SNAPSHOT isolation ON or OFF; its name."""
        self.make("CREATE DATABASE db_{s}", "DROP DATABASE db_{s}")
        self.run(f"ALTER DATABASE db_{{s}} SET ALLOW_SNAPSHOT_ISOLATION {snapshot}")
        return f"db_{self.schema}"

    def _run_when_unused(self, statement: str) -> None:
        """A server notices the end of a session a moment after the client: until then a database is in use (3702)."""
        deadline = time.monotonic() + UNUSED_WITHIN_SECONDS
        while True:
            try:
                return self.run(statement)
            except pyodbc.Error as error:
                if "(3702)" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def database(self, **values: Any) -> DatabaseConfig:
        """How the project reaches the server."""
        return self.server.database_config(**values)

    def source(self, **processing: Any) -> SqlServerSource:
        """The source half over this server."""
        return SqlServerSource(self.database(), ProcessingConfig(**processing))

    def read(self, table: TableConfig, unit: UnitFilter = WHOLE, **processing: Any) -> tuple[pa.Table, Extracted]:
        """All rows of a unit, in one Arrow table, and the report."""
        source = self.source(**processing)
        facts = source.read_tables([table])[table.name]
        mapping = source.map_columns(facts, table)
        batches: list[pa.RecordBatch] = []
        with source.read_view() as view:
            report = view.extract(facts, mapping, unit, batches.append)
        return pa.Table.from_batches(batches, schema=mapping.schema), report

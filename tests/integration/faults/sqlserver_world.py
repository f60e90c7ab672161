"""The world with a warehouse in SQL Server, on the server that misbehaves: its database is copied back for every schedule."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyodbc

from dltsync_core.config import PipelineConfig
from tests.integration.faults.target_faults import TARGET
from tests.integration.faults.world import World
from tests.support.server_shop import COLUMNS, Rows, Server, plain_rows
from tests.support.sqlserver_shop import TARGET_SCHEMA, drop_database

LOADED = f"{TARGET}_loaded"


class SqlServerWorld(World):
    """A World whose warehouse is a database of the same server. The connection that looks at it meets no faults."""

    def __init__(self, server: Server, root: Path) -> None:
        super().__init__(server, root)
        self.schema = "shop_of_sqlserver"
        self._target = replace(server, database=TARGET)

    def prepare(self) -> None:
        self._connection.execute(f"CREATE DATABASE {TARGET}")
        super().prepare()
        self._copy(TARGET, LOADED)

    def begin(self, *, loaded: bool) -> None:
        drop_database(self._connection, TARGET)
        if loaded:
            self._copy(LOADED, TARGET)
        else:
            self._connection.execute(f"CREATE DATABASE {TARGET}")
        super().begin(loaded=loaded)

    def _copy(self, source: str, name: str) -> None:
        self._connection.execute(f"USE {source}")
        self._connection.execute(f"EXEC sandbox_copy N'{name}'")
        self._connection.execute(f"USE {self.server.database}")

    def config(self) -> PipelineConfig:
        config = super().config()
        # A fault that stalls may meet a connection to the warehouse: it has the same limit as one to the source.
        limits = {name: value for name, value in self.database.items() if name == "command_timeout"}
        settings = {"connection": {**self._target.database_section, **limits}, "switch_lock_timeout_ms": 200}
        destination = {"type": "sqlserver", "lock_timeout_seconds": config.destination.lock_timeout_seconds, **settings}
        return PipelineConfig(
            **{**config.model_dump(exclude={"destination"}, exclude_unset=True), "destination": destination}
        )

    # ---- the warehouse -----------------------------------------------------------------------------------------------

    @property
    def warehouse(self) -> Path:
        """Something that is there: who holds the warehouse needs no file of it."""
        return self.root

    def _target_rows(self, sql: str) -> Rows:
        """What pyodbc reads there; nothing while the table is not there."""
        try:
            return [tuple(row) for row in self._connection.execute(sql).fetchall()]
        except pyodbc.ProgrammingError as error:
            if "(208)" in str(error):
                return []
            raise

    def warehouse_rows(self, table: str) -> Rows:
        return plain_rows(self._target_rows(f"SELECT {COLUMNS[table]} FROM {TARGET}.{TARGET_SCHEMA}.{table}"))

    def highest_change(self) -> str:
        found = self._target_rows(
            f"SELECT CONVERT(varchar(27), MAX(Changed), 121) FROM {TARGET}.{TARGET_SCHEMA}.Customers"
        )
        return (found[0][0] or "") if found else ""

    def staging(self) -> list[str]:
        """The staging tables that are there."""
        found = self._target_rows(
            f"SELECT t.name FROM {TARGET}.sys.tables AS t JOIN {TARGET}.sys.schemas AS s ON s.schema_id = t.schema_id "
            "WHERE s.name = N'_dltsync_staging'"
        )
        return [name for (name,) in found]


class Reader:
    """Another session that reads a table of the warehouse in a long transaction: publishing has to wait for it. It takes the
    place of the program that holds a DuckDB file."""

    def __init__(self, server: Server) -> None:
        self._server = replace(server, database=TARGET)
        self._reading: threading.Thread | None = None

    def hold(self, _path: Path, seconds: float) -> bool:
        """Whether it has the table; it lets go by itself."""
        try:
            connection = self._server.connect()
            connection.autocommit = False
            connection.execute(f"SELECT COUNT(*) FROM {TARGET_SCHEMA}.Orders WITH (TABLOCKX)").fetchall()
        except pyodbc.Error:  # not there yet, or the server misbehaves: this session meets faults, too
            return False
        self._reading = threading.Thread(target=self._until, args=(connection, seconds))
        self._reading.start()
        return True

    @staticmethod
    def _until(connection: pyodbc.Connection, seconds: float) -> None:
        with closing(connection):
            time.sleep(seconds)

    def wait(self) -> None:
        """Until it has let go."""
        if self._reading is not None:
            self._reading.join()
        self._reading = None

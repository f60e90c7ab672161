"""A small shop on a real connection: one table of each kind in a schema of its own, and the three places read back.

The source is changed and read by pyodbc, the lake and the warehouse are read by DuckDB alone: nothing here uses the
project to look at what the project did.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyodbc

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.duckdb_memory import empty_database, opened_file
from tests.support.sandbox_server import SandboxServer, braced, odbc_driver

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Server:
    """Where the tests' SQL Server answers. An empty `username` is integrated security. `described` goes into the header of the
    run."""

    host: str
    port: int
    database: str
    username: str
    password: str
    driver: str
    described: str

    @classmethod
    def of(cls, sandbox: SandboxServer, described: str, *, database: str | None = None) -> Server:
        """A sandbox as its owner sees it."""
        return cls(
            host=sandbox.host,
            port=sandbox.port,
            database=database or sandbox.database,
            username=sandbox.user,
            password=sandbox.password,
            driver=str(odbc_driver()),
            described=described,
        )

    def connect(self) -> pyodbc.Connection:
        """A connection in autocommit, for changing the source."""
        return pyodbc.connect(self.odbc(), autocommit=True)

    def odbc(self, *, database: str | None = None) -> str:
        """A connection string for pyodbc, with the driver by its path."""
        login = f"UID={self.username};PWD={braced(self.password)}" if self.username else "Trusted_Connection=yes"
        return (
            f"DRIVER={braced(self.driver)};SERVER={self.host},{self.port};DATABASE={database or self.database};"
            f"{login};Encrypt=yes;TrustServerCertificate=yes"
        )

    @property
    def database_section(self) -> dict[str, Any]:
        """The section `database` of a config file for this server."""
        login: dict[str, Any] = {"username": self.username, "password": self.password}
        return {
            "server": self.host,
            "port": self.port,
            "database": self.database,
            **(login if self.username else {"integrated_security": True}),
            "trust_server_certificate": True,
        }

    def database_config(self, **options: Any) -> DatabaseConfig:
        """The same as a config; options replace or add fields."""
        return DatabaseConfig(**{**self.database_section, **options})


@dataclass
class Statements:
    """What the data connections sent: `rows` asked for rows of a table, `looks` for a handful of figures."""

    rows: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)


COLUMNS = {
    "Orders": "OrderNo, PlacedAt, Amount, Note",
    "Customers": "CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed",
    "Countries": "Code, Name, Area",
}


class ServerShop:
    """Tables Orders (RANGE RIGHT on PlacedAt, months of 2026), Customers (versions) and Countries, and a pipeline over them."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.root = root
        self.schema = f"shop_{uuid.uuid4().hex[:8]}"
        self._connection = server.connect()
        self.overrides: dict[str, Any] = {}
        self.database: dict[str, Any] = {}

    # -- the source -------------------------------------------------------------------------------------------------

    def execute(self, sql: str, *values: Any) -> None:
        """Run a statement at the source; {s} is the schema."""
        self._connection.execute(sql.replace("{s}", self.schema), *values)

    def create(self) -> None:
        self.execute("CREATE SCHEMA {s}")
        self.execute(
            "CREATE PARTITION FUNCTION pf_{s} (datetime2(3)) AS RANGE RIGHT FOR VALUES "
            "('2026-02-01T00:00:00', '2026-03-01T00:00:00')"
        )
        self.execute("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])")
        self.execute(
            "CREATE TABLE {s}.Orders (OrderNo int NOT NULL, PlacedAt datetime2(3) NULL, Amount decimal(12,2) NOT NULL, "
            "Note nvarchar(50) NULL) ON ps_{s}(PlacedAt)"
        )
        self.execute(
            "CREATE TABLE {s}.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, "
            "EndDate datetime2(3) NULL, IsLatest bit NOT NULL, Name nvarchar(100) NULL, Changed datetime2(7) NOT NULL, "
            "CONSTRAINT pk_{s}_c PRIMARY KEY (CustomerNo, EffectiveDate))"
        )
        self.execute(
            "CREATE TABLE {s}.Countries (Code char(2) NOT NULL, Name nvarchar(100) NULL, Area bigint NULL, "
            "CONSTRAINT pk_{s}_l PRIMARY KEY (Code))"
        )
        self.fill()

    def fill(self) -> None:
        """The first rows: three partitions, a history of three versions, three countries."""
        numbers = [("2026-01-05T10:00:00.123", n) for n in range(1, 10)]
        numbers += [("2026-02-05T10:00:00", n) for n in range(101, 109)]
        numbers += [("2026-03-05T10:00:00", n) for n in range(201, 208)]
        orders = ", ".join(f"({n}, '{placed_at}', {n * 10}, N'note {n}')" for placed_at, n in numbers)
        self.execute(f"INSERT INTO {{s}}.Orders (OrderNo, PlacedAt, Amount, Note) VALUES {orders}")
        self.execute(
            "INSERT INTO {s}.Customers (CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed) VALUES "
            "(1, '2026-01-01', '2026-01-05', 0, N'Ann', '2026-01-01T08:00:00.1234567'), "
            "(1, '2026-01-05', NULL, 1, N'Anne', '2026-01-05T08:00:00.7654321'), "
            "(2, '2026-01-02', NULL, 1, N'Bøb', '2026-01-02T08:00:00.0000001')"
        )
        self.execute(
            "INSERT INTO {s}.Countries (Code, Name, Area) VALUES "
            "('CH', N'Schweiz', 41285), ('FR', N'France', 643801), ('JP', N'日本', 377975)"
        )

    def add_orders(self, first: int, placed_at: str | None, count: int) -> None:
        numbers = range(first, first + count)
        self.execute(
            "INSERT INTO {s}.Orders (OrderNo, PlacedAt, Amount, Note) VALUES "
            + ", ".join(["(?, CAST(? AS datetime2(3)), ?, ?)"] * count),
            *(value for n in numbers for value in (n, placed_at, n * 10, f"note {n}")),
        )

    def add_version(
        self, key: int, since: str, name: str, changed: str, *, end: str | None = None, latest: bool = True
    ) -> None:
        self.execute(
            "INSERT INTO {s}.Customers (CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed) "
            "VALUES (?, CAST(? AS datetime2(3)), CAST(? AS datetime2(3)), ?, ?, CAST(? AS datetime2(7)))",
            key,
            since,
            end,
            latest,
            name,
            changed,
        )

    def drop(self) -> None:
        for name in COLUMNS:
            self.execute(f"DROP TABLE IF EXISTS {{s}}.{name}")
        self.execute("DROP PARTITION SCHEME ps_{s}")
        self.execute("DROP PARTITION FUNCTION pf_{s}")
        self.execute("DROP SCHEMA {s}")
        self.close()

    def close(self) -> None:
        """Leave the source as it is."""
        self._connection.close()

    # -- the pipeline -----------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """What a shop of another kind sets in `overrides`, once its schema is known."""

    def config(self) -> PipelineConfig:
        tables: dict[str, Any] = {
            "partition_tables": [PartitionTableConfig(table_name="Orders", schema_name=self.schema)],
            "scd_tables": [
                SCDTableConfig(table_name="Customers", schema_name=self.schema, last_modified_column="Changed")
            ],
            "static_tables": [StaticTableConfig(table_name="Countries", schema_name=self.schema)],
        }
        return PipelineConfig(
            database=self.server.database_config(**self.database),
            **{"processing": ProcessingConfig(batch_size=4), **tables, **self.overrides},
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=self.destination(),
        )

    def destination(self) -> DestinationConfig:
        """Where the warehouse is."""
        return DestinationConfig(path=self.root / "house.duckdb")

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config())

    def run(self, **arguments: Any) -> RunResult:
        with self.pipeline() as pipeline:
            return pipeline.run(**arguments)

    # -- the three places -------------------------------------------------------------------------------------------

    def source_rows(self, table: str) -> Rows:
        cursor = self._connection.execute(f"SELECT {COLUMNS.get(table, '*')} FROM {self.schema}.{table}")
        return plain_rows([tuple(row) for row in cursor.fetchall()])

    def lake_rows(self, table: str) -> Rows:
        """A plain glob; for versions the newest change of each, by the name of its load."""
        files = sorted(self.root.glob(f"lake/*/{self.schema}_{table}*/data/**/*.parquet"))
        if not files:
            return []
        with empty_database() as connection:
            newest = (
                "QUALIFY row_number() OVER (PARTITION BY CustomerNo, EffectiveDate ORDER BY filename DESC) = 1"
                if table == "Customers"
                else ""
            )
            return plain_rows(
                connection.execute(
                    f"SELECT {COLUMNS.get(table, '* EXCLUDE (filename)')} "
                    f"FROM read_parquet(?, filename = true, hive_partitioning = false) {newest}",
                    [[str(file) for file in files]],
                ).fetchall()
            )

    def warehouse_rows(self, table: str) -> Rows:
        path = self.root / "house.duckdb"
        if not path.exists():
            return []
        with opened_file(path) as connection:
            return plain_rows(connection.execute(f'SELECT {COLUMNS[table]} FROM warehouse."{table}"').fetchall())

    def assert_same(self, tables: Sequence[str] = tuple(COLUMNS)) -> None:
        """The same rows in all three places, each once."""
        for table in tables:
            expected = self.source_rows(table)
            assert self.lake_rows(table) == expected, f"lake of {table}"
            assert self.warehouse_rows(table) == expected, f"warehouse of {table}"


@contextmanager
def made_shop(server: Server, directory: Path) -> Iterator[ServerShop]:
    """A shop with rows in it while the block lasts; nothing of it was loaded yet."""
    made = ServerShop(server, directory)
    try:
        made.create()
        yield made
    finally:
        made.drop()


def plain_rows(rows: Sequence[tuple[Any, ...]]) -> Rows:
    """Sorted, with moments to the microsecond: Python knows no finer ones (the digits below are compared elsewhere)."""

    def value(v: Any) -> Any:
        return v.isoformat(timespec="microseconds") if isinstance(v, datetime) else v

    return sorted((tuple(value(v) for v in row) for row in rows), key=repr)

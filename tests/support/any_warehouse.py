"""One warehouse of each kind behind the same helper: loads by the port, and a look at the database by its own driver alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.clock import utc_now
from dltsync_core.committed import LoadIdentity, Marker, Probe
from dltsync_core.identity import TableName, Target, identifier_part
from dltsync_core.plan.steps import Disposition, ReplaceTable
from dltsync_core.run.ports import VersionedWarehouse
from dltsync_core.testing import FakeWarehouse
from dltsync_core.warehouse.delta.warehouse import DeltaWarehouse
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.port import Loaded, LoadRequest
from tests.support.delta_tables import delta_query, delta_root, unreferenced_files
from tests.support.duckdb_memory import opened_file
from tests.support.sqlserver_warehouse import SandboxWarehouse

KINDS = ("duckdb", "postgres", "standard_sql", "delta")
"""`standard_sql`: what dltsync writes for a destination it has no tests for, run by dlt's duckdb."""
SQL_SERVER_KINDS = ("sqlserver", "sqlserver:fast_executemany")
"""SQL Server by bulk copy, and by the way that a config chooses when bulk copy is not possible."""


@dataclass(frozen=True)
class Where:
    """A warehouse to open, also in another process. `url` is PostgreSQL's, as psycopg takes it. A `stand-in` keeps its rows in
    memory."""

    kind: str
    root: str
    url: str = ""

    @property
    def file(self) -> Path:
        return Path(self.root) / "house.duckdb"


class AnyWarehouse:
    """A warehouse, and a place for files."""

    def __init__(self, where: Where, **options: Any) -> None:
        self.where = where
        self.root = Path(where.root)
        self.work = self.root / "work"
        self.warehouse = _open(where, self.work, options)

    @property
    def is_postgres(self) -> bool:
        return self.where.kind == "postgres"

    def file(self, table: pa.Table) -> Path:
        path = self.root / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(table, path, version="2.6")
        return path

    def request(
        self,
        target: Target,
        *tables: pa.Table,
        how: Disposition | None = None,
        marker: Marker | None = None,
        retires: tuple[str, ...] = (),
    ) -> LoadRequest:
        files = tuple(self.file(table) for table in tables)
        request = LoadRequest(target, files, tables[0].schema, how or ReplaceTable(), uuid.uuid4().hex)
        return replace(request, marker=marker, retires=retires)

    def load(self, target: Target, *tables: pa.Table, how: Disposition | None = None) -> Loaded:
        return self.warehouse.load(self.request(target, *tables, how=how))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """By the database's own driver."""
        if self.where.kind == "delta":
            return delta_query(self.where.root, statement)
        if self.is_postgres:
            with psycopg.connect(self.where.url) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                return connection.execute(statement.encode()).fetchall()
        with opened_file(self.where.file) as connection:
            return connection.execute(statement).fetchall()

    def rows(self, target: Target) -> list[tuple[Any, ...]]:
        """All rows, in the order of the first column."""
        if isinstance(self.warehouse, FakeWarehouse):
            return sorted((tuple(row.values()) for row in self.warehouse.tables[target]), key=lambda row: row[0])
        named = map(identifier_part, target) if self.where.kind == "delta" else target
        schema, table = (name.replace('"', '""') for name in named)
        return self.query(f'SELECT * FROM "{schema}"."{table}" ORDER BY 1')

    def read(self, target: Target, columns: pa.Schema) -> list[tuple[Any, ...]]:
        """The rows as the port gives them, in the order of the first column."""
        with self.warehouse.rows(target, None, columns) as batches:
            rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
        return sorted(rows, key=lambda row: row[0])

    def leftovers(self) -> list[str]:
        """Working files, and schemas that no load is to leave."""
        files = [str(path) for path in self.work.glob("*")] if self.work.exists() else []
        if self.where.kind == "delta":
            return files + unreferenced_files(self.where.root)
        if self.where.kind == "stand-in":
            return files
        schemas = self.query("SELECT schema_name FROM information_schema.schemata")
        return files + sorted({name for (name,) in schemas if "landing" in name or "stag" in name})


class OnSqlServer(AnyWarehouse):
    """A database of its own on a SQL Server."""

    def __init__(self, house: SandboxWarehouse) -> None:
        self.where = Where("sqlserver", str(house.root))
        self.root, self.work = house.root, house.root / "work"
        self.warehouse = house.warehouse
        self._house = house

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """By pyodbc."""
        return self._house.query(statement)

    def rows(self, target: Target) -> list[tuple[Any, ...]]:
        """All rows, in the order of the first column."""
        schema, table = (name.replace("]", "]]") for name in target)
        return self.query(f"SELECT * FROM [{schema}].[{table}] ORDER BY 1")

    def leftovers(self) -> list[str]:
        """Working files and staging tables."""
        return [str(path) for path in self.work.glob("*")] + self._house.staging()


def _open(where: Where, work: Path, options: Mapping[str, Any]) -> VersionedWarehouse:
    if where.kind == "stand-in":
        return FakeWarehouse()
    if where.kind == "delta":
        return DeltaWarehouse(str(delta_root(where.root)), None, **options)
    if where.kind == "duckdb":
        return DuckDbWarehouse(where.file, work_directory=work, **options)
    credentials = where.url if where.kind == "postgres" else str(where.file)
    return DltWarehouse(
        "postgres" if where.kind == "postgres" else "duckdb",
        credentials,
        dataset_name="warehouse",
        work_directory=work,
        **options,
    )


def marker(
    unit: str = "all", *, load_id: str = "load-1", fence: int = 7, pipeline: str = "p", table: str = "Orders"
) -> Marker:
    """What a load of a unit says of itself."""
    return Marker(
        identity=LoadIdentity(
            pipeline, "server/database", TableName("dbo", table), "static", unit, load_id, "run-1", "definition"
        ),
        fence=fence,
        rows=99,
        probe=Probe("hashbytes_sha256", 2, "2|17", None),
        watermark="2026-01-15 12:00:00.1234567",
        lake="digest",
        written_at=utc_now(),
    )

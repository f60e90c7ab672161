"""Static tables on a real connection, brought over by the whole pipeline, and both places read back by DuckDB alone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyodbc

from dltsync_core.config import (
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.duckdb_memory import empty_database, opened_file
from tests.support.server_shop import Server


class TypeTables:
    """`{s}` in a statement is a schema of this house's own. `tables` are settings by table name."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.root = root
        self.schema = f"types_{uuid.uuid4().hex[:8]}"
        self.connection: pyodbc.Connection = server.connect()
        self.tables: dict[str, dict[str, Any]] = {}
        self.partitioned: dict[str, dict[str, Any]] = {}
        self.processing: dict[str, Any] = {}
        self.execute("CREATE SCHEMA {s}")

    def execute(self, sql: str, *values: Any) -> None:
        self.connection.execute(sql.replace("{s}", self.schema), *values)

    def create(self, name: str, columns: str, **settings: Any) -> None:
        self.execute(f"CREATE TABLE {{s}}.{name} ({columns})")
        self.tables[name] = settings

    def create_partitioned(self, name: str, columns: str, **settings: Any) -> None:
        """On one partition function over `id`, in two partitions: its changes are found by counting, without a hash."""
        if not self.partitioned:
            self.execute("CREATE PARTITION FUNCTION pf_{s} (int) AS RANGE RIGHT FOR VALUES (10)")
            self.execute("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])")
        self.execute(f"CREATE TABLE {{s}}.{name} ({columns}) ON ps_{{s}}(id)")
        self.partitioned[name] = {"change_detection": "row_count", **settings}

    def drop(self) -> None:
        for name in (*self.tables, *self.partitioned):
            self.execute(f"DROP TABLE {{s}}.{name}")
        if self.partitioned:
            self.execute("DROP PARTITION SCHEME ps_{s}")
            self.execute("DROP PARTITION FUNCTION pf_{s}")
        self.execute("DROP SCHEMA {s}")
        self.connection.close()

    def config(self) -> PipelineConfig:
        server = self.server
        return PipelineConfig(
            database=server.database_config(),
            static_tables=[
                StaticTableConfig(table_name=name, schema_name=self.schema, **settings)
                for name, settings in self.tables.items()
            ],
            partition_tables=[
                PartitionTableConfig(table_name=name, schema_name=self.schema, **settings)
                for name, settings in self.partitioned.items()
            ],
            processing=ProcessingConfig(**self.processing),
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config())

    def run(self, **arguments: Any) -> RunResult:
        with self.pipeline() as pipeline:
            return pipeline.run(**arguments)

    def lake_files(self, name: str) -> list[Path]:
        return sorted(self.root.glob(f"lake/*/{self.schema}_{name}*/data/**/*.parquet"))

    def footers(self, name: str) -> list[dict[bytes, bytes]]:
        return [pq.read_metadata(file).metadata or {} for file in self.lake_files(name)]

    def lake(self, name: str, items: str, order: str = "id") -> list[tuple[Any, ...]]:
        files = [str(file) for file in self.lake_files(name)]
        with empty_database() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(
                f"SELECT {items} FROM read_parquet(?, hive_partitioning = false) ORDER BY {order}", [files]
            ).fetchall()

    def warehouse(self, name: str, items: str, order: str = "id") -> list[tuple[Any, ...]]:
        with opened_file(self.root / "house.duckdb") as connection:
            return connection.execute(f'SELECT {items} FROM warehouse."{name}" ORDER BY {order}').fetchall()

    def warehouse_types(self, name: str) -> dict[str, str]:
        with opened_file(self.root / "house.duckdb") as connection:
            described = connection.execute(f'DESCRIBE warehouse."{name}"').fetchall()
            return {row[0]: row[1] for row in described}


def errors(result: RunResult) -> Sequence[str]:
    """What failed, as a person reads it."""
    return [str(unit.error) for unit in result.failed]

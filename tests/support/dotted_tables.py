"""Tables of each kind whose names make one text: `[a.b].[c]` and `[a].[b.c]`, with rows that tell which is which."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from dltsync_core.config import (
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.identity import TableName
from dltsync_core.lake.lake import Lake
from tests.support.server_shop import Server

LETTERS: Mapping[str, str] = {"partition": "c", "scd": "v", "static": "s"}
COLUMNS = (
    "No int NOT NULL, Since datetime2(3) NOT NULL, Until datetime2(3) NULL, Latest bit NOT NULL, Note nvarchar(60) NULL"
)


class DottedTables:
    """Two tables of each of the `kinds` in two schemas. Every row says in `Note` which table it is of."""

    def __init__(self, server: Server, root: Path, kinds: Sequence[str] = tuple(LETTERS)) -> None:
        self.server, self.root, self.kinds = server, root, kinds
        self.tag = f"a{uuid.uuid4().hex[:6]}"
        self._connection = server.connect()
        self._made: list[str] = []

    def tables(self, kind: str) -> tuple[TableName, ...]:
        """The two of a kind; none of a kind that is not here."""
        if kind not in self.kinds:
            return ()
        letter = LETTERS[kind]
        return TableName(f"{self.tag}.b", letter), TableName(self.tag, f"b.{letter}")

    @property
    def all(self) -> list[TableName]:
        return [table for kind in self.kinds for table in self.tables(kind)]

    def execute(self, sql: str, *values: Any) -> list[Any]:
        cursor = self._connection.execute(sql, *values)
        return cursor.fetchall() if cursor.description else []

    def create(self) -> None:
        self._make(f"PARTITION FUNCTION [pf {self.tag}]", "(int) AS RANGE LEFT FOR VALUES (10, 20)")
        self._make(f"PARTITION SCHEME [ps {self.tag}]", f"AS PARTITION [pf {self.tag}] ALL TO ([PRIMARY])")
        for schema in (f"{self.tag}.b", self.tag):
            self._make(f"SCHEMA [{schema}]", "")
        for kind in self.kinds:
            for number, table in enumerate(self.tables(kind)):
                key = "No, Since" if kind == "scd" else "No"
                on = f" ON [ps {self.tag}](No)" if kind == "partition" else ""
                self._make(f"TABLE [{table.schema}].[{table.table}]", f"({COLUMNS}, PRIMARY KEY ({key})){on}")
                self.add(table, *range(1, 25 + number))

    def add(self, table: TableName, *numbers: int) -> None:
        note = f"of {table.schema} | {table.table}"
        rows = ", ".join(f"({number}, '2026-01-01', NULL, 1, N'{number} {note}')" for number in numbers)
        self.execute(f"INSERT INTO [{table.schema}].[{table.table}] VALUES {rows}")

    def _make(self, what: str, how: str) -> None:
        self.execute(f"CREATE {what} {how}")
        self._made.append(f"DROP {what}")

    def drop(self) -> None:
        for statement in reversed(self._made):
            self.execute(statement)
        self._connection.close()

    def config(self) -> PipelineConfig:
        server = self.server
        return PipelineConfig(
            database=server.database_config(),
            partition_tables=[
                PartitionTableConfig(table_name=t.table, schema_name=t.schema) for t in self.tables("partition")
            ],
            scd_tables=[
                SCDTableConfig(
                    table_name=t.table,
                    schema_name=t.schema,
                    last_modified_column="Since",
                    effective_date_column="Since",
                    end_date_column="Until",
                    is_latest_column="Latest",
                )
                for t in self.tables("scd")
            ],
            static_tables=[StaticTableConfig(table_name=t.table, schema_name=t.schema) for t in self.tables("static")],
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def source(self, table: TableName) -> list[str]:
        return sorted(note for (note,) in self.execute(f"SELECT Note FROM [{table.schema}].[{table.table}]"))

    def lake(self, table: TableName) -> list[str]:
        """What a reader finds who takes the folder of a table for the table."""
        lake = Lake(self.root / "lake", "dltsync", keep_generations=0)
        files = sorted(lake.data_directory(table).rglob("*.parquet"))
        return sorted(str(note) for file in files for note in pq.ParquetFile(file).read()["Note"].to_pylist())

    def warehouse(self, table: TableName) -> list[str]:
        with closing(duckdb.connect(str(self.root / "house.duckdb"), read_only=True)) as connection:
            return sorted(n for (n,) in connection.execute(f'SELECT Note FROM warehouse."{table.table}"').fetchall())

    def assert_everywhere(self) -> None:
        for table in self.all:
            rows = self.source(table)
            assert rows
            assert self.lake(table) == rows, table
            assert self.warehouse(table) == rows, table

"""Parquet files to load, and a look at the warehouse through DuckDB alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.warehouse.dlt_warehouse import DltWarehouse
from dltsync_core.warehouse.port import Disposition, Loaded, LoadRequest, ReplaceTable, Target


class House:
    """A DuckDB file, a warehouse over it, and a place for files."""

    def __init__(self, root: Path, *, file_name: str = "house.duckdb", **options: Any) -> None:
        self.root = root
        self.path = root / file_name
        self.work = root / "work"
        given = {"pipeline": "shop", "work_directory": self.work, **options}
        self.warehouse = DltWarehouse(self.path, **given)

    def file(self, table: pa.Table) -> Path:
        path = self.root / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(table, path, version="2.6")
        return path

    def request(
        self,
        target: Target,
        *tables: pa.Table,
        how: Disposition | None = None,
        hints: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> LoadRequest:
        files = tuple(self.file(table) for table in tables)
        return LoadRequest(target, files, tables[0].schema, how or ReplaceTable(), uuid.uuid4().hex, hints or {})

    def load(self, target: Target, *tables: pa.Table, how: Disposition | None = None) -> Loaded:
        return self.warehouse.load(self.request(target, *tables, how=how))

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(statement, list(parameters)).fetchall()

    def types(self, target: Target) -> dict[str, str]:
        rows = self.query(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
            "ORDER BY column_index",
            target,
        )
        return dict(rows)


def orders(rows: Mapping[int, str | None]) -> pa.Table:
    """A small table: a number that is never NULL, and a note."""
    fields: list[pa.Field[Any]] = [pa.field("No", pa.int32(), nullable=False), pa.field("Note", pa.string())]
    return pa.table(
        {"No": pa.array(list(rows), pa.int32()), "Note": pa.array(list(rows.values()), pa.string())},
        schema=pa.schema(fields),
    )

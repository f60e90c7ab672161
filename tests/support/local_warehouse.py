"""Parquet files to load, and a look at the warehouse through DuckDB alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.identity import Target
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.port import Loaded, LoadRequest
from tests.support.duckdb_memory import opened_file


class LocalWarehouse:
    """A DuckDB file, a warehouse over it, and a place for files."""

    def __init__(self, root: Path, *, file_name: str = "house.duckdb", **options: Any) -> None:
        self.root = root
        self.path = root / file_name
        self.work = root / "work"
        given = {"work_directory": self.work, **options}
        self.warehouse = DuckDbWarehouse(self.path, **given)

    def file(self, table: pa.Table) -> Path:
        path = self.root / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(table, path, version="2.6")
        return path

    def request(
        self,
        target: Target,
        *tables: pa.Table,
        how: Disposition | None = None,
    ) -> LoadRequest:
        files = tuple(self.file(table) for table in tables)
        return LoadRequest(target, files, tables[0].schema, how or ReplaceTable(), uuid.uuid4().hex)

    def load(self, target: Target, *tables: pa.Table, how: Disposition | None = None) -> Loaded:
        return self.warehouse.load(self.request(target, *tables, how=how))

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with opened_file(self.path) as connection:
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


TARGET = ("sales", "Orders")
NUMBER = ColumnFacts("No", 1, "int", 4, 10, 0, None, is_nullable=False)


def slot(key: str) -> ReplaceScope:
    return scope_for(NUMBER, pa.int32(), [parse_key(key)])


DISPOSITIONS: list[Disposition] = [ReplaceTable(), MergeKeys(("No",)), UpsertKeys(("No",)), slot("(-inf,+inf)")]


def rows(house: LocalWarehouse, target: tuple[str, str] = TARGET) -> list[tuple[Any, ...]]:
    schema, table = target
    return house.query(f'SELECT * FROM "{schema}"."{table}" ORDER BY 1')


def leftovers(house: LocalWarehouse) -> list[str]:
    """Working files and staging schemas."""
    files = [str(path) for path in house.work.glob("*")] if house.work.exists() else []
    schemas = house.query("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name LIKE '%stag%'")
    return files + [schema for (schema,) in schemas]


def one_row(no: int, kind: pa.DataType, value: Any) -> pa.Table:
    return pa.table({"No": pa.array([no], pa.int32()), "Value": pa.array([value], kind)})


def open_once(lock: WarehouseFileLock) -> None:
    """Open the file under its lock, and close it."""
    with lock.opened():
        pass

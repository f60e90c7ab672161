"""A shop in memory: a FakeSource with a table of each kind, a pipeline into a FakeWarehouse, and all three read back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

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
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from dltsync_core.testing import (
    FakeSource,
    FakeTable,
    FakeWarehouse,
    Row,
    bit_column,
    datetime_column,
    int_column,
    text_column,
)

ORDERS = TableName("sales", "Orders")
CUSTOMERS = TableName("sales", "Customers")
COUNTRIES = TableName("dbo", "Countries")
EPOCH = datetime(2026, 1, 1)

EVERYTHING = {
    "Orders (-inf,10)": "committed",
    "Orders [10,20)": "committed",
    "Orders [20,+inf)": "committed",
    "Customers all": "committed",
    "Countries all": "committed",
}
"""What the first run of a whole shop comes to."""


def order(number: int | None, text: str = "x") -> Row:
    return {"OrderNo": number, "Note": text}


def version(key: int, day: int, text: str, *, changed: int | None = None) -> Row:
    at = EPOCH.replace(day=changed or day)
    return {
        "CustomerNo": key,
        "EffectiveDate": EPOCH.replace(day=day),
        "EndDate": None,
        "IsLatest": True,
        "Name": text,
        "Changed": at,
    }


def shop() -> FakeSource:
    """Orders 1..29 in (-inf,10) [10,20) [20,+inf), three customers with four versions, three countries."""
    orders = FakeTable(
        (int_column("OrderNo", nullable=True), text_column("Note")),
        [order(n) for n in range(1, 30)],
        primary_key=("OrderNo",),
        partition_column="OrderNo",
        boundaries=[10, 20],
    )
    customers = FakeTable(
        (
            int_column("CustomerNo"),
            datetime_column("EffectiveDate"),
            datetime_column("EndDate"),
            bit_column("IsLatest"),
            text_column("Name"),
            datetime_column("Changed"),
        ),
        [version(1, 1, "Ann"), version(1, 5, "Anne"), version(2, 2, "Bob"), version(3, 6, "Cat")],
        primary_key=("CustomerNo", "EffectiveDate"),
        unique_keys=(("CustomerNo", "EffectiveDate"),),
    )
    countries = FakeTable(
        (text_column("Code", nullable=False), text_column("Name")),
        [{"Code": c, "Name": n} for c, n in (("ch", "Switzerland"), ("fr", "France"), ("jp", "Japan"))],
        primary_key=("Code",),
    )
    return FakeSource({ORDERS: orders, CUSTOMERS: customers, COUNTRIES: countries})


class MemoryShop:
    """Source, directories and warehouse that outlive pipelines, as they do in life."""

    def __init__(self, root: Path, **state: Any) -> None:
        self.source = shop()
        self.warehouse = FakeWarehouse()
        self.root = root
        self.static: dict[str, Any] = {}
        self.scd: dict[str, Any] = {}
        self.processing: dict[str, Any] = {}
        self.state = state

    def config(self) -> PipelineConfig:
        return PipelineConfig(
            database=DatabaseConfig(server="fake", database="shop", username="u", password="hunter22"),
            partition_tables=[PartitionTableConfig(table_name="Orders", schema_name="sales")],
            scd_tables=[
                SCDTableConfig(
                    table_name="Customers", schema_name="sales", **{"last_modified_column": "Changed", **self.scd}
                )
            ],
            static_tables=[StaticTableConfig(table_name="Countries", **self.static)],
            processing=ProcessingConfig(**self.processing),
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake", **self.state),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config(), source=self.source, warehouse=self.warehouse)

    def run(self, **arguments: Any) -> RunResult:
        with self.pipeline() as pipeline:
            return pipeline.run(**arguments)

    def rows(self, table: TableName) -> list[Row]:
        return self.source.tables[table].rows

    def lake_rows(self, table: TableName) -> list[Row]:
        """What a reader with a plain glob sees; for customers the newest change of each version."""
        directories = [d for d in (self.root / "lake").glob("*/*/data") if d.parent.name.startswith(_readable(table))]
        files = sorted((f for d in directories for f in d.glob("**/*.parquet")), key=lambda f: f.stat().st_mtime_ns)
        found = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
        if table == CUSTOMERS:
            return list({(row["CustomerNo"], row["EffectiveDate"]): row for row in found}.values())
        return found

    def warehouse_rows(self, table: TableName) -> list[Row]:
        return self.warehouse.tables.get(("warehouse", table.table), [])

    def assert_same(self, tables: Sequence[TableName] = (ORDERS, CUSTOMERS, COUNTRIES)) -> None:
        """Source, lake and warehouse hold the same rows, each once."""
        for table in tables:
            expected = ordered(self.rows(table))
            assert ordered(self.lake_rows(table)) == expected, f"lake of {table}"
            assert ordered(self.warehouse_rows(table)) == expected, f"warehouse of {table}"


def loaded_shop(root: Path) -> MemoryShop:
    """A shop after its first run: a copy of one that is loaded once per process, since copying takes a fraction of the run."""
    model, files = _loaded_once()
    for name, (content, modified) in files.items():
        path = root / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(content)
            os.utime(path, ns=(modified, modified))
    made = MemoryShop(root)
    made.source = deepcopy(model.source)
    for attribute, value in vars(model.warehouse).items():
        if not attribute.startswith("_"):
            setattr(made.warehouse, attribute, deepcopy(value))
    return made


@cache
def _loaded_once() -> tuple[MemoryShop, dict[str, tuple[bytes | None, int]]]:
    """With what is below its root, directories first: content (None for a directory) and time, in nanoseconds."""
    with tempfile.TemporaryDirectory(prefix="dltsync-shop-") as directory:
        model = MemoryShop(Path(directory))
        result = model.run()
        assert result.success, result["errors"]
        return model, {
            str(path.relative_to(directory)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
            for path in sorted(Path(directory).rglob("*"))
        }


def ordered(rows: Sequence[Row]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def outcomes(result: RunResult) -> dict[str, str]:
    """Table and unit -> status."""
    return {f"{unit.table.table} {unit.unit}": unit.status for unit in result.units}


def _readable(table: TableName) -> str:
    return f"{table.schema}_{table.table}"

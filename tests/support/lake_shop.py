"""A shop whose rows lie in a real lake and a real DuckDB file, from a source in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.testing import FakeTable, int_column, text_column
from tests.support.memory_shop import shop

PARCELS = TableName("sales", "Parcels")


class LakeShop:
    """Two partition tables, one of versions and one of reference data; the lake on a disk and a real DuckDB file."""

    def __init__(self, root: Path, pipeline_name: str = "dltsync") -> None:
        self.pipeline_name = pipeline_name
        self.source = shop()
        self.source.tables[PARCELS] = FakeTable(
            (int_column("No"), text_column("Note")),
            [{"No": n, "Note": "p"} for n in (-5, 5, 1500)],
            primary_key=("No",),
            partition_column="No",
            boundaries=[0, 1000],
        )
        self.static: dict[str, Any] = {}
        self.root = root

    def config(self) -> PipelineConfig:
        return PipelineConfig(
            pipeline_name=self.pipeline_name,
            database=DatabaseConfig(server="fake", database="shop", username="u", password="hunter22"),
            partition_tables=[
                PartitionTableConfig(table_name="Orders", schema_name="sales", partition_column="OrderNo"),
                PartitionTableConfig(table_name="Parcels", schema_name="sales"),
            ],
            scd_tables=[
                SCDTableConfig(
                    table_name="Customers",
                    schema_name="sales",
                    last_modified_column="Changed",
                    business_key_columns=["CustomerNo"],
                )
            ],
            static_tables=[StaticTableConfig(table_name="Countries", **self.static)],
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config(), source=self.source)

    def run(self, **arguments: Any) -> None:
        with self.pipeline() as pipeline:
            result = pipeline.run(**arguments)
        assert result.success, result.failed

    def read(self, table: str, **arguments: Any) -> pa.Table:
        self.source.unreachable = AssertionError("the source is asked")
        try:
            with self.pipeline() as pipeline, pipeline.read(table, **arguments) as rows:
                return rows.read_all()
        finally:
            self.source.unreachable = None

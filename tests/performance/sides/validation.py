"""What `dltsync validate` does with one table, step by step: each is measured in the process of this side."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.config import DatabaseConfig, PipelineConfig, ProcessingConfig, StaticTableConfig
from dltsync_core.digest.buckets import RowKeySpec, digest_by_bucket
from dltsync_core.digest.segment import HashAlgorithm, digest_batches
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.ranges import Boundary, slots_of
from dltsync_core.typemap.column_stats import stats_columns
from dltsync_core.validate.lake_rows import fingerprint_lake, summarise_lake
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse

PARTITIONS = 1_000
"""Into so many the warehouse's rows are parted: were every row held against each of them, it would show."""
SHA256: HashAlgorithm = "hashbytes_sha256"


def run(*, database: dict[str, Any], table: str, folder: str, rows: int, **_: Any) -> dict[str, Any]:
    """Seconds of processor time by step."""
    root = Path(folder)
    config = PipelineConfig(
        database=database,
        static_tables=[{"table_name": table}],
        state={"state_directory": root / "state", "parquet_directory": root / "lake"},
        destination={"path": root / "house.duckdb"},
    )
    with IncrementalSQLServerParquetPipeline(config) as pipeline:
        loaded = pipeline.run()
        if loaded.failed or not pipeline.validate_all_tables(fingerprint="sha256")["valid"]:
            raise RuntimeError(f"the table {table} did not load: {[str(unit.error) for unit in loaded.failed]}")
    (static,) = (one for one in config.tables if one.kind == "static")
    memory = config.processing.memory
    house = DuckDbWarehouse(root / "house.duckdb", work_directory=root / "work", memory=memory.warehouse)
    files, target = [sorted(root.glob(f"lake/*/dbo_{table}*/data/**/*.parquet"))], config.target_of(static)
    source = SqlServerSource(DatabaseConfig(**database), ProcessingConfig())
    facts = source.read_tables([StaticTableConfig(table_name=table)])[static.name]
    mapping = source.map_columns(facts, static)
    columns, key = stats_columns(mapping), mapping.columns[0]
    inner = [Boundary(str(number * max(rows // PARTITIONS, 1))) for number in range(1, PARTITIONS)]
    parted = {part.key: scope_for(key.column, key.field.type, [part]) for part in slots_of(inner, "right")}
    keyed = RowKeySpec(mapping.columns, mapping.columns[:1])

    def of_warehouse(digest: Callable[[Any], object]) -> None:
        with house.rows(target, None, mapping.schema) as batches:
            digest(batches)

    def read() -> None:
        with source.read_view() as view:
            view.extract(facts, mapping, WHOLE, lambda batch: None)

    steps: dict[str, Callable[[], object]] = {
        "reading the rows": read,
        "statistics of the lake": lambda: summarise_lake(files, columns, (), memory.scratch),
        "statistics of the warehouse": lambda: house.column_stats(target, {"all": None}, columns),
        f"the same by {PARTITIONS:,} partitions": lambda: house.column_stats(target, parted, columns),
        "fingerprint of the lake": lambda: fingerprint_lake(files, mapping.columns, (), SHA256, memory.scratch),
        "fingerprint of the warehouse": lambda: of_warehouse(lambda found: digest_batches(found, mapping.columns)),
        "buckets of the warehouse": lambda: of_warehouse(lambda found: digest_by_bucket(found, keyed, 2, None)),
    }
    found = {name: _processor_time(work) for name, work in steps.items()}
    source.close()
    return found


def _processor_time(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started

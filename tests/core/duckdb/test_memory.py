"""Every DuckDB connection obeys its budget, and what Arrow reads for it stays small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.config import DestinationConfig, PipelineConfig, ProcessingConfig, StateConfig
from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.memory_budget import DuckDbMemory, least_memory_mb
from dltsync_core.config.tables import StaticTableConfig
from dltsync_core.lake.file_reader import SCAN_ROWS, dataset_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.warehouse.duckdb.database_file import DatabaseFile

SETTINGS = "SELECT current_setting('memory_limit'), current_setting('threads')"


def test_a_warehouse_file_is_opened_with_the_limit_and_the_threads(tmp_path: Path) -> None:
    for memory in (DuckDbMemory(300, 2), DuckDbMemory(150, 1)):
        file = DatabaseFile(
            tmp_path / "house.duckdb", lock_timeout_seconds=5, memory=memory, on_wait=lambda message: None
        )
        with file.opened() as (connection, _):
            assert connection.execute(SETTINGS).fetchone() == (f"{memory.limit_mb}.0 MiB", memory.threads)


def test_the_option_reaches_the_warehouse_of_a_pipeline(tmp_path: Path) -> None:
    found = []
    for limit in (least_memory_mb(1), 4 * least_memory_mb(1)):
        processing = ProcessingConfig(memory_limit_mb=limit, max_workers=1)
        config = PipelineConfig(
            database=DatabaseConfig(server="nowhere", database="shop", username="a", password="b"),
            static_tables=[StaticTableConfig(table_name="t")],
            processing=processing,
            state=StateConfig(state_directory=tmp_path / "state", parquet_directory=tmp_path / "lake"),
            destination=DestinationConfig(path=tmp_path / "house.duckdb"),
        )
        with IncrementalSQLServerParquetPipeline(config) as pipeline:
            file = pipeline._warehouse._file  # type: ignore[attr-defined]
            with file.opened() as (connection, _):
                effective = connection.execute(SETTINGS).fetchone()
        expected = processing.memory.warehouse
        assert effective == (f"{expected.limit_mb}.0 MiB", expected.threads)
        found.append(expected.limit_mb)
    assert found[0] < found[1]


def test_a_dataset_reads_one_small_batch_ahead_also_for_duckdb(tmp_path: Path) -> None:
    """Arrow's own scanner holds gigabytes of wide rows beside DuckDB, whose limit knows nothing of them."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": range(5 * SCAN_ROWS)}), path, write_page_checksum=True)
    dataset = dataset_of([path, path])
    sizes = [batch.num_rows for batch in dataset.scanner(batch_size=1_000_000, batch_readahead=64).to_batches()]
    assert (max(sizes), sum(sizes)) == (SCAN_ROWS, 10 * SCAN_ROWS)
    asked: list[dict[str, Any]] = []
    kind: Any = type(dataset)

    class Observed(kind):  # type: ignore[misc]
        def scanner(self, **options: Any) -> Any:
            asked.append(options)
            return super().scanner(**options)

    observed = Observed(list(dataset.get_fragments()), dataset.schema, dataset.format, dataset.filesystem)
    with duckdb.connect(":memory:") as connection:
        connection.register("rows", observed)
        assert connection.execute("SELECT count(a) FROM rows").fetchone() == (10 * SCAN_ROWS,)
    assert asked, "DuckDB takes the scanner of the class, and with it the bounds"

"""dltsync from the server to the warehouse: as a user runs it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.config import PipelineConfig
from tests.performance.measure import start_measuring
from tests.performance.sides.floor import summary


def run(
    *,
    database: dict[str, Any],
    folder: str,
    tables: list[str],
    kind: str = "partition_tables",
    processing: dict[str, Any] | None = None,
    measured_run: int = 1,
    force: bool = False,
    settings: dict[str, Any] | None = None,
    amount: str = "amount",
    **_: Any,
) -> dict[str, Any]:
    """The rows and the sum of `amount` of the first table in the warehouse, and the units by what became of them. `kind` is the
    section of the config with the tables; of `measured_run` runs only the last is measured."""
    config = PipelineConfig(
        database=database,
        processing=processing or {},
        state={"state_directory": f"{folder}/state", "parquet_directory": f"{folder}/lake"},
        destination={"path": f"{folder}/house.duckdb"},
        **{kind: [{"table_name": table, **(settings or {})} for table in tables]},
    )
    with IncrementalSQLServerParquetPipeline(config) as pipeline:
        for number in range(measured_run):
            if number:
                start_measuring()
            found = pipeline.run(force=force)
            if found.failed:
                raise RuntimeError("; ".join(str(unit.error) for unit in found.failed))
    statuses = [str(unit.status) for unit in found.units]
    counted = {status: statuses.count(status) for status in sorted(set(statuses))}
    with closing(duckdb.connect(f"{Path(folder)}/house.duckdb", read_only=True)) as connection:
        return {**summary(connection, f"warehouse.{tables[0]}", amount), "units": counted}

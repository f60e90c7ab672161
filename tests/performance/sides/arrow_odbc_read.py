"""arrow-odbc: Arrow batches by Microsoft's ODBC driver, into one Parquet file, and one CREATE TABLE AS in DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from arrow_odbc import read_arrow_batches_from_odbc

from tests.performance.sides.floor import BATCH_ROWS, load

LONGEST_TEXT = 4_000
"""Bytes of a text buffer, of which there is one for every row of a batch."""


def run(*, odbc: str, table: str, folder: str, **_: Any) -> dict[str, Any]:
    """The rows and the sum of `amount` that the warehouse holds afterwards."""
    reader = read_arrow_batches_from_odbc(
        query=f"SELECT * FROM dbo.{table}",
        connection_string=odbc,
        batch_size=BATCH_ROWS // 4,
        max_text_size=LONGEST_TEXT,
    )
    path = Path(folder) / "arrow_odbc.parquet"
    with pq.ParquetWriter(path, reader.schema, version="2.6", compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
    return load(Path(folder) / "arrow_odbc.duckdb", path)

"""The floor: the bare driver's Arrow batches into one Parquet file, and one CREATE TABLE AS in DuckDB. No checks, no evidence."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import mssql_python
import pyarrow.parquet as pq

BATCH_ROWS = 65_536


def run(*, connection_string: str, table: str, folder: str, **_: Any) -> dict[str, Any]:
    """The rows and the sum of `amount` that the warehouse holds afterwards."""
    path = Path(folder) / "floor.parquet"
    with closing(mssql_python.connect(connection_string)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM dbo.{table}")
        reader = cursor.arrow_reader(batch_size=BATCH_ROWS)
        with pq.ParquetWriter(path, reader.schema, version="2.6", compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
    return load(Path(folder) / "floor.duckdb", path)


def load(house: Path, path: Path) -> dict[str, Any]:
    """One CREATE TABLE AS of a Parquet file."""
    with closing(duckdb.connect(str(house))) as connection:
        connection.execute("CREATE TABLE loaded AS SELECT * FROM read_parquet(?)", [str(path)])
        return summary(connection, "loaded")


def summary(connection: duckdb.DuckDBPyConnection, relation: str, amount: str = "amount") -> dict[str, Any]:
    """The rows and the sum of `amount` of a table: what every side must have loaded. connectorx gives a decimal other digits."""
    rows, total = connection.execute(f"SELECT count(*), sum({amount}) FROM {relation}").fetchone() or (0, 0)
    return {"rows": rows, "amount": f"{total or 0:.4f}"}

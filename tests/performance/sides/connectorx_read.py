"""connectorx: the rows as Arrow, into one Parquet file, and one CREATE TABLE AS in DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import connectorx
import pyarrow.parquet as pq

from tests.performance.sides.floor import load


def run(*, database: dict[str, Any], table: str, folder: str, **_: Any) -> dict[str, Any]:
    """The rows and the sum of `amount` that the warehouse holds afterwards."""
    login = f"{quote(database['username'], safe='')}:{quote(database['password'], safe='')}"
    address = f"mssql://{login}@{database['server']}:{database['port']}/{database['database']}"
    rows = connectorx.read_sql(
        f"{address}?encrypt=false&trust_server_certificate=true", f"SELECT * FROM dbo.{table}", return_type="arrow"
    )
    path = Path(folder) / "connectorx.parquet"
    pq.write_table(rows, path, version="2.6", compression="zstd")
    return load(Path(folder) / "connectorx.duckdb", path)

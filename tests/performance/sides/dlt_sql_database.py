"""dlt's own way: its `sql_database` source (pyarrow backend, over SQLAlchemy and pyodbc) into its own DuckDB destination."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import dlt
import duckdb
from dlt.sources.sql_database import sql_table

from tests.performance.sides.floor import summary

CHUNK_ROWS = 50_000
"""Rows of a batch: dlt's default."""


def run(*, odbc: str, table: str, folder: str, **_: Any) -> dict[str, Any]:
    """The rows and the sum of `amount` that the warehouse holds afterwards."""
    house = Path(folder) / "dlt.duckdb"
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=f"{folder}/dlt", destination=dlt.destinations.duckdb(str(house)), dataset_name="dbo"
    )
    resource = sql_table(
        f"mssql+pyodbc:///?odbc_connect={quote_plus(odbc)}",
        table=table,
        schema="dbo",
        backend="pyarrow",
        chunk_size=CHUNK_ROWS,
        reflection_level="full_with_precision",
    )
    pipeline.run(resource, write_disposition="replace").raise_on_failed_jobs()
    with closing(duckdb.connect(str(house), read_only=True)) as connection:
        return summary(connection, f"dbo.{table}")

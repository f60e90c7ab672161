"""Ways to bring the rows of a Parquet file into a table of a SQL Server database.

Each imports what it alone needs itself: the peak of memory is then its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mssql_python
import pyarrow as pa
import pyarrow.parquet as pq
import pyodbc

from tests.performance.measure import start_measuring
from tests.support.sandbox_server import odbc_driver

FIRST_ROWS = 100
"""Rows of a load before the one that is measured: what is imported and read once is not the cost of a load."""
ROWS_AT_A_TIME = 10_000
CREATE = "CREATE TABLE dbo.{} (No int NOT NULL PRIMARY KEY, Amount decimal(12,2) NULL, Note nvarchar(max) NULL)"
INSERT = "INSERT INTO dbo.{} (No, Amount, Note) VALUES (?, ?, ?)"


@dataclass(frozen=True)
class Target:
    """A database as each way is told of it: the section `database` of a config, and connection strings."""

    database: dict[str, Any]
    odbc: str
    connection_string: str

    def create(self, table: str) -> None:
        """The table for the ways that need one."""
        with closing(pyodbc.connect(self.odbc, autocommit=True)) as connection:
            connection.execute(CREATE.format(table))


def run(
    *, database: dict[str, Any], odbc: str, connection_string: str, folder: str, way: str, rows: int, **_: Any
) -> dict[str, Any]:
    """The name of a new table that holds the rows afterwards."""
    mssql_python.pooling(enabled=False)
    pyodbc.pooling = False
    schema, load, is_made = WAYS[way]
    target, name = Target(database, odbc, connection_string), ""
    for count in (min(rows, FIRST_ROWS), rows):
        name = f"rows_{uuid.uuid4().hex[:8]}"
        path = Path(folder) / f"{name}.parquet"
        pq.write_table(rows_of(count), path, version="2.6")
        if is_made:
            target.create(name)
        start_measuring()
        load(target, path, name)
    return {"table": f"{schema}.{name}"}


def rows_of(count: int) -> pa.Table:
    """An int, a decimal and a short text: 34 bytes a row in Arrow."""
    numbers = pa.array(range(count), pa.int32())
    fields: list[pa.Field[Any]] = [
        pa.field("No", pa.int32(), nullable=False),
        pa.field("Amount", pa.decimal128(12, 2)),
        pa.field("Note", pa.string()),
    ]
    notes = pa.array([f"note {number}" for number in range(count)])
    return pa.table([numbers, numbers.cast(pa.decimal128(12, 2)), notes], schema=pa.schema(fields))


def _by_dltsync(target: Target, path: Path, table: str) -> None:
    """A file of the lake as a run loads it: lock, step of dlt, bulk copy, counts, SWITCH and marker."""
    from dltsync_core.config.sqlserver_destination import WarehouseConnection
    from dltsync_core.plan.steps import ReplaceTable
    from dltsync_core.warehouse.port import LoadRequest, TargetLayout
    from dltsync_core.warehouse.sqlserver.store import StoreSettings
    from dltsync_core.warehouse.sqlserver.warehouse import SqlServerWarehouse

    rows = pq.ParquetFile(path)
    warehouse = SqlServerWarehouse(
        WarehouseConnection(**target.database),
        work_directory=path.parent / "work",
        settings=StoreSettings(staging_schema="_dltsync_staging", lock_seconds=20.0),
    )
    request = LoadRequest(
        ("dbo", table), (path,), rows.schema_arrow, ReplaceTable(), f"load {table}", layout=TargetLayout(("No",))
    )
    loaded = warehouse.load(request)
    if (loaded.method, loaded.rows) != ("switch", rows.metadata.num_rows):
        raise RuntimeError(f"loaded {loaded}")


def _by_bulkcopy(target: Target, path: Path, table: str) -> None:
    with closing(mssql_python.connect(target.connection_string)) as connection, closing(connection.cursor()) as cursor:
        rows = pq.read_table(path)
        tuples: Any = list(zip(*rows.to_pydict().values(), strict=True))
        cursor.bulkcopy(f"dbo.{table}", tuples, timeout=0, column_mappings=rows.schema.names)


def _by_fast_executemany(target: Target, path: Path, table: str) -> None:
    with closing(pyodbc.connect(target.odbc)) as connection, connection.cursor() as cursor:
        cursor.fast_executemany = True
        for batch in pq.read_table(path).to_batches(ROWS_AT_A_TIME):
            cursor.executemany(INSERT.format(table), list(zip(*batch.to_pydict().values(), strict=True)))
        connection.commit()


def _by_dlt(target: Target, path: Path, table: str) -> None:
    """dlt's own destination: files of INSERT statements, executed by pyodbc."""
    import dlt
    from dlt.destinations.impl.mssql.configuration import MsSqlCredentials

    driver, database = str(odbc_driver()), target.database
    MsSqlCredentials.SUPPORTED_DRIVERS = [driver]  # by its path: none need be installed
    credentials = MsSqlCredentials(
        {
            "host": database["server"],
            "port": database["port"],
            "database": database["database"],
            "username": database["username"],
            "password": database["password"],
            "driver": driver,
            "query": {"Encrypt": "no", "TrustServerCertificate": "yes"},
        }
    )
    pipeline = dlt.pipeline(
        table,
        destination=dlt.destinations.mssql(credentials),
        dataset_name="by_dlt",
        pipelines_dir=str(path.parent / "pipelines"),
    )
    pipeline.run(pq.read_table(path), table_name=table)


WAYS: dict[str, tuple[str, Callable[[Target, Path, str], None], bool]] = {
    "dltsync": ("dbo", _by_dltsync, False),
    "bulkcopy": ("dbo", _by_bulkcopy, True),
    "fast_executemany": ("dbo", _by_fast_executemany, True),
    "dlt": ("by_dlt", _by_dlt, False),
}
"""The schema of the table, how a file is loaded into it, and whether it must be there before."""

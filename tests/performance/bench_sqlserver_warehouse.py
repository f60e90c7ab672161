"""What it costs to load a SQL Server warehouse, beside other ways of bringing the same rows there. Run it: no pytest needed.

    python -m tests.performance.bench_sqlserver_warehouse [rows]

What counts is the processor time of this process: the drivers and dltsync, not the server. That is the sandbox, in a process of
its own, and would decide every clock time: it executes the rows of fast_executemany one by one. What a server does with the rows
and what a network costs is not in these figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dlt
import mssql_python
import pyarrow as pa
import pyarrow.parquet as pq
import pyodbc
from dlt.destinations.impl.mssql.configuration import MsSqlCredentials

from dltsync_core.plan.steps import ReplaceTable
from dltsync_core.warehouse.port import LoadRequest, TargetLayout
from tests.support.sandbox_server import SandboxServer, odbc_driver
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse

ROWS = 50_000
ROWS_AT_A_TIME = 10_000
FAST = "pyodbc fast_executemany"
SLOW_ROWS = 2_000
"""Rows for the ways that send rows as statements, which the sandbox executes one by one."""
INSERT = "INSERT INTO dbo.{} (No, Amount, Note) VALUES (?, ?, ?)"


def rows_of(count: int) -> pa.Table:
    numbers = pa.array(range(count), pa.int32())
    fields: list[pa.Field[Any]] = [
        pa.field("No", pa.int32(), nullable=False),
        pa.field("Amount", pa.decimal128(12, 2)),
        pa.field("Note", pa.string()),
    ]
    return pa.table(
        {
            "No": numbers,
            "Amount": numbers.cast(pa.decimal128(12, 2)),
            "Note": pa.array([f"note {number}" for number in range(count)]),
        },
        schema=pa.schema(fields),
    )


def fast_executemany(house: SandboxWarehouse, table: str, rows: pa.Table) -> None:
    with closing(house.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False  # one transaction, as the others have
        cursor.fast_executemany = True
        for batch in rows.to_batches(ROWS_AT_A_TIME):
            cursor.executemany(INSERT.format(table), list(zip(*batch.to_pydict().values(), strict=True)))
        connection.commit()


def bulkcopy_of_tuples(house: SandboxWarehouse, table: str, rows: pa.Table) -> None:
    server = house.server
    if not isinstance(server, SandboxServer):
        raise TypeError("the benchmark's server is the sandbox")
    with closing(mssql_python.connect(server.connection_string(database=house.database))) as connection:
        tuples: Any = list(zip(*rows.to_pydict().values(), strict=True))
        connection.cursor().bulkcopy(f"dbo.{table}", tuples, timeout=0, column_mappings=rows.schema.names)


def dlt_mssql(house: SandboxWarehouse, table: str, rows: pa.Table) -> None:
    """dlt's own destination: files of INSERT statements, executed by pyodbc."""
    server, driver = house.server, str(odbc_driver())
    MsSqlCredentials.SUPPORTED_DRIVERS = [*MsSqlCredentials.SUPPORTED_DRIVERS, driver]  # by its path: none is installed
    credentials = MsSqlCredentials(
        {
            "host": server.host,
            "port": server.port,
            "database": house.database,
            "username": "sa",
            "password": server.password,
            "driver": driver,
            "query": {"TrustServerCertificate": "yes"},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            table, destination=dlt.destinations.mssql(credentials), dataset_name="by_dlt", pipelines_dir=folder
        )
        pipeline.run(rows, table_name=table)


def by_dltsync(house: SandboxWarehouse, path: Path, rows: pa.Table) -> None:
    layout = TargetLayout(("No",))
    request = LoadRequest(("dbo", "loaded"), (path,), rows.schema, ReplaceTable(), "load-1", layout=layout)
    loaded = house.warehouse.load(request)
    if (loaded.method, loaded.rows) != ("switch", rows.num_rows):
        raise RuntimeError(f"loaded {loaded}")


def spent(way: Callable[[], None]) -> float:
    """Seconds of this process's processors."""
    before = time.process_time()
    way()
    return time.process_time() - before


def main(count: int) -> None:
    rows = rows_of(count)
    few = rows.slice(0, min(count, SLOW_ROWS))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pq.write_table(rows, root / "rows.parquet", version="2.6")
        pq.write_table(few, root / "few.parquet", version="2.6")
        server = SandboxServer(root)
        server.start()
        try:
            with sandbox_warehouse(server, root) as house:
                by_dltsync(house, root / "few.parquet", few)  # what is imported and read once costs the first load only
                ways: dict[str, tuple[pa.Table, Callable[[str], None]]] = {
                    "dltsync: lake file -> bulkcopy_arrow -> switch": (
                        rows,
                        lambda _: by_dltsync(house, root / "rows.parquet", rows),
                    ),
                    "mssql-python bulkcopy of tuples": (rows, lambda table: bulkcopy_of_tuples(house, table, rows)),
                    FAST: (few, lambda table: fast_executemany(house, table, few)),
                    "dlt's mssql destination": (few, lambda table: dlt_mssql(house, table, few)),
                }
                per_second: dict[str, float] = {}
                for number, (name, (sent, way)) in enumerate(ways.items()):
                    house.query(
                        f"CREATE TABLE dbo.t{number} (No int NOT NULL PRIMARY KEY, Amount decimal(12,2) NULL, "
                        "Note nvarchar(max) NULL)"
                    )
                    table = f"t{number}"
                    try:
                        per_second[name] = sent.num_rows / spent(lambda way=way, table=table: way(table))  # type: ignore[misc]
                    except Exception as error:  # noqa: BLE001 -- the others are measured all the same
                        said = " ".join(str(error).split())
                        print(f"{name}: not measured: {said[-300:]}")
                width = rows.nbytes / rows.num_rows
                for name, rate in per_second.items():
                    print(
                        f"{name:50} {rate:10,.0f} rows and {rate * width / 1e6:7.1f} MB per second of the client's processor, "
                        f"{rate / per_second[FAST]:6.1f} x fast_executemany"
                    )
        finally:
            server.stop()


if __name__ == "__main__":
    mssql_python.pooling(enabled=False)
    pyodbc.pooling = False
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)

"""What it costs to load a SQL Server warehouse, beside other ways of bringing the same rows there. Run it: no pytest needed.

    python -m tests.performance.bench_sqlserver_warehouse [rows]

The server is the sandbox, on the same machine, which decodes every value in Python: its share is in all figures, and a genuine
server has another one. Its row-by-row handling of fast_executemany is slow beyond proportion: that ratio is the sandbox's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mssql_python
import pyarrow as pa
import pyarrow.parquet as pq
import pyodbc

from dltsync_core.plan.steps import ReplaceTable
from dltsync_core.warehouse.port import LoadRequest, TargetLayout
from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse

ROWS = 50_000
ROWS_AT_A_TIME = 10_000
FAST = "pyodbc fast_executemany"
PART = 50
"""fast_executemany, which the sandbox runs row by row, gets this part of the rows only."""
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
    with closing(mssql_python.connect(house.server.connection_string(database=house.database))) as connection:
        tuples: Any = list(zip(*rows.to_pydict().values(), strict=True))
        connection.cursor().bulkcopy(f"dbo.{table}", tuples, timeout=0, column_mappings=rows.schema.names)


def by_dltsync(house: SandboxWarehouse, path: Path, rows: pa.Table) -> None:
    layout = TargetLayout(("No",))
    request = LoadRequest(("dbo", "loaded"), (path,), rows.schema, ReplaceTable(), "load-1", layout=layout)
    loaded = house.warehouse.load(request)
    if (loaded.method, loaded.rows) != ("switch", rows.num_rows):
        raise RuntimeError(f"loaded {loaded}")


def main(count: int) -> None:
    rows = rows_of(count)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pq.write_table(rows, root / "rows.parquet", version="2.6")
        server = SandboxServer(root)
        server.start()
        try:
            with sandbox_warehouse(server, root) as house:
                ways: dict[str, Callable[[str], None]] = {
                    "dltsync: lake file -> bulkcopy_arrow -> switch": lambda _: by_dltsync(
                        house, root / "rows.parquet", rows
                    ),
                    "mssql-python bulkcopy of tuples": lambda table: bulkcopy_of_tuples(house, table, rows),
                    FAST: lambda table: fast_executemany(house, table, rows.slice(0, count // PART)),
                }
                seconds = {}
                for number, (name, way) in enumerate(ways.items()):
                    house.query(
                        f"CREATE TABLE dbo.t{number} (No int NOT NULL PRIMARY KEY, Amount decimal(12,2) NULL, "
                        "Note nvarchar(max) NULL)"
                    )
                    started = time.perf_counter()
                    way(f"t{number}")
                    seconds[name] = time.perf_counter() - started
                rates = {name: count / spent / (PART if name == FAST else 1) for name, spent in seconds.items()}
                for name, rate in rates.items():
                    print(f"{name:50} {rate:10,.0f} rows/s {rate / rates[FAST]:8.1f} x fast_executemany")
        finally:
            server.stop()


if __name__ == "__main__":
    mssql_python.pooling(enabled=False)
    pyodbc.pooling = False
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)

"""What reading in slices costs against one statement for the same rows. Run it: no pytest needed.

    python -m tests.performance.bench_slices [rows]

The server is the sandbox: it sorts where SQL Server would walk its clustered index, and it runs on the same machine. So the
ratios are the client's cost and an upper bound for the server's, nothing about seconds. Rounds are interleaved; the best of
each way counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pyodbc

from dltsync_core.config import DatabaseConfig, ProcessingConfig, StaticTableConfig
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE, Extracted
from tests.support.sandbox_server import SandboxServer

ROWS = 400_000
ROUNDS = 3
SLICES = (1, 2, 4, 8, 16, 40)
"""How many slices the rows are read in; 1 is one plain statement."""


def fill(server: SandboxServer, rows: int) -> None:
    """A table of `rows` rows with a composite key, in a database that allows SNAPSHOT isolation."""
    with closing(pyodbc.connect(server.odbc(), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE bench")
        connection.execute("ALTER DATABASE bench SET ALLOW_SNAPSHOT_ISOLATION ON")
    with closing(pyodbc.connect(server.odbc(database="bench"), autocommit=True)) as connection:
        connection.execute(
            "CREATE TABLE dbo.t (id bigint NOT NULL, line int NOT NULL, name nvarchar(60) NULL, amount decimal(19,4) NULL, "
            "at datetime2(7) NULL, CONSTRAINT pk PRIMARY KEY (id, line))"
        )
        values = ", ".join(
            f"({n}, {n % 3}, N'name of row {n}', {n}.25, '2024-01-01T00:00:00.{n:07}')" for n in range(1000)
        )
        connection.execute(f"INSERT INTO dbo.t VALUES {values}")
        have = 1000
        while have < rows:
            take = min(have, rows - have)
            connection.execute(
                f"INSERT INTO dbo.t SELECT id + {have}, line, name, amount, at FROM dbo.t WHERE id < {take}"
            )
            have += take


def read(server: SandboxServer, rows: int, slices: int) -> tuple[float, Extracted]:
    """Seconds, and the report, of reading the table in so many slices."""
    database = DatabaseConfig(
        server=server.host,
        port=server.port,
        database="bench",
        username=server.user,
        password=server.password,
        encrypt="no",
        trust_server_certificate=True,
    )
    source = SqlServerSource(database, ProcessingConfig(statement_rows_limit=-(-rows // slices)))
    config = StaticTableConfig(table_name="t")
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    with source.read_view() as view:
        started = time.perf_counter()
        report = view.extract(facts, mapping, WHOLE, lambda batch: None)
        return time.perf_counter() - started, report


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        server = SandboxServer(Path(folder), tls=False)
        server.start()
        try:
            fill(server, rows)
            best: dict[int, float] = {}
            statements: dict[int, int] = {}
            for _ in range(ROUNDS):
                for slices in SLICES:
                    seconds, report = read(server, rows, slices)
                    best[slices] = min(best.get(slices, seconds), seconds)
                    statements[slices] = report.statements
        finally:
            server.stop()
    print(f"{rows:,} rows, best of {ROUNDS} rounds; one statement = 1.00")
    for slices in SLICES:
        print(f"  {slices:>3} slices, {statements[slices]:>3} statements: {best[slices] / best[1]:.2f}")


if __name__ == "__main__":
    main()

"""What a unit costs beside its rows: a table of many small partitions, loaded, looked at again, and reloaded. Run it: no pytest
needed.

    python -m tests.performance.bench_small_units [partitions] [--profile]

Counted is the client's processor time, which a busy machine changes less than the clock. The baseline is reading the same rows
by one statement; what is above it is paid per partition, however many rows that has. Growth is the cost of a partition here,
divided by its cost in a table of a tenth of the partitions: above 1 something looks at all partitions for each of them, and
a table of thousands will take hours.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyodbc

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.run.load.leased import LeasedRun
from tests.support.sandbox_server import SandboxServer

PARTITIONS = 100
FEWER = 10
"""How many times fewer partitions the table has that growth is measured against."""
ROWS = 20
"""Per partition."""
ROWS_PER_INSERT = 1000
"""What the server takes in one statement."""


def fill(server: SandboxServer, partitions: int) -> None:
    with closing(pyodbc.connect(server.odbc(), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE bench")
        connection.execute("ALTER DATABASE bench SET ALLOW_SNAPSHOT_ISOLATION ON")
    with closing(pyodbc.connect(server.odbc(database="bench"), autocommit=True)) as connection:
        bounds = ", ".join(str(n * ROWS) for n in range(1, partitions))
        connection.execute(f"CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES ({bounds})")
        connection.execute("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
        connection.execute(
            "CREATE TABLE dbo.t (id int NOT NULL, name nvarchar(60) NULL, amount decimal(19,4) NULL) ON ps(id)"
        )
        for start in range(0, partitions * ROWS, ROWS_PER_INSERT):
            some = range(start, min(start + ROWS_PER_INSERT, partitions * ROWS))
            values = ", ".join(f"({n}, N'name of row {n}', {n}.25)" for n in some)
            connection.execute(f"INSERT INTO dbo.t VALUES {values}")


def database_of(server: SandboxServer) -> DatabaseConfig:
    return DatabaseConfig(
        server=server.host, port=server.port, database="bench", username=server.user, password=server.password,
        encrypt="no", trust_server_certificate=True,
    )  # fmt: skip


def timed(work: Callable[[], Any]) -> float:
    """Processor time in seconds."""
    started = time.process_time()
    work()
    return time.process_time() - started


def profile_of_units(run: Callable[[], Any]) -> None:
    """Where the time of the units goes, which are worked on in a thread of their own."""
    profile, ordinary = cProfile.Profile(), LeasedRun.run_group
    LeasedRun.run_group = lambda self, steps: profile.runcall(ordinary, self, steps)  # type: ignore[method-assign]
    try:
        run()
    finally:
        LeasedRun.run_group = ordinary  # type: ignore[method-assign]
    pstats.Stats(profile).sort_stats("cumulative").print_stats(120)


def read(server: SandboxServer) -> None:
    source = SqlServerSource(database_of(server), ProcessingConfig())
    config = StaticTableConfig(table_name="t")
    facts = source.read_tables([config])[config.name]
    with source.read_view() as view:
        view.extract(facts, source.map_columns(facts, config), WHOLE, lambda batch: None)
    source.close()


def measured(partitions: int, *, profile: bool = False) -> dict[str, float]:
    """Processor time of each step over a table of so many partitions."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        server = SandboxServer(root, tls=False)
        server.start()
        try:
            fill(server, partitions)
            config = PipelineConfig(
                database=database_of(server),
                partition_tables=[PartitionTableConfig(table_name="t")],
                state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
                destination=DestinationConfig(path=root / "house.duckdb"),
            )
            with IncrementalSQLServerParquetPipeline(config) as pipeline:
                steps: dict[str, Callable[[], Any]] = {
                    "read by one statement": lambda: read(server),
                    "first load": pipeline.run,
                    "nothing changed": pipeline.run,
                    "loaded again": lambda: pipeline.run(force=True),
                    "validated": pipeline.validate_all_tables,
                    "by fingerprint too": lambda: pipeline.validate_all_tables(fingerprint="sha256"),
                }
                found = {name: timed(work) for name, work in steps.items()}
                if profile:
                    profile_of_units(lambda: pipeline.run(force=True, parallel_execution=False))
        finally:
            server.stop()
    return found


def main() -> None:
    many = next((int(a) for a in sys.argv[1:] if a.isdigit()), PARTITIONS)
    few = max(many // FEWER, 1)
    measured(1)  # what is imported and compiled at the first load belongs to neither
    before, found = measured(few), measured(many, profile="--profile" in sys.argv)
    baseline = found["read by one statement"]
    print(
        f"{many} partitions of {ROWS} rows; reading all of them by one statement = 1; growth = beside a table of {few}"
    )
    for name, cpu in found.items():
        growth = cpu / many / (before[name] / few)
        print(f"  {name:<24} {cpu / baseline:8.1f}   {1000 * cpu / many:7.1f} ms a partition   growth {growth:5.2f}")


if __name__ == "__main__":
    main()

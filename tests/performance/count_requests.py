"""What does not depend on rows: processor time, logins and requests of a first load of many small partitions, and of a run over
many static tables that did not change. Run it: no pytest needed.

    python -m tests.performance.count_requests [partitions] [tables]

Counted is the client's processor time (user and system, all threads), which a busy machine changes less than the clock. Two
loads of a tenth of the partitions come first: a unit's fixed cost is what more partitions cost, divided by their number.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    StateConfig,
    StaticTableConfig,
)
from tests.performance.tables import DATABASE, NARROW, create, create_database
from tests.support.sandbox_server import SandboxServer
from tests.support.wire_counter import Counts, WireCounter

PARTITIONS = 1_000
TABLES = 200
ROWS = 20
"""Rows of a partition or a small table."""


class Cost(NamedTuple):
    """Of one run: processor time in seconds, and what was sent."""

    cpu: float
    counts: Counts

    def __str__(self) -> str:
        return f"{self.cpu:8.2f} CPU s {self.counts.logins:6} logins {self.counts.requests:7} requests"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cost_of(counter: WireCounter, work: Callable[[], Any]) -> Cost:
    before, started = counter.counts(), cpu_seconds()
    work()
    return Cost(cpu_seconds() - started, counter.counts().since(before))


@contextmanager
def counted_server(prepare: Callable[[SandboxServer], None]) -> Iterator[tuple[Path, WireCounter, DatabaseConfig]]:
    """An empty folder, a counter before a server that `prepare` filled, and how to reach it."""
    with tempfile.TemporaryDirectory() as folder:
        server = SandboxServer(Path(folder), tls=False)
        server.start()
        try:
            prepare(server)
            with WireCounter(server.port) as counter:
                yield Path(folder), counter, DatabaseConfig(
                    server=server.host, port=counter.port, database=DATABASE, username=server.user,
                    password=server.password, encrypt="no", trust_server_certificate=True,
                )  # fmt: skip
        finally:
            server.stop()


def pipeline_of(root: Path, database: DatabaseConfig, **tables: Any) -> IncrementalSQLServerParquetPipeline:
    return IncrementalSQLServerParquetPipeline(
        PipelineConfig(
            database=database,
            state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
            destination=DestinationConfig(path=root / "house.duckdb"),
            **tables,
        )
    )


def run(pipeline: IncrementalSQLServerParquetPipeline) -> None:
    pipeline.run(raise_on_error=True)


def partitions_loaded(partitions: int) -> Cost:
    """A first load of so many partitions."""
    with (
        counted_server(lambda server: fill(server, {"t": partitions}, ROWS * partitions)) as (root, counter, database),
        pipeline_of(root, database, partition_tables=[PartitionTableConfig(table_name="t")]) as pipeline,
    ):
        return cost_of(counter, lambda: run(pipeline))


def fill(server: SandboxServer, tables: Mapping[str, int], rows: int) -> None:
    """Tables, each of so many partitions and rows."""
    create_database(server)
    for name, partitions in tables.items():
        create(server, name, NARROW, rows, partitions)


def tables_unchanged(tables: int) -> tuple[Cost, Cost]:
    """A first load of so many static tables, and a run after which nothing had changed."""
    names = {f"s{number}": 1 for number in range(tables)}
    configured = [StaticTableConfig(table_name=name) for name in names]
    with (
        counted_server(lambda server: fill(server, names, ROWS)) as (root, counter, database),
        pipeline_of(root, database, static_tables=configured) as pipeline,
    ):
        return cost_of(counter, lambda: run(pipeline)), cost_of(counter, lambda: run(pipeline))


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    partitions, tables = (*numbers, *(PARTITIONS, TABLES)[len(numbers) :])
    few = max(partitions // 10, 2)
    partitions_loaded(2)  # what is imported and compiled at the first load belongs to none
    less, more = partitions_loaded(few), partitions_loaded(partitions)
    first, again = tables_unchanged(tables)
    print(f"{few} partitions, first load           {less}")
    print(f"{partitions} partitions, first load          {more}")
    print(f"  one more partition                {1000 * (more.cpu - less.cpu) / max(partitions - few, 1):8.1f} CPU ms")
    print(f"{tables} static tables, first load       {first}")
    print(f"{tables} static tables, unchanged        {again}")


if __name__ == "__main__":
    main()

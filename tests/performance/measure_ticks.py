"""What a tick of a sensor costs when nothing changed: seconds, processor time and requests, over many tables and over many
partitions. Run it: no pytest needed.

    python -m tests.performance.measure_ticks [tables] [partitions]     (0: none of them)

Measured are the probes and the ledger, as a tick has them (`probe_within`, `committed_of`), in a process beside the server's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.config import DatabaseConfig, PartitionTableConfig, StaticTableConfig
from dltsync_core.run.planning.timed_probes import TableProbes
from tests.performance.count_requests import cost_of, counted_server, fill, pipeline_of
from tests.support.wire_counter import WireCounter

TABLES, PARTITIONS, ROWS = 500, 15_000, 20
SECONDS = 600.0
"""More than a tick has: how long it takes is what is measured."""


def tick(pipeline: IncrementalSQLServerParquetPipeline, names: Sequence[str]) -> int:
    """The units that were probed."""
    pipeline.committed_of(names)
    found = pipeline.probe_within(names, SECONDS).tables.values()
    probed = [one for one in found if isinstance(one, TableProbes)]
    assert len(probed) == len(names), [one for one in found if not isinstance(one, TableProbes)]
    return sum(len(one.probes) for one in probed)


def measured(
    label: str, root: Path, counter: WireCounter, database: DatabaseConfig, **tables: Sequence[object]
) -> None:
    """Two ticks; the second is shown: the first one imports and compiles."""
    names = [str(table.name) for of_kind in tables.values() for table in of_kind]  # type: ignore[attr-defined]
    with pipeline_of(root, database, **tables) as pipeline:
        tick(pipeline, names)
        started = time.perf_counter()
        cost = cost_of(counter, lambda: tick(pipeline, names))
        print(f"{label:24} {time.perf_counter() - started:6.1f} s {cost}", flush=True)


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:]]
    tables, partitions = (*numbers, *(TABLES, PARTITIONS)[len(numbers) :])
    for count in (tables // 5, tables) if tables else ():
        names = {f"s{number}": 1 for number in range(count)}
        with counted_server(lambda server, names=names: fill(server, names, ROWS)) as (root, counter, database):  # type: ignore[misc]
            configured = [StaticTableConfig(table_name=name) for name in names]
            measured(f"{count} static tables", root, counter, database, static_tables=configured)
    if not partitions:
        return
    with counted_server(lambda server: fill(server, {"t": partitions}, partitions)) as (root, counter, database):
        configured_ = [PartitionTableConfig(table_name="t")]
        measured(f"{partitions} partitions", root, counter, database, partition_tables=configured_)


if __name__ == "__main__":
    main()

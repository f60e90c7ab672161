"""What validation and the fingerprint cost beside reading the same rows. Run it: no pytest needed.

    python -m tests.performance.bench_validation [rows]

The server is the sandbox, on the same machine: a genuine server adds up and hashes in its own time. So the figures of the source
are the sandbox's; those of lake and warehouse are ours. Only the ratios mean anything.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dltsync_core.changes.digest import HashAlgorithm, digest_batches
from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PipelineConfig,
    ProcessingConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.typemap.summary import summary_columns
from dltsync_core.validate.lake_rows import fingerprint_lake, summarise_lake
from dltsync_core.warehouse.dlt_warehouse import DltWarehouse
from tests.fixtures_sandbox import SandboxServer
from tests.performance.bench_slices import fill

ROWS = 200_000
ROUNDS = 3
SHA256: HashAlgorithm = "hashbytes_sha256"


def timed(work: Callable[[], object]) -> float:
    """The best of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def measure(server: SandboxServer, root: Path) -> dict[str, float]:
    database = DatabaseConfig(
        server=server.host,
        port=server.port,
        database="bench",
        username=server.user,
        password=server.password,
        encrypt="no",
        trust_server_certificate=True,
    )
    table = StaticTableConfig(table_name="t")
    config = PipelineConfig(
        database=database,
        static_tables=[table],
        state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
        destination=DestinationConfig(path=root / "house.duckdb"),
    )
    with IncrementalSQLServerParquetPipeline(config) as pipeline:
        assert pipeline.run().success
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]
    files = [sorted(root.glob("lake/*/dbo_t*/data/**/*.parquet"))]
    house = DltWarehouse(root / "house.duckdb", pipeline="bench", work_directory=root / "work")
    target = config.target_of(table)
    source = SqlServerSource(database, ProcessingConfig())
    facts = source.read_tables([table])[table.name]
    mapping = source.map_columns(facts, table)
    columns, names = summary_columns(mapping), mapping.schema.names

    def warehouse_fingerprint() -> None:
        with house.rows(target, None, names) as batches:
            digest_batches(batches, mapping.columns)

    with source.read_view() as view:
        units = {"all": WHOLE}
        return {
            "reading the rows": timed(lambda: view.extract(facts, mapping, WHOLE, lambda batch: None)),
            "summary, source": timed(lambda: view.summaries(facts, columns, units)),
            "summary, lake": timed(lambda: summarise_lake(files, columns, ())),
            "summary, warehouse": timed(lambda: house.summaries(target, {"all": None}, columns)),
            "fingerprint, source": timed(lambda: view.fingerprints(facts, mapping.columns, units, SHA256)),
            "fingerprint, lake": timed(lambda: fingerprint_lake(files, mapping.columns, (), SHA256)),
            "fingerprint, warehouse": timed(warehouse_fingerprint),
        }


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        server = SandboxServer(Path(folder), tls=False)
        server.start()
        try:
            fill(server, rows)
            found = measure(server, Path(folder))
        finally:
            server.stop()
    whole = found["reading the rows"]
    for name, seconds in found.items():
        print(f"{name:24} {seconds:8.3f} s   {seconds / whole:6.2f} of reading {rows:,} rows")


if __name__ == "__main__":
    main()

"""What validation, the fingerprint and the row diff cost beside reading the same rows. Run it: no pytest needed.

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

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PipelineConfig,
    ProcessingConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.digest.buckets import RowKeySpec, digest_by_bucket
from dltsync_core.digest.segment import HashAlgorithm, digest_batches
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.extract.buckets import BucketedUnit
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.ranges import Boundary, slots_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.typemap.column_stats import stats_columns
from dltsync_core.validate.lake_rows import fingerprint_lake, summarise_lake
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from tests.performance.bench_slices import fill
from tests.support.sandbox_server import SandboxServer

ROWS = 200_000
ROUNDS = 3
PARTITIONS = 1_000
"""Into so many the warehouse's rows are parted: were every row held against each of them, it would show."""
SHA256: HashAlgorithm = "hashbytes_sha256"


def timed(work: Callable[[], object]) -> float:
    """The best of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def measure(server: SandboxServer, root: Path, rows: int) -> dict[str, float]:
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
    house = DuckDbWarehouse(root / "house.duckdb", work_directory=root / "work")
    target = config.target_of(table)
    source = SqlServerSource(database, ProcessingConfig())
    facts = source.read_tables([table])[table.name]
    mapping = source.map_columns(facts, table)
    columns = stats_columns(mapping)

    def warehouse_fingerprint() -> None:
        with house.rows(target, None, mapping.schema) as batches:
            digest_batches(batches, mapping.columns)

    inner = [Boundary(str(number * rows // PARTITIONS)) for number in range(1, PARTITIONS)]
    key = mapping.columns[0]
    parted = {part.key: scope_for(key.column, key.field.type, [part]) for part in slots_of(inner, "right")}
    keyed = RowKeySpec(mapping.columns, mapping.columns[:1])
    bucketed = BucketedUnit(facts, WHOLE, keyed.columns, keyed.key_positions, SHA256)

    def warehouse_buckets() -> None:
        with house.rows(target, None, mapping.schema) as batches:
            digest_by_bucket(batches, keyed, 2, None)

    with source.read_view() as view:
        units = {"all": WHOLE}
        some = Buckets(2, tuple(sorted(view.bucket_digests(bucketed, 2, None))[:10]))
        return {
            "reading the rows": timed(lambda: view.extract(facts, mapping, WHOLE, lambda batch: None)),
            "summary, source": timed(lambda: view.column_stats(facts, columns, units)),
            "summary, lake": timed(lambda: summarise_lake(files, columns, ())),
            "summary, warehouse": timed(lambda: house.column_stats(target, {"all": None}, columns)),
            f"in {PARTITIONS:,} partitions": timed(lambda: house.column_stats(target, parted, columns)),
            "fingerprint, source": timed(lambda: view.fingerprints(facts, mapping.columns, units, SHA256)),
            "fingerprint, lake": timed(lambda: fingerprint_lake(files, mapping.columns, (), SHA256)),
            "fingerprint, warehouse": timed(warehouse_fingerprint),
            "buckets, source": timed(lambda: view.bucket_digests(bucketed, 2, None)),
            "buckets, warehouse": timed(warehouse_buckets),
            "rows of 10 buckets": timed(lambda: view.rows_of_buckets(bucketed, some, lambda batch: None)),
        }


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        server = SandboxServer(Path(folder), tls=False)
        server.start()
        try:
            fill(server, rows)
            found = measure(server, Path(folder), rows)
        finally:
            server.stop()
    whole = found["reading the rows"]
    for name, seconds in found.items():
        print(f"{name:24} {seconds:8.3f} s   {seconds / whole:6.2f} of reading {rows:,} rows")


if __name__ == "__main__":
    main()

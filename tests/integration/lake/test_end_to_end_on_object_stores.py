"""Source to a lake in a bucket to a warehouse, for the three kinds of table, over both wires; S3, Azure and Google.

The bucket is read by somebody else's driver, the rows by DuckDB alone: a plain glob, as docs/lake.md shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.config import PipelineConfig, StateConfig
from dltsync_core.run.result import RowCounts, RunResult
from tests.support.object_stores import Bucket
from tests.support.server_shop import COLUMNS, Server, ServerShop, Statements, plain_rows


class BucketShop(ServerShop):
    """A shop whose lake is a bucket."""

    def __init__(self, server: Server, root: Path, bucket: Bucket) -> None:
        super().__init__(server, root)
        self.bucket = bucket

    def config(self) -> PipelineConfig:
        config, bucket = super().config(), self.bucket
        state = StateConfig(
            state_directory=self.root / "state", parquet_directory=bucket.url, storage_options=bucket.options
        )
        return PipelineConfig(**{**{name: getattr(config, name) for name in type(config).model_fields}, "state": state})

    def lake_rows(self, table: str) -> list[tuple[Any, ...]]:
        names = [name for name in self.bucket.data_names() if f"/{self.schema}_{table}" in name]
        copies = self.root / "somebody"
        for name in names:
            (copies / name).parent.mkdir(parents=True, exist_ok=True)
            self.bucket.files.get_file(f"{self.bucket.name}/{name}", str(copies / name))
        newest = (
            "QUALIFY row_number() OVER (PARTITION BY CustomerNo, EffectiveDate ORDER BY filename DESC) = 1"
            if table == "Customers"
            else ""
        )
        with duckdb.connect(":memory:") as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS[table]} FROM read_parquet(?, filename = true, hive_partitioning = false) {newest}",
                [[str(copies / name) for name in names]],
            ).fetchall()
        return plain_rows(rows)


@pytest.fixture
def shop(snapshot_server: Server, tmp_path: Path, bucket: Bucket) -> Iterator[BucketShop]:
    made = BucketShop(snapshot_server, tmp_path, bucket)
    try:
        made.create()
        yield made
    finally:
        made.drop()


def read(result: RunResult) -> dict[str, int]:
    """Rows that crossed the wire, by table, for everything that was not skipped."""
    return {unit.table.table: unit.rows_read for unit in result.units if unit.status != "skipped"}


@pytest.mark.survives(
    "lake",
    "the objects of one table deleted from the lake's bucket (S3, Azure, Google)",
    "the next run fills it again and skips the other tables",
    "source, lake and warehouse equal, row by row",
)
def test_a_bucket_is_a_lake_like_any_other(shop: BucketShop, statements: Statements) -> None:
    """Run, look, change, run, validate, lose the bucket's content of one table, run."""
    result = shop.run()
    assert result.success, result["errors"]
    assert [unit.counts for unit in result.units] == [RowCounts(n, n, n) for n in (9, 8, 7, 3, 3)]
    assert all(file.startswith(f"{shop.bucket.url}/dltsync/") for unit in result.units for file in unit.files)
    shop.assert_same()
    assert [path for path in shop.root.rglob("*.parquet") if "_staging" in path.parts] == []

    statements.rows.clear()
    again = shop.run()
    assert {unit.status for unit in again.units} == {"skipped"}
    assert statements.rows == []

    shop.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    shop.add_version(3, "2026-01-07", "Cid", "2026-01-09T08:00:00.5")
    shop.execute("UPDATE {s}.Countries SET Area = 41291 WHERE Code = 'CH'")
    changed = shop.run()
    assert changed.success, changed["errors"]
    assert set(read(changed)) == {"Orders", "Customers", "Countries"}
    assert read(changed)["Orders"] == 8
    shop.assert_same()
    with shop.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
        assert (report["valid_tables"], report["total_tables"]) == (3, 3), report
        status = pipeline.get_pipeline_status()
    assert status["lake"] == f"{shop.bucket.url}/dltsync"
    assert not any(secret in repr((status, report, pipeline.config)) for secret in shop.bucket.secrets)

    for name in shop.bucket.names():
        if f"{shop.schema}_Countries" in name:
            shop.bucket.files.rm_file(f"{shop.bucket.name}/{name}")
    healed = shop.run()
    assert read(healed) == {"Countries": 3}
    shop.assert_same()

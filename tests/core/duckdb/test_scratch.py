"""What a scratch database may use of the machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dltsync_core.config.memory_budget import LEAST_SCRATCH, DuckDbMemory
from dltsync_core.duckdb.scratch import distinct_rows, scratch_database


def _rows(count: int, repeated: int) -> pa.RecordBatchReader:
    schema = pa.schema([pa.field("key", pa.string())])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, count, 10_000):
            keys = [f"{'k' * 200}{number % repeated}" for number in range(start, start + 10_000)]
            yield pa.record_batch([pa.array(keys)], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def test_more_keys_than_it_may_hold_are_counted_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert distinct_rows(_rows(2_000_000, 1_600_000), LEAST_SCRATCH) == 1_600_000
    assert list(tmp_path.iterdir()) == []


def test_it_spills_where_nobody_looks_for_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB's default is a directory `.tmp` where the process stands, and four fifths of the machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_database(DuckDbMemory(100, 2)) as connection:
        query = "SELECT current_setting('temp_directory'), current_setting('memory_limit'), current_setting('threads')"
        directory, limit, threads = connection.execute(query).fetchone() or ("", "", 0)
        assert Path(directory).parent == tmp_path
        assert (limit, threads) == ("100.0 MiB", 2)
    assert not Path(directory).exists()

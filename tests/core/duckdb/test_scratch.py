"""What a scratch database may use of the machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.config.memory_budget import LEAST_SCRATCH, DuckDbMemory
from dltsync_core.duckdb import scratch
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
    assert distinct_rows(_rows(800_000, 600_000), LEAST_SCRATCH) == 600_000
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


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The databases that were made since the test began."""
    found: list[object] = []
    make = duckdb.connect

    def connect(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        found.append(options)
        return make(*args, **options)

    monkeypatch.setattr(scratch, "_idle_databases", scratch._IdleDatabases())
    monkeypatch.setattr(duckdb, "connect", connect)
    return found


def test_a_database_that_did_its_work_serves_the_next_and_remembers_nothing(made: list[object]) -> None:
    def settings(connection: duckdb.DuckDBPyConnection) -> list[Any]:
        return connection.execute("SELECT name, value FROM duckdb_settings() WHERE name <> 'temp_directory'").fetchall()

    with scratch_database(DuckDbMemory(100, 2)) as connection:
        new = settings(connection)
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
        connection.execute("CREATE TEMP TABLE held AS SELECT 1 AS a")
        connection.register("rows", pa.table({"a": [1]}))
    with scratch_database(DuckDbMemory(100, 2)) as connection:
        assert settings(connection) == new
        for name in ("held", "rows"):
            with pytest.raises(duckdb.CatalogException, match="does not exist"):
                connection.execute(f"SELECT * FROM {name}")
    assert len(made) == 1
    with scratch_database(DuckDbMemory(200, 2)) as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == ("200.0 MiB",)
    assert len(made) == 2


@pytest.mark.parametrize(
    "work",
    [
        "CREATE TABLE held AS SELECT 1 AS a",
        "CREATE TEMP TABLE big AS SELECT md5(range::varchar) FROM range(2000000)",
        "oops",
    ],
    ids=["a table is left", "it spilled", "it failed"],
)
def test_a_database_that_is_not_as_it_was_made_serves_no_other(made: list[object], work: str) -> None:
    with suppress(duckdb.ParserException), scratch_database(LEAST_SCRATCH) as connection:
        connection.execute(work)
    with scratch_database(LEAST_SCRATCH) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
    assert len(made) == 2


def test_each_of_many_threads_has_one_of_its_own(made: list[object]) -> None:
    """And none is lost, doubled or shared: every thread finds its own rows and no others."""

    def work(number: int) -> int:
        with scratch_database(LEAST_SCRATCH) as connection:
            connection.register("mine", pa.table({"a": [number] * 100}))
            return int((connection.execute("SELECT max(a) FROM mine").fetchone() or (-1,))[0])

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(work, range(80))) == list(range(80))
    assert len(made) < 80
    assert len(scratch._idle_databases._idle) <= scratch._IdleDatabases.MOST

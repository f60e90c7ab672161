"""One at a time at the file: others are told who has it, wait, and give up when the time is over."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.errors import NotWritable, WarehouseError
from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
from tests.support.local_warehouse import TARGET, LocalWarehouse, open_once, orders

NOWHERE = pa.schema([pa.field("nowhere", pa.int32())])


def test_threads_take_turns(tmp_path: Path) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def enter() -> None:
        nonlocal inside, most
        with WarehouseFileLock(tmp_path / "w.duckdb", timeout_seconds=30, on_wait=lambda m: None).opened():
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with guard:
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_notebook_in_this_very_process_is_waited_for_or_shared(tmp_path: Path) -> None:
    """DuckDB lets one process open a file twice: both see the same database, nothing is corrupted."""
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as theirs:
        with WarehouseFileLock(path, timeout_seconds=1, on_wait=lambda message: None).opened() as ours:
            ours.execute("CREATE TABLE t AS SELECT 1 AS x")
        assert theirs.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("not a directory")
    with pytest.raises(NotWritable, match="place"):
        open_once(WarehouseFileLock(tmp_path / "place" / "w.duckdb", timeout_seconds=1, on_wait=lambda message: None))


def test_a_load_and_its_looks_share_one_opening(house: LocalWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening and closing the file costs as much as loading a small unit; a stranger gets in before and after."""
    opened: list[str] = []
    connect = duckdb.connect

    def counting(path: str) -> duckdb.DuckDBPyConnection:
        opened.append(path)
        return connect(path)

    monkeypatch.setattr(duckdb, "connect", counting)
    with house.warehouse.opened():
        house.load(TARGET, orders({1: "a", 2: "b"}))
        assert house.warehouse.count(TARGET) == 2
        with pytest.raises(WarehouseError, match="refused"), house.warehouse.rows(TARGET, None, NOWHERE) as found:
            list(found)
        other = threading.Thread(target=house.warehouse.count, args=[TARGET])
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive(), "another thread waits for its own turn"
    other.join()
    assert house.warehouse.count(TARGET) == 2
    assert len(opened) == 3

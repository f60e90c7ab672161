"""One at a time at the file: others are told who has it, wait, and give up when the time is over."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from dltsync_core.errors import NotWritable, WarehouseBusy, WarehouseError
from dltsync_core.warehouse.duckdb import file_lock as queueing
from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
from tests.support.local_warehouse import TARGET, LocalWarehouse, orders

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
QUEUE = """
import sys; from pathlib import Path; from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
with WarehouseFileLock(Path(sys.argv[1]), timeout_seconds=60, on_wait=print).opened():
    print('held', flush=True); sys.stdin.read()
"""
ADD = """
import sys; from pathlib import Path; from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
for _ in range(10):
    with WarehouseFileLock(Path(sys.argv[1]), timeout_seconds=120, on_wait=lambda m: None).opened() as c:
        c.execute('CREATE TABLE IF NOT EXISTS n (x INTEGER)')
        c.execute('INSERT INTO n SELECT count(*) FROM n')
"""


@contextmanager
def held(script: str, path: Path) -> Iterator[int]:
    """Another process that has the file; its pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    try:
        yield process.pid
    finally:
        process.communicate()


def test_a_stranger_with_the_file_is_named(tmp_path: Path) -> None:
    path, said = tmp_path / "w.duckdb", list[str]()
    with held(HOLD, path) as pid:
        with pytest.raises(WarehouseBusy, match=f"process {pid} ") as caught:
            open_once(WarehouseFileLock(path, timeout_seconds=0.5, on_wait=said.append))
        assert caught.value.is_transient
        assert "w.duckdb" in str(caught.value)
    assert len(said) == 1
    assert f"process {pid} " in said[0]


def open_once(queue: WarehouseFileLock) -> None:
    with queue.opened():
        pass


def test_another_of_our_processes_is_waited_for(tmp_path: Path) -> None:
    path, said = tmp_path / "w.duckdb", list[str]()
    with held(QUEUE, path), pytest.raises(WarehouseBusy, match="another dltsync process"):
        open_once(WarehouseFileLock(path, timeout_seconds=0.5, on_wait=said.append))
    assert len(said) == 1
    open_once(WarehouseFileLock(path, timeout_seconds=0.5, on_wait=said.append))
    assert len(said) == 1, "nobody waits for a file that is free"


def test_whoever_waits_gets_its_turn(tmp_path: Path) -> None:
    path, done = tmp_path / "w.duckdb", threading.Event()
    queue = WarehouseFileLock(path, timeout_seconds=30, on_wait=lambda message: None)

    def wait() -> None:
        open_once(queue)
        done.set()

    with held(HOLD, path):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not done.wait(0.5)
    assert done.wait(10)
    thread.join()


def test_waiting_is_told_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "TELL_EVERY_SECONDS", 0.3)
    path, said = tmp_path / "w.duckdb", list[str]()
    with held(HOLD, path), pytest.raises(WarehouseBusy):
        open_once(WarehouseFileLock(path, timeout_seconds=1.5, on_wait=said.append))
    assert 2 <= len(said) <= 5
    assert "0 of at most 1.5 seconds" in said[0]


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


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(path)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute("SELECT x FROM n ORDER BY x").fetchall()
    assert rows == [(n,) for n in range(40)]


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    process = subprocess.Popen(
        [sys.executable, "-c", QUEUE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    open_once(WarehouseFileLock(path, timeout_seconds=1, on_wait=lambda message: None))


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
        with pytest.raises(WarehouseError, match="refused"), house.warehouse.rows(TARGET, None, ["nowhere"]) as found:
            list(found)
        other = threading.Thread(target=house.warehouse.count, args=[TARGET])
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive(), "another thread waits for its own turn"
    other.join()
    assert house.warehouse.count(TARGET) == 2
    assert len(opened) == 3

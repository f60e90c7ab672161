"""Processes at one DuckDB file: the one that has it is named, the others wait, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from dltsync_core import waiting
from dltsync_core.errors import WarehouseBusy
from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
from tests.support.local_warehouse import open_once

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


QUEUE = """
import sys; from pathlib import Path; from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
with WarehouseFileLock(Path(sys.argv[1]), timeout_seconds=60, on_wait=print).opened():
    print('held', flush=True); sys.stdin.read()
"""


ADD = """
import sys; from pathlib import Path; from dltsync_core.warehouse.duckdb.file_lock import WarehouseFileLock
for _ in range(5):
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
        assert not done.wait(0.2)
    assert done.wait(10)
    thread.join()


def test_waiting_is_told_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOTICE_EVERY_SECONDS", 0.2)
    path, said = tmp_path / "w.duckdb", list[str]()
    with held(HOLD, path), pytest.raises(WarehouseBusy):
        open_once(WarehouseFileLock(path, timeout_seconds=1, on_wait=said.append))
    assert 2 <= len(said) <= 5
    assert "0 of at most 1 second" in said[0]


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(path)]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute("SELECT x FROM n ORDER BY x").fetchall()
    assert rows == [(n,) for n in range(15)]


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

"""What goes wrong on our own side of the wire: somebody holds the ledger or the warehouse, the disk refuses a write."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from dltsync_core import checkpoints
from dltsync_core.lake.storage.disk import explain
from tests.integration.faults.schedule import Trouble

WRITES = ("staging_directory", "take_in", "settle", "put", "move", "delete")
"""The calls of a LakeStorage that change it."""

STRANGER = """
import sys, time, duckdb
for line in sys.stdin:
    path, seconds = line.rstrip("\\n").split("\\t")
    try:
        with duckdb.connect(path):
            print("held", flush=True)
            time.sleep(float(seconds))
    except duckdb.Error:
        print("busy", flush=True)
    print("free", flush=True)
"""


class Holder(Protocol):
    """Somebody who holds the warehouse when told."""

    def hold(self, path: Path, seconds: float) -> bool:
        """Whether it got the warehouse; it lets go by itself."""

    def wait(self) -> None:
        """Until it has let go."""


class FailingStorage:
    """A LakeStorage whose n-th writing call fails once, like a disk: before it took effect, or after."""

    def __init__(self, storage: Any, at: int, *, after: bool) -> None:
        self._storage, self._left, self._after = storage, at, after
        self._lock = threading.Lock()
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        return self._watched(name, found) if name in WRITES else found

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                self._left -= 1
                fails = self._left == 0
            if not fails:
                return call(*arguments, **named)
            self.failed += 1
            if self._after:
                call(*arguments, **named)
            error = OSError(errno.ENOSPC if self._after else errno.EIO, "injected")
            raise explain(error, Path(str(arguments[-1])), f"{name} of")

        return watched


class Stranger:
    """Another process that opens the warehouse when told, as a person with a notebook would."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STRANGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()

    def hold(self, path: Path, seconds: float) -> bool:
        """Whether it got the file; it lets go by itself."""
        with self._lock:
            self._send(f"{path}\t{seconds}")
            return self._hear() == "held"

    def wait(self) -> None:
        """Until it has let go."""
        with self._lock:
            while self._hear() != "free":
                continue

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def held_ledger(path: Path) -> Iterator[None]:
    """Somebody writes to the ledger's SQLite file and does not come to an end."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextmanager
def troubled(troubles: tuple[Trouble, ...], *, ledger: Path, warehouse: Path, stranger: Holder) -> Iterator[list[str]]:
    """At their checkpoints the ledger and the warehouse are held. The list tells what was."""
    happened: list[str] = []
    reached, guard = 0, threading.Lock()
    endings = ExitStack()

    def at(_name: str) -> None:
        nonlocal reached
        with guard:
            reached += 1
            due = [trouble for trouble in troubles if trouble.at == reached]
        # Without the guard: a thread that writes to the ledger may wait for it at its own checkpoint.
        for trouble in due:
            _begin(trouble)

    def _begin(trouble: Trouble) -> None:
        if trouble.what == "ledger" and ledger.exists():
            holding = ExitStack()
            holding.enter_context(held_ledger(ledger))
            happened.append("ledger-held")
            timer = threading.Timer(trouble.seconds, holding.close)
            timer.start()
            endings.callback(timer.join)
            if trouble.seconds > 1:  # longer than anybody waits here: the end of the run ends it
                endings.callback(holding.close)
                endings.callback(timer.cancel)
        elif trouble.what == "warehouse" and warehouse.exists() and "warehouse-held" not in happened:
            endings.callback(stranger.wait)
            if stranger.hold(warehouse, min(trouble.seconds, 1.0)):
                happened.append("warehouse-held")

    with endings, contextlib.nullcontext(), checkpoints.watched(at):
        yield happened

"""What a test run started ends with it, also when the run is interrupted: in a test, in a fixture, or while a server starts.

Fixtures stop their servers in an order of their own. This plugin ends what is left then, whoever started it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

WITHIN_SECONDS = 10.0


def environment_of_a_run(**variables: str) -> dict[str, str]:
    """What this process has, and `variables`, for a pytest that a test starts: without the variables that say that this one is a
    worker of pytest-xdist, for pytest-benchmark measures nothing in a worker."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")} | variables


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    end_descendants()


def end_descendants(within: float = WITHIN_SECONDS) -> list[int]:
    """Stop every process below this one: SIGTERM, and SIGKILL for those still there after `within` seconds. Their ids."""
    ended = descendants(os.getpid())
    _signal(ended, signal.SIGTERM)
    deadline = time.monotonic() + within
    while (left := [pid for pid in ended if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(left, signal.SIGKILL)
    return ended


def descendants(of: int) -> list[int]:
    """The processes below this one that run, by /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if (parent := _parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = [of]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parent(pid: int) -> int | None:
    """None for a process that is gone, or only waits for its parent to ask how it ended."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(parent)


def _runs(pid: int) -> bool:
    return _parent(pid) is not None


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

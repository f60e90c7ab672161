"""The tests' temporary files stand in memory where there is room for them: no test waits for a disk to confirm what it wrote.

A run commits to SQLite and DuckDB, and publishes files, tens of thousands of times, and each time the disk confirms. No test cuts
the power, so none depends on that; what a killed process leaves is the same in memory. A given TMPDIR or
`--basetemp` counts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 -- not a file name that could be guessed: the file system
ROOM = 6 * 1024**3
"""Bytes that must be free there: several times what a run has at once."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before anything asks for a temporary directory; processes that are started from here on inherit the choice."""
    if "TMPDIR" not in os.environ and config.getoption("basetemp") is None and _has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # Python remembers its first answer


def _has_room() -> bool:
    try:
        return os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    except OSError:
        return False

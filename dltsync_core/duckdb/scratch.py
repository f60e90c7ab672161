"""A DuckDB in memory, for counting and comparing rows of files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from dltsync_core.disk_full import disk_full
from dltsync_core.errors import DiskFull

MEMORY_LIMIT_MB = 1024
"""Memory limit of one scratch database. DuckDB's own limit is 80 % of the machine, and several may run at once."""
_THREADS = 4
"""The memory that DuckDB needs before it can spill grows with its threads, whatever the limit is."""


@contextmanager
def scratch_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Beyond MEMORY_LIMIT_MB it spills into a directory that is removed with it: by default DuckDB uses the current directory."""
    with tempfile.TemporaryDirectory(prefix="dltsync-") as spill:
        threads = min(_THREADS, os.cpu_count() or 1)
        limits: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{MEMORY_LIMIT_MB}MB",
            "temp_directory": spill,
            "threads": threads,
        }
        with duckdb.connect(":memory:", config=limits) as connection:
            yield connection


def scratch_disk_full(error: object, doing: str, *, outcome: str = "") -> DiskFull:
    """The error for a scratch database that has no room to spill. `doing` completes the sentence "… while <doing>"."""
    directory = tempfile.gettempdir()
    return disk_full(
        f"in {directory} while {doing}", error, move="point TMPDIR to a larger disk", outcome=outcome, path=directory
    )


def distinct_rows(rows: pa.RecordBatchReader) -> int:
    """How many different rows there are; NULLs count as equal. Raises duckdb.Error, also for errors of the reader."""
    with scratch_database() as connection:
        counted = connection.from_arrow(rows).distinct().count("*").fetchone()
    return int(counted[0]) if counted else 0

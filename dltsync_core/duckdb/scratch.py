"""A DuckDB in memory, for counting and comparing rows of files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.disk_full import disk_full
from dltsync_core.errors import DiskFull


@contextmanager
def scratch_database(memory: DuckDbMemory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Beyond its limit it spills into a directory that is removed with it: by default DuckDB uses the current directory, and four
    fifths of the machine's memory."""
    with tempfile.TemporaryDirectory(prefix="dltsync-") as spill:
        limits: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory.limit_mb}MiB",
            "temp_directory": spill,
            "threads": memory.threads,
        }
        with duckdb.connect(":memory:", config=limits) as connection:
            yield connection


def scratch_disk_full(error: object, doing: str, *, outcome: str = "") -> DiskFull:
    """The error for a scratch database that has no room to spill. `doing` completes the sentence "… while <doing>"."""
    directory = tempfile.gettempdir()
    return disk_full(
        f"in {directory} while {doing}", error, move="point TMPDIR to a larger disk", outcome=outcome, path=directory
    )


def distinct_rows(rows: pa.RecordBatchReader, memory: DuckDbMemory) -> int:
    """How many different rows there are; NULLs count as equal. Raises duckdb.Error, also for errors of the reader."""
    with scratch_database(memory) as connection:
        counted = connection.from_arrow(rows).distinct().count("*").fetchone()
    return int(counted[0]) if counted else 0

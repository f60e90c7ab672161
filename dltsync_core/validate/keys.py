"""Are keys unique in staged files? Asked before anybody can see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from dltsync_core.lake.reading import dataset_of


def surplus_rows(files: Sequence[Path], columns: Sequence[str]) -> int:
    """How many rows there are beyond the first of each key; NULLs count as equal. 0 means the key is unique.

    DuckDB does the work, because it spills to disk where a Python set would hold every key in memory.
    """
    dataset = dataset_of(files)
    rows = dataset.count_rows()
    reader = dataset.scanner(columns=list(columns)).to_reader()
    with duckdb.connect(":memory:") as connection:
        counted = connection.from_arrow(reader).distinct().count("*").fetchone()
    return rows - int(counted[0]) if counted else 0

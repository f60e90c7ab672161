"""Values that repeat in staged files, for the quality rule `unique`. Keys that rows are merged by: `warehouse.duckdb.keys`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dltsync_core.duckdb.scratch import distinct_rows
from dltsync_core.lake.file_reader import dataset_of


def surplus_rows(files: Sequence[Path], columns: Sequence[str]) -> int:
    """How many rows there are beyond the first of each key; NULLs count as equal. 0 means the key is unique.

    DuckDB counts, because it spills to disk, while a Python set would hold every key in memory.
    """
    dataset = dataset_of(files)
    rows = dataset.count_rows()
    reader = dataset.scanner(columns=list(columns)).to_reader()
    return rows - distinct_rows(reader)

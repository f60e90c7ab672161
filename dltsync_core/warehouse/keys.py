"""Keys of a load: rows are merged by them, so each must be there once and none may be NULL."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pyarrow.dataset as ds

from dltsync_core.errors import ValidationFailed
from dltsync_core.identity import dotted
from dltsync_core.lake.scratch import distinct_rows
from dltsync_core.warehouse.port import Target


def check_keys(target: Target, files: Sequence[Path], columns: Sequence[str]) -> None:
    """Raises ValidationFailed when a key repeats within the load, or when a part of one is NULL.

    A NULL never equals another, so a row with one would be added again by every load. DuckDB counts: it spills to disk where
    a Python set would hold every key in memory.
    """
    dataset = ds.dataset([str(path) for path in files])
    rows = dataset.count_rows()
    complete = dataset.count_rows(filter=_all_present(columns))
    table = dotted(*target)
    if complete != rows:
        raise ValidationFailed(
            f"{table}: {rows - complete:,} rows have NULL in their key ({', '.join(columns)})",
            remedy="name key columns that are never NULL, or correct the rows at the source; nothing was written",
            table=table,
        )
    reader = dataset.scanner(columns=list(columns)).to_reader()
    if surplus := rows - distinct_rows(reader):
        raise ValidationFailed(
            f"{table}: {surplus:,} rows repeat the key ({', '.join(columns)}) of another row of the same load",
            remedy="name the columns that identify a row; nothing was written",
            table=table,
        )


def _all_present(columns: Sequence[str]) -> ds.Expression:
    present = (ds.field(column).is_valid() for column in columns)
    return cast("ds.Expression", functools.reduce(operator.and_, present))

"""Moments that lie too far for a warehouse column. It keeps nanoseconds, which end in 2262, when the source went back to coarser
moments that reach year 9999 (a column is never narrowed).

The footers of the load's files tell whether there can be such a value; only then the rows are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dltsync_core.typemap.datetimes import HIGHEST_NANOSECONDS, LOWEST_NANOSECONDS

_FINEST = "TIMESTAMP_NS"
_PER_DAY = 86_400_000_000_000
_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000}


def far_columns(files: Sequence[Path], schema: pa.Schema) -> list[str]:
    """The columns with a moment that nanoseconds do not reach, by the files' footers. One of which they say nothing counts."""
    return [
        field.name for field in schema if _is_coarse(field.type) and any(_may_be_far(file, field) for file in files)
    ]


def too_narrow(columns: Sequence[str], held: Mapping[str, str]) -> list[str]:
    """Which of them the warehouse keeps in nanoseconds. `held` are its columns with its own type names."""
    types = {name.casefold(): kind for name, kind in held.items()}
    return [column for column in columns if types.get(column.casefold()) == _FINEST]


def first_far(files: Sequence[Path], column: str, beside: Sequence[str]) -> pa.RecordBatch | None:
    """The first row with such a moment: that column and those `beside` it. None when all are within reach."""
    names = list(dict.fromkeys([column, *beside]))
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=names):
                values: Any = batch.column(column)
                least, most = (pa.scalar(end, pa.int64()) for end in _reach(values.type))
                days = pa.types.is_date32(values.type)
                counts: Any = (values.cast(pa.int32()) if days else values).cast(pa.int64())
                far: Any = pc.or_(pc.less(counts, least), pc.greater(counts, most))
                at = pc.index(far, True).as_py()
                if at >= 0:
                    return batch.slice(at, 1)
    return None


def _is_coarse(kind: Any) -> bool:
    return pa.types.is_date32(kind) or (pa.types.is_timestamp(kind) and kind.tz is None and kind.unit in _PER_UNIT)


def _reach(kind: Any) -> tuple[int, int]:
    """The first and the last value, in the type's own unit, that nanoseconds reach."""
    unit = _PER_DAY if pa.types.is_date32(kind) else _PER_UNIT[kind.unit]
    return -(-LOWEST_NANOSECONDS // unit), HIGHEST_NANOSECONDS // unit


def _may_be_far(file: Path, field: pa.Field[Any]) -> bool:
    metadata = pq.read_metadata(file)
    position = metadata.schema.to_arrow_schema().get_field_index(field.name)
    least, most = _reach(field.type)
    for group in range(metadata.num_row_groups):
        known: Any = metadata.row_group(group).column(position).statistics
        rows = metadata.row_group(group).num_rows
        if rows and (known is None or (not known.has_min_max and known.null_count != rows)):
            return True
        if rows and known.has_min_max and not least <= known.min_raw <= known.max_raw <= most:
            return True
    return False

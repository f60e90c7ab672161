"""Parquet files of a Delta table: written with bounded memory, and what the log says of their values, by which readers skip
files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.warehouse.delta.store import TableDirectory

_ROW_GROUP_ROWS = 122_880
_ROW_GROUP_BYTES = 32 * 1024 * 1024
_COLUMNS_WITH_BOUNDS = 32
"""As many as Delta's own writers describe unless they are told otherwise."""
_LONGEST_TEXT = 32
"""Delta's readers take a longer text in the log for a beginning that was cut off."""


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest value of a column in a file, and its NULLs. Without other values both ends are None."""

    low: Any
    high: Any
    nulls: int


@dataclass(frozen=True)
class DataFile:
    """A file of the table. `rows` is None where the log does not say it. `bounds` are those of a file that was just written."""

    path: str
    size: int
    rows: int | None
    bounds: Mapping[str, Bounds] = field(default_factory=dict, hash=False)

    @property
    def stats(self) -> str:
        """As the log has it."""
        described = {
            "numRecords": self.rows,
            "minValues": {name: _as_json(each.low) for name, each in self.bounds.items() if each.low is not None},
            "maxValues": {name: _as_json(each.high) for name, each in self.bounds.items() if each.high is not None},
            "nullCount": {name: each.nulls for name, each in self.bounds.items()},
        }
        return json.dumps(described, separators=(",", ":"), ensure_ascii=False)


def write_file(
    directory: TableDirectory, path: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> DataFile | None:
    """A file with these rows; None, and no file, without any. A failure leaves a file that is part of no table."""
    first = next((batch for batch in batches if batch.num_rows), None)
    if first is None:
        return None
    described: list[pq.FileMetaData] = []
    with directory.filesystem.open_output_stream(path, compression=None) as stream:
        writer = pq.ParquetWriter(
            stream,
            schema,
            version="2.6",
            compression="zstd",
            write_page_checksum=True,
            metadata_collector=described,
        )
        with writer:
            for group in _row_groups(schema, first, batches):
                writer.write_table(group, row_group_size=max(group.num_rows, 1))
    size = directory.finish(path)
    return DataFile(path, size, described[0].num_rows, _bounds_of(described[0], schema))


def _row_groups(schema: pa.Schema, first: pa.RecordBatch, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting, rows, size = [first], first.num_rows, first.nbytes
    for batch in batches:
        if rows and (rows + batch.num_rows > _ROW_GROUP_ROWS or size + batch.nbytes > _ROW_GROUP_BYTES):
            yield pa.Table.from_batches(waiting, schema)
            waiting, rows, size = [], 0, 0
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
    yield pa.Table.from_batches(waiting, schema)


def _bounds_of(metadata: Any, schema: pa.Schema) -> dict[str, Bounds]:
    """Of the first columns, as far as the log can say it exactly."""
    found = {}
    for place, column in enumerate(schema):
        if place >= _COLUMNS_WITH_BOUNDS:
            break
        groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
        if any(each is None or each.null_count is None for each in groups):
            continue
        nulls = sum(each.null_count for each in groups)
        ends = _ends(groups, column.type)
        if ends is not None or nulls == metadata.num_rows:
            low, high = ends if ends is not None else (None, None)
            found[column.name] = Bounds(low, high, nulls)
    return found


def _ends(groups: list[Any], kind: pa.DataType) -> tuple[Any, Any] | None:
    """None for types whose values the log writes inexactly (decimals as floats), and for texts that it would cut off."""
    kinds = pa.types
    if not (
        kinds.is_integer(kind)
        or kinds.is_date(kind)
        or kinds.is_timestamp(kind)
        or _is_text(kind)
        or kinds.is_floating(kind)
    ):
        return None
    with_values = [each for each in groups if each.has_min_max]
    if not with_values or any(not each.has_min_max and each.num_values for each in groups):
        return None
    low, high = min(each.min for each in with_values), max(each.max for each in with_values)
    if _is_text(kind) and max(len(low), len(high)) > _LONGEST_TEXT:
        return None
    return None if kinds.is_floating(kind) and not (math.isfinite(low) and math.isfinite(high)) else (low, high)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        naive = value.replace(tzinfo=None).isoformat(timespec="microseconds")
        return f"{naive}Z" if value.tzinfo is not None else naive
    return value.isoformat() if isinstance(value, date) else value

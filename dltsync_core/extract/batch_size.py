"""The number of rows to fetch at once, so that a batch stays near its size in bytes for every table. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.config.processing import ProcessingConfig
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping

QUEUED_BATCHES = 4
"""Batches that may wait for the writer: enough to bridge its row-group pauses."""
LARGE_VALUE_GUESS = 8192
"""Bytes assumed for a (max) value until the first batch shows their size."""

_FIXED = {
    "bit": 1, "tinyint": 2, "smallint": 2, "int": 4, "bigint": 8, "decimal": 16, "numeric": 16, "money": 16,
    "smallmoney": 16, "float": 8, "real": 4, "date": 4, "smalldatetime": 8, "datetime": 8, "datetime2": 8, "time": 8,
    "datetimeoffset": 34, "uniqueidentifier": 40, "rowversion": 12,
}  # fmt: skip


@dataclass(frozen=True)
class ExtractLimits:
    """Bounds of one extraction. `queue_bytes` and `queue_batches` bound the queue between reader and writer."""

    batch_rows: int
    batch_bytes: int
    queue_bytes: int
    queue_batches: int = QUEUED_BATCHES

    def rows_for(self, bytes_per_row: float) -> int:
        """Rows of the next batch, at least one."""
        return max(1, min(self.batch_rows, int(self.batch_bytes / max(bytes_per_row, 1.0))))


def limits_of(processing: ProcessingConfig) -> ExtractLimits:
    """What the memory budget leaves one worker."""
    memory = processing.memory
    return ExtractLimits(processing.batch_size, memory.batch_bytes, memory.queue_bytes)


def declared_bytes_per_row(mapping: TableMapping) -> int:
    """Bytes of a full row as declared: an upper bound for the first batch, except for (max) columns."""
    return sum(_declared_bytes(m.column) for m in mapping.columns)


def has_unbounded_values(mapping: TableMapping) -> bool:
    """Whether a row may be far larger than declared: (max) and old large types, documents, geometries."""
    return any(_is_unbounded(m) for m in mapping.columns)


def _is_unbounded(mapping: ColumnMapping) -> bool:
    kind = mapping.field.type
    return pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)


def _declared_bytes(column: ColumnFacts) -> int:
    if column.type_name in _FIXED:
        return _FIXED[column.type_name]
    if 0 < column.max_length <= LARGE_VALUE_GUESS:
        return column.max_length
    return LARGE_VALUE_GUESS

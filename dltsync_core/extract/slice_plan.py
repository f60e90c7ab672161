"""How a unit is read in slices: by which key, how many rows at a time. Pure.

A slice is read by one statement, along a unique key. So no statement runs for long, and a statement that fails is repeated
from the last row that came, within the same snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.config.processing import ProcessingConfig
from dltsync_core.tsql.slices import KeyText

SLICE_BYTES = 1024 * 1024 * 1024
"""Of rows as wide as declared: a slow line transfers this within minutes."""
LONGEST_KEY_BYTES = 1700
"""The limit of an index key. It also limits the text of binary keys."""

_EXACT = frozenset(
    {
        "bit", "tinyint", "smallint", "int", "bigint", "decimal", "numeric", "money", "smallmoney", "date", "datetime",
        "smalldatetime", "datetime2", "time", "datetimeoffset", "uniqueidentifier", "binary", "varbinary", "rowversion",
        "char", "varchar", "nchar", "nvarchar",
    }
)  # fmt: skip
"""Types whose values are the same bit by bit after conversion to text and back, so that a comparison finds the same row."""
_CODE_PAGE = frozenset({"char", "varchar"})
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class SliceLimits:
    """The limits of one statement: rows and seconds."""

    rows: int
    seconds: float


def slice_limits(processing: ProcessingConfig, bytes_per_row: float) -> SliceLimits:
    """For rows of this declared width. Never less than one batch."""
    by_width = int(SLICE_BYTES / max(bytes_per_row, 1.0))
    return SliceLimits(
        max(min(processing.statement_rows_limit, by_width), 1), float(processing.statement_seconds_limit)
    )


def next_rows(limits: SliceLimits, rows: int, took: float) -> int:
    """The rows of the next slice, when the last one had `rows` and took `took` seconds.

    Aims at half the time a statement may take, grows at most twofold, and stays within the row limit.
    """
    if took <= 0 or rows <= 0:
        return limits.rows
    fitting = rows * (limits.seconds / 2) / took
    return max(1, min(limits.rows, int(min(fitting, rows * 2))))


def continuation_key(facts: TableFacts) -> tuple[ColumnFacts, ...] | None:
    """The key that slices follow: the primary key when it can be used, else the shortest unique key that can; None without."""
    for names in (facts.primary_key, *sorted(facts.unique_keys, key=len)):
        columns = [facts.column(name) for name in names]
        found = tuple(column for column in columns if column is not None and _usable(column))
        if found and len(found) == len(columns):
            return found
    return None


def is_exact(key: Sequence[ColumnFacts], values: KeyText) -> bool:
    """Whether these values find the same row again. False for text that the driver has changed (half of a surrogate pair), and
    for letters outside ASCII in a column whose code page may differ from the database's, which parameters use."""
    return all(value is None or _survives(column, value) for column, value in zip(key, values, strict=True))


def _survives(column: ColumnFacts, value: str) -> bool:
    if column.type_name in _CODE_PAGE:
        return value.isascii()
    if column.type_name in {"nchar", "nvarchar"}:
        return _REPLACEMENT not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return True


def _usable(column: ColumnFacts) -> bool:
    masked = column.is_masked or column.is_encrypted
    return column.type_name in _EXACT and 0 < column.max_length <= LONGEST_KEY_BYTES and not masked

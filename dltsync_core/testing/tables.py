"""Tables of rows in memory, declared as SQL Server would describe them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.ranges import PartitionRange, Side
from dltsync_core.typemap.column_stats import ColumnStats, Figure, StatsColumn

Row = dict[str, Any]
"""A row by column name, in the values that Arrow's `to_pylist` gives."""


def int_column(name: str, *, nullable: bool = False) -> ColumnFacts:
    """A column `int`."""
    return ColumnFacts(name, 0, "int", 4, 10, 0, None, is_nullable=nullable)


def bit_column(name: str) -> ColumnFacts:
    """A column `bit NOT NULL`."""
    return ColumnFacts(name, 0, "bit", 1, 1, 0, None, is_nullable=False)


def text_column(name: str, *, nullable: bool = True) -> ColumnFacts:
    """A column `nvarchar(50)`."""
    return ColumnFacts(name, 0, "nvarchar", 100, 0, 0, "Latin1_General_CI_AS", is_nullable=nullable)


def datetime_column(name: str, *, nullable: bool = True) -> ColumnFacts:
    """A column `datetime2(6)`."""
    return ColumnFacts(name, 0, "datetime2", 8, 26, 6, None, is_nullable=nullable)


@dataclass
class FakeTable:
    """A table of the source. Change `rows` between runs as an application would."""

    columns: tuple[ColumnFacts, ...]
    rows: list[Row]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    partition_column: str | None = None
    """An `int` column; None: the table is not partitioned."""
    boundaries: list[int | None] = field(default_factory=list)
    """Of the partition function, ascending; None is NULL."""
    side: Side = "right"
    """Whether a boundary belongs to the partition on its right or on its left."""


def inside(range_: PartitionRange, value: int | None) -> bool:
    """Whether a slot holds a value, as SQL Server would say."""
    if value is None:
        return range_.holds_null
    low = float("-inf") if range_.lower is None or range_.lower.text is None else float(range_.lower.text)
    high = float("inf") if range_.upper is None else (float(range_.upper.text) if range_.upper.text else float("-inf"))
    return low <= value < high if range_.side == "right" else low < value <= high


def datetime_text(value: datetime | None) -> str:
    return "" if value is None else value.isoformat(sep=" ", timespec="microseconds")


def stats_of(rows: Sequence[Row], columns: Sequence[StatsColumn]) -> ColumnStats:
    """What `Warehouse.column_stats` and `View.column_stats` give for these rows; datetimes have six decimals."""
    figures: dict[str, dict[str, str | None]] = {}
    for column in columns:
        values = [value for row in rows if (value := row.get(column.name)) is not None]
        figures[column.name] = {"nulls": str(len(rows) - len(values))}
        if Figure.TOTAL in column.figures:
            figures[column.name]["sum"] = str(sum(values))
        if Figure.LOW in column.figures:
            figures[column.name]["min"] = datetime_text(min(values)) if values else None
            figures[column.name]["max"] = datetime_text(max(values)) if values else None
    return ColumnStats(len(rows), figures)

"""What part of a table one extraction reads, the condition that selects it, and what the extraction reports."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot
from dltsync_core.display import number_of
from dltsync_core.errors import ExtractError
from dltsync_core.identity import TableName
from dltsync_core.tsql.conditions import slot_condition, window_condition
from dltsync_core.tsql.fragments import Sql, join


@dataclass(frozen=True)
class UnitFilter:
    """A part of a table: one slot of a partitioned table, a window of a change column, or (all None) the whole table.

    The window is `window_low` (exclusive) to `window_high` (inclusive), both server text in the column's own type, either may
    be None for open. Rows whose window column is NULL belong to every window: the time of their change is unknown.
    """

    slot: Slot | None = None
    partitioning: PartitioningFacts | None = None
    window_column: ColumnFacts | None = None
    window_low: str | None = None
    window_high: str | None = None

    def __post_init__(self) -> None:
        if (self.slot is None) != (self.partitioning is None):
            raise ValueError("a slot needs its partitioning, and the partitioning needs a slot")
        if self.window_column is None and (self.window_low is not None or self.window_high is not None):
            raise ValueError("a window needs its column")


WHOLE = UnitFilter()
"""Every row."""


@dataclass(frozen=True)
class Extracted:
    """The report of one extraction. `rows` were read, `counted_rows` is the server's own count in the same read view (they are
    equal, or ExtractError was raised). `peak_queue_bytes` is the maximum of the queue between reader and writer, `statements`
    the number of statements for rows (and for the ends of slices)."""

    rows: int
    counted_rows: int
    batches: int
    seconds: float
    peak_queue_bytes: int
    statements: int = 1


def condition_of(unit: UnitFilter) -> Sql | None:
    """The condition for exactly the rows of the unit; None for the whole table."""
    found: list[Sql] = []
    if unit.slot is not None and unit.partitioning is not None:
        slot = slot_condition(unit.partitioning.column, unit.slot.range)
        found += [slot] if slot is not None else []
    if unit.window_column is not None:
        window = window_condition(unit.window_column, unit.window_low, unit.window_high)
        found += [window] if window is not None else []
    return join(" AND ", found) if found else None


def other_count(name: TableName, counted: int, received: int, after: int | None) -> ExtractError:
    """The error for rows that are not as many as the server counts. `after` is a second count, of a view without a snapshot."""
    if after is None:
        return ExtractError(
            f"{name}: the server counts {number_of(counted, 'row')}, {received:,} were received in the same snapshot",
            remedy="run again; if it happens again, check the table with DBCC CHECKTABLE",
            table=str(name),
        )
    return ExtractError(
        f"{name}: {number_of(counted, 'row was', 'rows were')} counted before reading and {after:,} after it, "
        f"{received:,} were received: "
        "the table changed meanwhile",
        remedy="allow SNAPSHOT isolation (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON), "
        "or run while no application writes",
        table=str(name),
    )

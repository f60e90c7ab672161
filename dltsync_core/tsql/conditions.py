"""Conditions: the rows of one slot, the rows of one window."""

from __future__ import annotations

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot
from dltsync_core.ranges import PartitionRange
from dltsync_core.tsql.fragments import Identifier, Sql, join, sql
from dltsync_core.tsql.values import from_text


def slot_condition(column: ColumnFacts, slot: PartitionRange) -> Sql | None:
    """The condition that holds for exactly the rows of a slot; None when it holds for every row of the table.

    Comparisons never hold for NULL, so the condition of the slot with the NULL rows includes them. A NULL boundary is below
    every value.
    """
    name = Identifier(column.name)
    nulls = slot.holds_null and column.is_nullable
    if slot.upper is not None and slot.upper.text is None:
        # Nothing lies below NULL: only NULL itself can be in this slot.
        return sql("{name} IS NULL", name=name) if nulls else sql("1 = 0")
    bounds: list[Sql] = []
    if slot.lower is not None and slot.lower.text is not None:
        low = from_text(column, slot.lower.text)
        bounds.append(
            sql("{name} >= {low}", name=name, low=low)
            if slot.side == "right"
            else sql("{name} > {low}", name=name, low=low)
        )
    if slot.upper is not None and slot.upper.text is not None:
        high = from_text(column, slot.upper.text)
        bounds.append(
            sql("{name} < {high}", name=name, high=high)
            if slot.side == "right"
            else sql("{name} <= {high}", name=name, high=high)
        )
    return _with_nulls(column, bounds, nulls, null_below=slot.lower is not None)


def retention_condition(partitioning: PartitioningFacts) -> Sql | None:
    """The condition for the rows of the slots that are read in a table with a retention; None when that is all of them. The
    server reads no other partition: the boundaries are compared with the bare column."""
    if not partitioning.out_of_retention:
        return None
    runs: list[list[Slot]] = []  # of neighbours
    for slot in partitioning.slots:
        if not runs or runs[-1][-1].number + 1 < slot.number:
            runs.append([])
        runs[-1].append(slot)
    parts = []
    for run in runs:
        lower, upper = run[0].range.lower, run[-1].range.upper
        holds_null = any(slot.range.holds_null for slot in run)
        parts.append(slot_condition(partitioning.column, PartitionRange(lower, upper, partitioning.side, holds_null)))
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    return sql("({any})", any=join(" OR ", present))


def window_condition(column: ColumnFacts, low: str | None, high: str | None) -> Sql | None:
    """`low` exclusive to `high` inclusive, and the rows whose column is NULL; None when that is every row."""
    name = Identifier(column.name)
    bounds: list[Sql] = []
    if low is not None:
        bounds.append(sql("{name} > {low}", name=name, low=from_text(column, low)))
    if high is not None:
        bounds.append(sql("{name} <= {high}", name=name, high=from_text(column, high)))
    return _with_nulls(column, bounds, column.is_nullable, null_below=False)


def stamped_window(column: ColumnFacts, low: str | None, high: str) -> Sql:
    """`low` exclusive to `high` inclusive, without the rows whose column is NULL."""
    name = Identifier(column.name)
    upper = sql("{name} <= {high}", name=name, high=from_text(column, high))
    if low is None:
        return upper
    return sql("{name} > {low} AND {upper}", name=name, low=from_text(column, low), upper=upper)


def is_null(column: ColumnFacts) -> Sql:
    """The rows whose column is NULL."""
    return sql("{name} IS NULL", name=Identifier(column.name))


def _with_nulls(column: ColumnFacts, bounds: list[Sql], nulls: bool, *, null_below: bool) -> Sql | None:
    name = Identifier(column.name)
    if not bounds:
        # Only a NULL boundary is left of the slot's lower end: every value, and NULL if it lies here.
        return sql("{name} IS NOT NULL", name=name) if null_below and column.is_nullable and not nulls else None
    condition = join(" AND ", bounds)
    return sql("({condition} OR {name} IS NULL)", condition=condition, name=name) if nulls else condition

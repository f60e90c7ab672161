"""The WHERE condition of a unit."""

from __future__ import annotations

from dltsync_core.extract.unit import UnitFilter
from dltsync_core.tsql.conditions import slot_condition, window_condition
from dltsync_core.tsql.fragments import Sql, join


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

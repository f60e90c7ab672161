"""The committed counts of a table's partitions against one count of all of them at the end of the run.

Each partition is read in a snapshot of its own. A row that moves from one to another in between is in both, or in neither, until
the next run, while every partition by itself is equal in source, lake and warehouse. Only rows counted together show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from dltsync_core.identity import TableName

_TOLD_PARTITIONS = 3


def moved_rows(table: TableName, committed: Mapping[str, int], counted: Mapping[str, int]) -> str | None:
    """The note when the two differ; None when they agree. Both by partition, of the same partitions.

    Counts do not show whether rows were inserted, deleted or moved: the sentence says so.
    """
    different = [unit for unit, rows in committed.items() if rows != counted.get(unit, 0)]
    if not different:
        return None
    told = ", ".join(f"{unit} {committed[unit]:,} → {counted.get(unit, 0):,}" for unit in different[:_TOLD_PARTITIONS])
    more = f" and {len(different) - _TOLD_PARTITIONS} more" if len(different) > _TOLD_PARTITIONS else ""
    return (
        f"{table}: {len(committed):,} partitions were committed with {sum(committed.values()):,} rows in all, and hold "
        f"{sum(counted.get(unit, 0) for unit in committed):,} rows when counted together at the end of the run ({told}{more}): "
        "rows were added, removed or moved while the run read. A row that moved from one partition to another meanwhile may be "
        "in both or in neither until the next run: run again"
    )

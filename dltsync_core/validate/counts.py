"""Rows of one unit in the three places, and of all partitions counted in one look.

Every load compares them. Sums and fingerprints are values of their own with an `equal` of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dltsync_core.display import number_of
from dltsync_core.identity import TableName


@dataclass(frozen=True)
class RowCounts:
    """Rows of one unit (or of the whole scd/static table) in source, lake and warehouse, read after the load.

    `retained` rows are those that the warehouse has although the source no longer does (static tables merged by key);
    they are part of `warehouse`. `mixed`: they could not be separated from the others, and `retained` is only the surplus of the
    warehouse.
    """

    source: int
    lake: int
    warehouse: int
    retained: int = 0
    mixed: bool = False

    @property
    def equal(self) -> bool:
        return self.source == self.lake == self.warehouse - self.retained


def difference(counts: RowCounts) -> str:
    """The difference as a sentence with all figures, for counts that are not equal."""
    retained = f" (of which {counts.retained:,} retained)" if counts.retained else ""
    source = number_of(counts.source, "row")
    return f"{source} in source, {counts.lake:,} in lake, {counts.warehouse:,} in warehouse{retained}"


_TOLD_PARTITIONS = 3


def moved_rows(table: TableName, committed: Mapping[str, int], counted: Mapping[str, int]) -> str | None:
    """The note when the two differ; None when they agree. Both by partition, of the same partitions.

    Each partition is read in a snapshot of its own. A row that moves from one to another in between is in both, or in neither,
    until the next run, while every partition by itself is equal in source, lake and warehouse. Only rows counted together
    show it. Counts do not show whether rows were inserted, deleted or moved: the sentence says so.
    """
    different = [unit for unit, rows in committed.items() if rows != counted.get(unit, 0)]
    if not different:
        return None
    told = ", ".join(f"{unit} {committed[unit]:,} → {counted.get(unit, 0):,}" for unit in different[:_TOLD_PARTITIONS])
    more = f" and {len(different) - _TOLD_PARTITIONS} more" if len(different) > _TOLD_PARTITIONS else ""
    return (
        f"{table}: {number_of(len(committed), 'partition was', 'partitions were')} committed with "
        f"{number_of(sum(committed.values()), 'row')} in all, and {'holds' if len(committed) == 1 else 'hold'} "
        f"{number_of(sum(counted.get(unit, 0) for unit in committed), 'row')} when counted together at the end "
        f"of the run ({told}{more}): "
        "rows were added, removed or moved while the run read. A row that moved from one partition to another meanwhile may be "
        "in both or in neither until the next run: run again"
    )

"""What is asked of a unit while nobody can see it: do the committed loads and this one make the rows that the source has, and may
loads of the lake be merged by their key? What does not hold stops the unit before lake and warehouse are touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.display import number_of
from dltsync_core.errors import LakeError, ValidationFailed
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.from_lake import InLake
from dltsync_core.run.load.stage import Staged
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.warehouse.duckdb.keys import check_keys


@dataclass(frozen=True)
class IncrementCounts:
    """Versions that the unit will have when its load is added: `loaded` by their keys in the lake, `source` as the server counted
    them in the read view of the load."""

    source: int
    loaded: int

    @property
    def adds_up(self) -> bool:
        return self.source == self.loaded

    def __str__(self) -> str:
        """What is wrong. Ask only when it does not add up."""
        figures = (
            f"the source has {number_of(self.source, 'row')}, what was loaded makes {self.loaded:,} with this increment"
        )
        if self.source < self.loaded:
            deleted = number_of(self.loaded - self.source, "row was", "rows were")
            return f"{figures}: {deleted} deleted at the source, or their keys were changed"
        return (
            f"{figures}: {number_of(self.source - self.loaded, 'row was', 'rows were')} added at the source "
            "below the increment's window, or they repeat the "
            "key of another row"
        )


def count_increment(context: RunContext, resolved: ResolvedTable, staged: Staged) -> IncrementCounts:
    """Raises LakeError when a file of an earlier load is missing or damaged."""
    return IncrementCounts(
        staged.source_rows, context.lake.count(resolved.name, staged.step.unit, resolved.keys, staged=staged.files)
    )


def refusal(resolved: ResolvedTable, staged: Staged, found: IncrementCounts) -> ValidationFailed:
    """The error for an increment that does not add up, where the config says that this stops the table."""
    moved = (
        ""
        if staged.consistency == "snapshot"
        else " Rows may also have changed while they were read, as the database does not allow SNAPSHOT isolation: then "
        "running again is enough."
    )
    return ValidationFailed(
        f"{resolved.name} {staged.step.unit}: {found} (on_count_mismatch: fail). Nothing was published or loaded",
        remedy=f"when that is right, `dltsync run --tables {resolved.name} --full-refresh` reads all versions and takes what is "
        f"gone out of lake and warehouse; on_count_mismatch: resync does so by itself. Another increment changes nothing.{moved}",
        table=str(resolved.name),
        unit=staged.step.unit,
        source_rows=found.source,
        loaded_rows=found.loaded,
    )


def rows_in_lake(context: RunContext, resolved: ResolvedTable, found: InLake) -> int:
    """The rows that loads of the lake make in the warehouse. Raises ValidationFailed when one of them cannot be merged by key,
    LakeError when a file is missing or damaged or when they are not as many as the source has."""
    unit = found.manifests[-1].unit
    if resolved.merge_key is not None:
        for manifest in found.manifests:
            with context.lake.files(manifest) as files:
                check_keys(resolved.merge_key, unit, files, context.config.processing.memory.scratch)
    rows = context.lake.count(resolved.name, unit, resolved.keys) if resolved.config.kind == "scd" else found.rows
    if rows != found.source_rows:
        raise LakeError(
            f"{resolved.name} {unit}: the lake holds {number_of(rows, 'row')} where the source has {found.source_rows:,}",
            remedy="the unit is read from the source instead",
            table=str(resolved.name),
            unit=unit,
        )
    return rows

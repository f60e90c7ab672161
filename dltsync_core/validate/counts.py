"""Rows of one unit in source, lake and warehouse.

Every load compares them. Sums and fingerprints are values of their own with an `equal` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThreeCounts:
    """Rows of one unit (or of the whole scd/static table) in source, lake and warehouse, read after the load.

    `kept` are retained rows: the warehouse has them although the source no longer does (static tables merged by key);
    they are part of `warehouse`. `mixed`: they could not be separated from the others, and `kept` is only the surplus of the
    warehouse.
    """

    source: int
    lake: int
    warehouse: int
    kept: int = 0
    mixed: bool = False

    @property
    def equal(self) -> bool:
        return self.source == self.lake == self.warehouse - self.kept


def difference(counts: ThreeCounts) -> str:
    """The difference as a sentence with all figures, for counts that are not equal."""
    retained = f" (of which {counts.kept:,} retained)" if counts.kept else ""
    return f"source {counts.source:,}, lake {counts.lake:,}, warehouse {counts.warehouse:,}{retained} rows"

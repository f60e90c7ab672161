"""Rows of one unit in the three places.

Counts are what every load is held to. Sums and fingerprints of the same units will stand beside them: a finer comparison
is another value with an `equal` of its own, not another way through the run.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThreeCounts:
    """Rows of one unit (or of the whole scd/static table) in the three places, read after the load.

    `kept` are rows that the warehouse has on purpose although the source no longer does (static tables merged by key);
    they are part of `warehouse`. `mixed` says that they could not be told from the others: `kept` is then only what the
    warehouse has more.
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
    """What differs, as a sentence with all figures. Ask only about counts that are not equal."""
    kept = f" (of which {counts.kept:,} kept on purpose)" if counts.kept else ""
    return f"source {counts.source:,}, lake {counts.lake:,}, warehouse {counts.warehouse:,}{kept} rows"

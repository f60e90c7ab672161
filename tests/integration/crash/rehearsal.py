"""Which cells of the matrix run every day: few enough to be run with everything else, chosen by a rule and never by hand.

Every step at which something half done lies about is stopped at for each kind of table, every other step for one kind. The
steps of a kind go round its later loads (a change, which has something to destroy) in turn. A load that puts right what was
lost is stopped where only such a load comes by. Warehouses after the first are stopped at the steps of theirs only: those
before and after are the same. `make test-crash` runs every cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core import checkpoints
from tests.integration.crash.table_kinds import CASES, KINDS, Case
from tests.integration.crash.warehouses import WAREHOUSES

HALF_DONE = (
    checkpoints.FILE_IN_PLACE,
    checkpoints.MANIFEST_WRITTEN,
    checkpoints.RETIRING,
    checkpoints.WAREHOUSE_WRITTEN,
    checkpoints.WAREHOUSE_COMMITTED,
    checkpoints.LEDGER_WRITING,
)
"""Those at which something half done lies about."""

IN_THE_WAREHOUSE = (
    checkpoints.WAREHOUSE_EVOLVED,
    checkpoints.WAREHOUSE_STATEMENT,
    checkpoints.WAREHOUSE_WRITTEN,
    checkpoints.WAREHOUSE_COMMITTED,
    checkpoints.RELOADING,
    checkpoints.ADOPTING,
)
"""Those at which it matters which warehouse it is."""


def steps_of_kind(kind: str) -> list[str]:
    """What the later loads of a kind are stopped at, together."""
    apart = {*HALF_DONE, *checkpoints.OF_RECOVERY, *checkpoints.OF_RETENTION}
    others = [step for step in checkpoints.ALL if step not in apart]
    return [*HALF_DONE, *others[KINDS.index(kind) :: len(KINDS)]]


def rehearsed(case: Case, cases: Sequence[Case] = CASES) -> list[str]:
    """The steps that this case is stopped at every day."""
    if case.lost:
        return list(case.passes)
    later = [each for each in cases if each.kind == case.kind and each.change and not each.lost]
    chosen = []
    for turn, step in enumerate(steps_of_kind(case.kind)):
        passing = [each for each in later if step not in each.misses]
        if passing[turn % len(passing)] is case:
            chosen.append(step)
    return chosen


REHEARSED = tuple(case for case in CASES if rehearsed(case))


def rehearsed_in(warehouse: str, case: Case) -> list[str]:
    """The steps that this case is stopped at every day while it loads that warehouse."""
    steps = rehearsed(case)
    return steps if warehouse == WAREHOUSES[0].name else [step for step in steps if step in IN_THE_WAREHOUSE]

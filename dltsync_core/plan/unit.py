"""One unit: is what was committed still there, and still what the source has? Every answer comes with a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.clock import iso
from dltsync_core.errors import LakeError, WarehouseError
from dltsync_core.plan.evidence import why_parts_differ
from dltsync_core.plan.heads import Head, lake_digest
from dltsync_core.plan.intent import Intent
from dltsync_core.plan.observed import UnitObservation
from dltsync_core.plan.steps import Probe


@dataclass(frozen=True)
class Basis:
    """What a committed head must still match to be comparable: the table's `shape` and the `source` it comes from. `kin` are
    earlier shapes whose columns were declared otherwise while every value stayed what it is (`catalog.drift`). `without_ids` is
    what a dltsync that did not look at the server's numbers of the columns called this shape."""

    shape: str
    source: str
    kin: frozenset[str] = frozenset()
    without_ids: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What this very shape is called in heads."""
        return frozenset({self.shape, self.without_ids} - {""})

    def fits(self, head: Head) -> bool:
        """Whether the head's rows are those of this table as it is now."""
        return head.source == self.source and head.shape in self.names | self.kin


def why_not_comparable(head: Head | None, basis: Basis, intent: Intent) -> str | None:
    """Why nothing committed can be built upon, or None when it can."""
    if head is None:
        return "never loaded before"
    if intent.full_refresh:
        return "a full refresh was asked for"
    if head.source != basis.source:
        return f"the source is another one now: was {head.source}, is {basis.source}"
    if not basis.fits(head):
        return "columns, types, keys or target changed since the last load"
    return None


def why_damaged(head: Head, observed: UnitObservation, intent: Intent) -> str | None:
    """What lake or warehouse lost of a committed unit, or None. Raises LakeError or WarehouseError when healing is off."""
    if not intent.compare:
        return None
    problem = _lake_problem(head, observed)
    if problem is not None:
        if not intent.heal:
            raise LakeError(f"{head.table} {head.unit}: {problem}", remedy=_HEAL, table=str(head.table), unit=head.unit)
        return problem
    if observed.fill or observed.warehouse_rows != head.warehouse_rows:
        problem = observed.fill or (
            f"the warehouse holds {observed.warehouse_rows:,} rows, {head.warehouse_rows:,} were committed "
            f"by load {head.load_id}"
        )
        if not intent.heal:
            raise WarehouseError(
                f"{head.table} {head.unit}: {problem}", remedy=_HEAL, table=str(head.table), unit=head.unit
            )
        return problem
    return None


def can_fill(head: Head, observed: UnitObservation, probe: Probe, intent: Intent, basis: Basis) -> bool:
    """Whether the lake holds just what the source has, in the shape it has, so that only the warehouse needs work."""
    whole = (
        head.shape == basis.shape
        and intent.compare
        and intent.heal
        and bool(observed.fill)
        and _lake_problem(head, observed) is None
    )
    return whole and not intent.force and why_changed(head.probe, probe) is None


def filled(reason: str) -> str:
    """The sentence for a unit whose rows are taken from the lake."""
    return f"{reason}; the source has not moved since, so the rows are taken from the lake"


def why_changed(committed: Probe, now: Probe) -> str | None:
    """What the source has that was not committed, or None when both looks saw the same."""
    if committed.method != now.method:
        return f"changes are detected by {now.method} now, by {committed.method} at the last load"
    if committed.rows != now.rows:
        return f"rows went from {committed.rows:,} to {now.rows:,}"
    if committed.watermark_high != now.watermark_high:
        return f"{now.method} moved from {committed.watermark_high or 'NULL'} to {now.watermark_high or 'NULL'}"
    if committed.signature != now.signature:
        said = why_parts_differ(committed.signature, now.signature)
        return said or f"the {now.method} of {now.rows:,} rows is another one"
    return None


def unchanged(head: Head) -> str:
    """The sentence for a unit that is left alone."""
    return f"unchanged since {iso(head.committed_at)[:19]}Z: {head.rows:,} rows, {head.probe.method} equal"


def orphans(head: Head, observed: UnitObservation) -> tuple[str, ...]:
    """Lake loads published after the committed one: a run stopped between publishing and committing."""
    loads = observed.lake_loads
    return loads[loads.index(head.load_id) + 1 :] if head.load_id in loads else ()


def _lake_problem(head: Head, observed: UnitObservation) -> str | None:
    if observed.lake_problems:
        first, *more = observed.lake_problems
        return f"the lake is damaged: {first}" + (f" (and {len(more)} more)" if more else "")
    if not observed.lake_loads:
        return f"the lake holds nothing of load {head.load_id}"
    if head.load_id not in observed.lake_loads:
        return f"load {observed.lake_loads[-1]} reached the lake but was never committed"
    late = orphans(head, observed)
    if lake_digest(load for load in observed.lake_loads if load not in late) != head.lake:
        return f"the lake no longer holds all of what load {head.load_id} committed"
    return None


_HEAL = (
    "look at it with `dltsync recover --dry-run`; switch on state.enable_self_healing, or run with --full-refresh, to read it "
    "from the source again"
)

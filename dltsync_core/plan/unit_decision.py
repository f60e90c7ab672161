"""One unit: is what was committed still there, and still what the source has? Every answer comes with a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.clock import iso
from dltsync_core.committed import CommittedUnit, Probe, lake_digest
from dltsync_core.errors import LakeError, WarehouseError
from dltsync_core.plan.evidence import why_parts_differ
from dltsync_core.plan.observation import UnitObservation
from dltsync_core.plan.run_options import RunOptions


@dataclass(frozen=True)
class TableDefinition:
    """What a committed unit must still match to be comparable: the table's `shape` and the `source` it comes from.
    `compatible_digests` are earlier shapes whose columns were declared otherwise while every value stayed what it is
    (`catalog.schema_changes`)."""

    shape: str
    source: str
    compatible_digests: frozenset[str] = frozenset()

    def fits(self, committed_unit: CommittedUnit) -> bool:
        """Whether the committed unit's rows are those of this table as it is now."""
        return committed_unit.source == self.source and committed_unit.shape in {self.shape, *self.compatible_digests}


def why_not_comparable(
    committed_unit: CommittedUnit | None, definition: TableDefinition, options: RunOptions
) -> str | None:
    """Why nothing committed can be built upon, or None when it can."""
    if committed_unit is None:
        return "never loaded before"
    if options.full_refresh:
        return "a full refresh was asked for"
    if committed_unit.source != definition.source:
        return f"the source is another one now: was {committed_unit.source}, is {definition.source}"
    if not definition.fits(committed_unit):
        return "columns, types, keys or target changed since the last load"
    return None


def why_damaged(committed_unit: CommittedUnit, observed: UnitObservation, options: RunOptions) -> str | None:
    """What lake or warehouse lost of a committed unit, or None. Raises LakeError or WarehouseError when healing is off."""
    if not options.compare:
        return None
    problem = _lake_problem(committed_unit, observed)
    if problem is not None:
        if not options.heal:
            raise LakeError(
                f"{committed_unit.table} {committed_unit.unit}: {problem}",
                remedy=_HEAL,
                table=str(committed_unit.table),
                unit=committed_unit.unit,
            )
        return problem
    if observed.fill or observed.warehouse_rows != committed_unit.warehouse_rows:
        problem = observed.fill or (
            f"the warehouse holds {observed.warehouse_rows:,} rows, {committed_unit.warehouse_rows:,} were committed "
            f"by load {committed_unit.load_id}"
        )
        if not options.heal:
            raise WarehouseError(
                f"{committed_unit.table} {committed_unit.unit}: {problem}",
                remedy=_HEAL,
                table=str(committed_unit.table),
                unit=committed_unit.unit,
            )
        return problem
    return None


def can_load_from_lake(
    committed_unit: CommittedUnit,
    observed: UnitObservation,
    probe: Probe,
    options: RunOptions,
    definition: TableDefinition,
) -> bool:
    """Whether the lake holds just what the source has, in the shape it has, so that only the warehouse needs work."""
    whole = (
        committed_unit.shape == definition.shape
        and options.compare
        and options.heal
        and bool(observed.fill)
        and _lake_problem(committed_unit, observed) is None
    )
    return whole and not options.force and why_changed(committed_unit.probe, probe) is None


def from_lake_reason(reason: str) -> str:
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


def unchanged_reason(committed_unit: CommittedUnit) -> str:
    """The sentence for a unit that is left alone."""
    since = f"{iso(committed_unit.committed_at)[:19]}Z"
    return f"unchanged since {since}: {committed_unit.rows:,} rows, {committed_unit.probe.method} equal"


def uncommitted_loads(committed_unit: CommittedUnit, observed: UnitObservation) -> tuple[str, ...]:
    """Lake loads published after the committed one: a run stopped between publishing and committing."""
    loads = observed.lake_loads
    return loads[loads.index(committed_unit.load_id) + 1 :] if committed_unit.load_id in loads else ()


def _lake_problem(committed_unit: CommittedUnit, observed: UnitObservation) -> str | None:
    if observed.lake_problems:
        first, *more = observed.lake_problems
        return f"the lake is damaged: {first}" + (f" (and {len(more)} more)" if more else "")
    if not observed.lake_loads:
        return f"the lake holds nothing of load {committed_unit.load_id}"
    if committed_unit.load_id not in observed.lake_loads:
        return f"load {observed.lake_loads[-1]} reached the lake but was never committed"
    late = uncommitted_loads(committed_unit, observed)
    if lake_digest(load for load in observed.lake_loads if load not in late) != committed_unit.lake:
        return f"the lake no longer holds all of what load {committed_unit.load_id} committed"
    return None


_HEAL = (
    "look at it with `dltsync recover --dry-run`; switch on state.enable_self_healing, or run with --full-refresh, to read it "
    "from the source again"
)

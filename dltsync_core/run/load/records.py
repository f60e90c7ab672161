"""The two records a load leaves: the warehouse's marker, written with the rows, and the ledger's committed unit, written last."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange, CommittedUnit, CommittedUnits, Marker, lake_digest
from dltsync_core.errors import StateError
from dltsync_core.lake.manifest import Manifest
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.planning.resolved import ResolvedTable, load_identity


def loads_of(context: RunContext, resolved: ResolvedTable, work: UnitWork) -> list[str]:
    """The lake loads a unit consists of."""
    if work.step.kind != "scd":
        return [work.load_id]
    return [m.load_id for m in context.lake.current_of(resolved.name, work.step.unit)]


def marker_of(
    context: RunContext,
    resolved: ResolvedTable,
    work: UnitWork,
    manifest: Manifest,
    loads: Sequence[str],
    *,
    fence: int,
) -> Marker:
    """What the warehouse is told of a load. `loads` are those the unit consists of afterwards."""
    known = work.known
    return Marker(
        identity=load_identity(context, resolved, work.step.unit, manifest.load_id),
        fence=fence,
        rows=known.source_rows,
        probe=known.probe,
        watermark=manifest.probe.watermark_high,
        lake=lake_digest(loads),
        written_at=utc_now(),
    )


def commit_change(
    context: RunContext, resolved: ResolvedTable, work: UnitWork, committed_units: CommittedUnits
) -> CommitChange:
    """What is committed of a unit, in the place of what `committed_units` say. Raises StateError for one that was not counted."""
    known, counts, generation = work.known, work.counts, committed_units.generation(work.step.unit)
    if counts is None:
        raise StateError(f"{work.step.table} {work.step.unit}: nothing is committed that was not counted")
    committed_unit = CommittedUnit(
        identity=load_identity(context, resolved, work.step.unit, work.load_id),
        generation=generation + 1,
        probe=known.probe,
        rows=counts.source,
        warehouse_rows=counts.warehouse,
        lake=lake_digest(loads_of(context, resolved, work)),
        committed_at=utc_now(),
        watermark=known.probe.watermark_high,
    )
    return CommitChange(work.step.unit, generation, committed_unit)

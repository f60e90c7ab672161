"""How a unit's loads enter the warehouse, and the two records they leave: the warehouse's marker, written with the rows, and the
ledger's committed unit, written last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange, CommittedUnit, CommittedUnits, Marker, lake_digest
from dltsync_core.errors import StateError
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.steps import Disposition
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.from_lake import dispositions
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.planning.resolved import ResolvedTable, load_identity
from dltsync_core.warehouse.port import LoadRequest


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


def load_requests(
    context: RunContext,
    resolved: ResolvedTable,
    work: UnitWork,
    files: ExitStack,
    retires: tuple[str, ...],
    *,
    fence: int,
) -> Iterator[LoadRequest]:
    """The loads of the lake that bring a unit in, in order. `retires` are the units whose rows it takes over. The files stay
    there until `files` is closed."""
    for manifest, disposition, loads, units in _loads(context, resolved, work, retires):
        yield LoadRequest(
            target=resolved.target,
            files=files.enter_context(context.lake.files(manifest)),
            schema=resolved.mapping.schema,
            disposition=disposition,
            load_id=manifest.load_id,
            marker=marker_of(context, resolved, work, manifest, loads, fence=fence),
            retires=units,
            layout=resolved.layout,
            can_be_undone=work.in_lake is None,  # what comes from the lake is committed: there is nothing to go back to
        )


def _loads(
    context: RunContext, resolved: ResolvedTable, work: UnitWork, retires: tuple[str, ...]
) -> Iterator[tuple[Manifest, Disposition, list[str], tuple[str, ...]]]:
    """Each load with how it enters, the loads that the unit consists of afterwards, and the units whose rows it takes over."""
    if work.in_lake is None:
        if work.manifest is not None:
            loads = loads_of(context, resolved, work)
            yield work.manifest, resolved.disposition_of(work.step), loads, retires
        return
    so_far: list[str] = []
    for manifest, disposition in dispositions(resolved, work.step, work.in_lake):
        so_far.append(manifest.load_id)
        yield manifest, disposition, list(so_far), ()

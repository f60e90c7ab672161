"""The two records a load leaves: the warehouse's marker, written with the rows, and the ledger's head, written last."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.clock import utc_now
from dltsync_core.errors import StateError
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.heads import Head, HeadChange, TableHeads, lake_digest
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services
from dltsync_core.run.work import UnitWork
from dltsync_core.warehouse.port import Marker


def loads_of(services: Services, shape: TableShape, work: UnitWork) -> list[str]:
    """The lake loads a unit consists of."""
    if work.step.kind != "scd":
        return [work.load_id]
    return [m.load_id for m in services.lake.current_of(shape.name, work.step.unit)]


def marker_of(
    services: Services, shape: TableShape, work: UnitWork, manifest: Manifest, loads: Sequence[str], *, fence: int
) -> Marker:
    """What the warehouse is told of a load. `loads` are those the unit consists of afterwards."""
    known = work.known
    return Marker(
        pipeline=services.config.pipeline_name,
        table=shape.name,
        unit=work.step.unit,
        kind=work.step.kind,
        load_id=manifest.load_id,
        run_id=services.run_id,
        fence=fence,
        rows=known.source_rows,
        probe=known.probe,
        watermark=manifest.watermark_high,
        shape=shape.basis.shape,
        source=shape.basis.source,
        lake=lake_digest(loads),
        written_at=utc_now(),
    )


def head_change(services: Services, shape: TableShape, work: UnitWork, heads: TableHeads) -> HeadChange:
    """What is committed of a unit, in the place of what `heads` say. Raises StateError for one that was not counted."""
    known, counts, generation = work.known, work.counts, heads.generation(work.step.unit)
    if counts is None:
        raise StateError(f"{work.step.table} {work.step.unit}: nothing is committed that was not counted")
    head = Head(
        table=shape.name,
        unit=work.step.unit,
        kind=work.step.kind,
        generation=generation + 1,
        load_id=work.load_id,
        run_id=services.run_id,
        probe=known.probe,
        rows=counts.source,
        warehouse_rows=counts.warehouse,
        shape=shape.basis.shape,
        source=shape.basis.source,
        lake=lake_digest(loads_of(services, shape, work)),
        committed_at=utc_now(),
        watermark=known.probe.watermark_high,
    )
    return HeadChange(work.step.unit, generation, head)

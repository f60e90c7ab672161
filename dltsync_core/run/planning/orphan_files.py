"""Files below `data` that are no part of the table, because a process died while it published or retired them.

The name of such a file begins with the fence of the lease under which it was published. While that lease is held its run is at
work, on whatever machine, and the file is left alone; afterwards no manifest will ever name it. Where every file is named this
costs nothing: every plan lists the lake anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dltsync_core.clock import utc_now
from dltsync_core.lake import paths
from dltsync_core.lake.inspect import LakeFinding, LakeInspection
from dltsync_core.run.context import RunContext, log


def with_orphans(context: RunContext, inspection: LakeInspection) -> LakeInspection:
    """The inspection, with the files of leases that are over among its findings. Writes nothing. Raises StateError, LakeError."""
    if not inspection.unlisted and not inspection.superseded:
        return inspection
    in_force = context.leases.fences_in_force(inspection.table)
    # Asked after the leases: a manifest is written before its lease is given back.
    left = [finding for finding in inspection.unlisted if _fence(finding) not in in_force]
    left += [] if in_force else inspection.superseded
    return replace(inspection, findings=(*inspection.findings, *context.lake.still_in_place(left)))


def quarantine_unlisted(context: RunContext, inspection: LakeInspection) -> None:
    """Set aside what lies wrong in the lake; what a later load replaced is retired as it would have been. Raises StateError,
    LakeError."""
    movable = inspection.movable
    orphans = [finding for finding in movable if finding.kind == "orphan file"]
    superseded = [finding for finding in movable if finding.kind == "superseded file"]
    others = [finding for finding in movable if finding.kind not in ("orphan file", "superseded file")]
    _quarantine(context, inspection, [*others, *_unowned(context, inspection, orphans)])
    if superseded:
        context.lake.expire(max((m for loads in inspection.units.values() for m in loads), key=lambda m: m.order))
        for finding in superseded:
            log.warning("%s: %s; retired", inspection.table, finding)


def _unowned(
    context: RunContext, inspection: LakeInspection, orphans: Sequence[LakeFinding]
) -> tuple[LakeFinding, ...]:
    """Those whose lease is over for good: a process that was paused cannot go on with it any more."""
    if not orphans:
        return ()
    free = context.leases.end_abandoned(inspection.table, {_fence(finding) for finding in orphans})
    return context.lake.still_in_place([finding for finding in orphans if _fence(finding) in free])


def _quarantine(context: RunContext, inspection: LakeInspection, findings: Sequence[LakeFinding]) -> None:
    places = context.lake.quarantine(inspection.table, findings, utc_now())
    back = context.lake.put_back(findings, places)
    for finding, place in zip(findings, places, strict=True):
        if finding not in back:
            log.warning("%s: %s; set aside as %s", inspection.table, finding, place)


def _fence(finding: LakeFinding) -> int:
    order = paths.order_of(finding.key)
    return order[0] if order is not None else 0

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


def with_orphans(context: RunContext, survey: LakeInspection) -> LakeInspection:
    """The inspection, with the files of leases that are over among its findings. Writes nothing. Raises StateError, LakeError."""
    if not survey.unlisted and not survey.superseded:
        return survey
    in_force = context.leases.fences_in_force(survey.table)
    # Asked after the leases: a manifest is written before its lease is given back.
    left = [finding for finding in survey.unlisted if _fence(finding) not in in_force]
    left += [] if in_force else survey.superseded
    return replace(survey, findings=(*survey.findings, *context.lake.still_in_place(left)))


def set_aside_unlisted(context: RunContext, survey: LakeInspection) -> None:
    """Set aside what lies wrong in the lake; what a later load replaced is retired as it would have been. Raises StateError,
    LakeError."""
    movable = survey.movable
    orphans = [finding for finding in movable if finding.kind == "orphan file"]
    superseded = [finding for finding in movable if finding.kind == "superseded file"]
    others = [finding for finding in movable if finding.kind not in ("orphan file", "superseded file")]
    _set_aside(context, survey, [*others, *_unowned(context, survey, orphans)])
    if superseded:
        context.lake.tidy(max((m for loads in survey.units.values() for m in loads), key=lambda m: m.order))
        for finding in superseded:
            log.warning("%s: %s; retired", survey.table, finding)


def _unowned(context: RunContext, survey: LakeInspection, orphans: Sequence[LakeFinding]) -> tuple[LakeFinding, ...]:
    """Those whose lease is over for good: a process that was paused cannot go on with it any more."""
    if not orphans:
        return ()
    free = context.leases.end_abandoned(survey.table, {_fence(finding) for finding in orphans})
    return context.lake.still_in_place([finding for finding in orphans if _fence(finding) in free])


def _set_aside(context: RunContext, survey: LakeInspection, findings: Sequence[LakeFinding]) -> None:
    places = context.lake.set_aside(survey.table, findings, utc_now())
    back = context.lake.put_back(findings, places)
    for finding, place in zip(findings, places, strict=True):
        if finding not in back:
            log.warning("%s: %s; set aside as %s", survey.table, finding, place)


def _fence(finding: LakeFinding) -> int:
    order = paths.order_of(finding.key)
    return order[0] if order is not None else 0

"""Files below `data` that are no part of the table, because a process died while it published or retired them.

Such a file bears the fence of the lease under which it was published. While that lease is held its run is at work, on whatever
machine, and the file is left alone; once it is over nobody will ever name the file in a manifest. Nothing of this costs anything
where every file is named: the listing that every plan makes tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dltsync_core.clock import utc_now
from dltsync_core.lake import paths
from dltsync_core.lake.inspect import LakeFinding, LakeInspection
from dltsync_core.run.context import RunContext, log


def with_orphans(context: RunContext, survey: LakeInspection) -> LakeInspection:
    """The survey, with the files that nobody is at work on among its findings. Writes nothing. Raises StateError, LakeError."""
    if not survey.unlisted and not survey.superseded:
        return survey
    in_force = context.leases.fences_in_force(survey.table)
    # Asked after the leases: a manifest is written before its lease is given back.
    left = [finding for finding in survey.unlisted if _fence(finding) not in in_force]
    left += [] if in_force else survey.superseded
    return replace(survey, findings=(*survey.findings, *context.lake.still_in_place(left)))


def clear_strays(context: RunContext, survey: LakeInspection) -> None:
    """Set aside what lies wrong in the lake; what a later load replaced is retired as it would have been. Raises StateError,
    LakeError."""
    strays = survey.strays
    orphans = [finding for finding in strays if finding.kind == "orphan file"]
    superseded = [finding for finding in strays if finding.kind == "superseded file"]
    others = [finding for finding in strays if finding.kind not in ("orphan file", "superseded file")]
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

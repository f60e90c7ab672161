"""A unit that lies whole in the lake: its rows go to the warehouse from there, and the source is not asked for them."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.committed import Probe, lake_digest
from dltsync_core.errors import LakeError
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.steps import Disposition, MergeKeys, Step
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable


@dataclass(frozen=True)
class InLake:
    """The live loads of a unit, oldest first. `probe` is what the plan saw at the source, equal to the one they were read
    after; `source_rows` its count."""

    manifests: tuple[Manifest, ...]
    probe: Probe
    source_rows: int
    consistency: str | None = None
    rows_read: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """What goes to the warehouse; more than the table has where versions were read again."""
        return sum(manifest.rows for manifest in self.manifests)


def find_in_lake(context: RunContext, resolved: ResolvedTable, step: Step, expected: str) -> InLake:
    """The loads that the plan found. Raises LakeError when they are others now."""
    manifests = context.lake.current_of(resolved.name, step.unit)
    if step.probe is None or lake_digest(manifest.load_id for manifest in manifests) != expected:
        raise LakeError(
            f"{step.table} {step.unit}: the lake changed since the plan was made",
            remedy="run again: the next plan sees what is there now",
            table=str(step.table),
            unit=step.unit,
        )
    return InLake(manifests, step.probe, step.probe.rows)


def dispositions(resolved: ResolvedTable, step: Step, found: InLake) -> list[tuple[Manifest, Disposition]]:
    """How each load enters: versions as they came, the first load whole and every increment by its keys."""
    first, *more = found.manifests
    return [(first, resolved.disposition_of(step)), *((manifest, MergeKeys(resolved.keys)) for manifest in more)]

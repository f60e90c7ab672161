"""At the end of a run: the partitions of each table counted together, in one look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dltsync_core.errors import SyncError
from dltsync_core.plan.steps import Action
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.result import UnitResult
from dltsync_core.validate.counts import moved_rows

_SEVERAL = 2


def notes_on_moved_rows(
    context: RunContext, tables: Sequence[PreparedTable], units: Sequence[UnitResult]
) -> tuple[str, ...]:
    """A note for each table whose partitions do not hold as many rows as were committed, or could not be counted. Costs one
    count per table of which a partition was read; none for a single partition. Never raises a SyncError: what was committed
    stays committed."""
    notes: list[str] = []
    for prepared in tables:
        ours = [unit for unit in units if unit.table == prepared.plan.table]
        try:
            notes += _notes_on(context, prepared, ours)
        except SyncError as error:
            notes.append(
                f"{prepared.plan.table}: the partitions could not be counted together at the end of the run, so whether rows "
                f"moved between them while it read is not known: {error.problem}"
            )
    for note in notes:
        log.warning("%s", note)
    return tuple(notes)


def _notes_on(context: RunContext, prepared: PreparedTable, units: Sequence[UnitResult]) -> Iterator[str]:
    resolved = prepared.resolved
    read = {step.unit for step in prepared.plan.steps if step.action is Action.LOAD}
    right = [unit.unit for unit in units if unit.status != "failed"]
    if (
        resolved.config.kind != "partition"
        or len(right) < _SEVERAL
        or not read.intersection(right)
        or context.stop.is_set()
    ):
        return
    live = context.ledger.committed_units(resolved.name).live
    committed = {unit: live[unit].rows for unit in right if unit in live}
    with context.source.read_view() as view:
        found = view.summaries(resolved.facts, (), {unit: resolved.filter_of(unit) for unit in committed})
    note = moved_rows(resolved.name, committed, {unit: summary.rows for unit, summary in found.items()})
    if note is None:
        return
    now = context.source.read_tables([resolved.config])[resolved.config.name].partitioning
    if now is None or not {slot.range.key for slot in now.slots} >= set(committed):
        yield f"{resolved.name}: boundaries of partitions were moved while the run read: run again"
        return
    yield note

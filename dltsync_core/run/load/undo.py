"""Loads that passed validation, and loads that did not: what becomes of the rows that they replaced in the warehouse.

Confirmed before the ledger has the load: a record of replaced rows then always belongs to a load that is not committed, and a run
that finds one of a dead run may switch the rows back. Loads that come from the lake again are committed, and replace nothing that
is to come back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from dltsync_core.errors import Fenced, SyncError
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.planning.resolved import ResolvedTable

log = logging.getLogger("dltsync.run")

_UNDONE = "the warehouse has the rows of before this load again"
_LEFT = "the rows of before this load could not be put back now; the end of this run, or the next one, tries again"


def confirm_loads(context: RunContext, resolved: ResolvedTable, works: Sequence[UnitWork]) -> None:
    """All of these units were validated. Raises WarehouseError when another run took one of the loads out again."""
    loads = _unsettled(works)
    if loads:
        context.warehouse.confirm(resolved.target, context.config.pipeline_name, loads)
    for work in works:
        _settle(work)


def undone(context: RunContext, resolved: ResolvedTable, works: Sequence[UnitWork], error: Exception) -> Exception:
    """Undo what these units have loaded and not confirmed. The error to report: it says what the warehouse has now. Raises
    nothing."""
    loads = _unsettled(works)
    if not loads:
        return error
    try:
        with context.warehouse_turn:
            is_undone = context.warehouse.undo(resolved.target, context.config.pipeline_name, loads)
    except SyncError as second:
        log.warning("%s: %s: %s", resolved.name, _LEFT, second)
        return _with_sentence(error, _LEFT)
    for work in works:
        work.is_undone = is_undone and work.step.unit in loads
        _settle(work)
    return _with_sentence(error, _UNDONE) if is_undone else error


def release_loads(context: RunContext, resolved: ResolvedTable, works: Sequence[UnitWork]) -> None:
    """After these units, whatever ended them: what they loaded and did not settle (an interrupt) is left to another run."""
    loads = _unsettled(works)
    if loads:
        context.warehouse.release(resolved.target, context.config.pipeline_name, loads)


def _unsettled(works: Sequence[UnitWork]) -> dict[str, str]:
    return {work.step.unit: work.load_id for work in works if work.entered is not None and work.entered.can_be_undone}


def _settle(work: UnitWork) -> None:
    if work.entered is not None and work.entered.can_be_undone:
        work.entered = replace(work.entered, can_be_undone=False)


def _with_sentence(error: Exception, sentence: str) -> Exception:
    """The same error, with a sentence about the warehouse. Fenced says what another run did, and stays as it is."""
    if not isinstance(error, SyncError) or isinstance(error, Fenced):
        return error
    error.problem = f"{error.problem}; {sentence}"
    error.args = (f"{error.problem}\n  -> {error.remedy}" if error.remedy else error.problem,)
    return error

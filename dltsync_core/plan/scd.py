"""Tables of versions: an increment above the watermark when that can be right, the whole table when it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import SCDTableConfig
from dltsync_core.display import number_of
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.evidence import STAMPS, figures_of, parts_that_differ
from dltsync_core.plan.judgement import Cause, UnitDecision, UnitJudgement, decide
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, Step, TablePlan
from dltsync_core.watermark import is_rowversion, position

EARLIEST_TIME_ZONE = timedelta(hours=14)
"""How far a local time may be ahead of UTC. Stamps without an offset may be in any zone."""


@dataclass(frozen=True)
class Window:
    """Where an increment begins: `low` (exclusive) is the committed watermark less the lag, server text. `regressed` says that
    the source's highest change position is below the committed watermark. `unproven` says why an increment could not be held
    against the stamps of all rows, empty when it can: then all versions are read instead."""

    low: str | None
    regressed: bool = False
    unproven: str = ""


def plan_scd_table(
    facts: TableFacts,
    table: SCDTableConfig,
    *,
    definition: TableDefinition,
    probe: Probe,
    window: Window,
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    options: RunOptions,
) -> TablePlan:
    """One step: an increment, the whole table, or nothing. Raises LakeError or WarehouseError (healing off).

    An increment can only add and change versions above the watermark less the lag, and those without a stamp. Whatever else
    happened (versions gone, a stamp below that changed, lake or warehouse lost something, the watermark went back) needs the
    whole table.
    """
    live = committed_units.live.get(WHOLE_TABLE)
    committed_unit = live if live is not None and live.kind == table.kind else None
    decision = decide(judgements.get(WHOLE_TABLE), committed_unit, probe, definition, options)
    action, reason = decision.action, decision.reason
    if committed_unit is not None:
        action, reason = _action(decision, committed_unit, table, probe, window)
    if probe.held_back is not None:
        reason = f"{reason}; {probe.held_back.sentence}"
    step = Step(
        table=facts.name,
        kind="scd",
        unit=WHOLE_TABLE,
        action=action,
        reason=reason,
        probe=probe,
        approx_rows=facts.approx_rows,
        window_low=window.low if action is Action.LOAD_INCREMENT else None,
        window_high=probe.watermark_high if action is Action.LOAD_INCREMENT else None,
        replaces=tuple(sorted(set(committed_units.live) - {WHOLE_TABLE})),
    )
    return TablePlan(facts.name, "scd", ((step,),), probe.method, _notes(table, probe, options))


def _notes(table: SCDTableConfig, probe: Probe, options: RunOptions) -> tuple[str, ...]:
    """A stamp ahead of every clock puts what is stamped by them below the window until they have come so far: it is told, run
    after run."""
    high = probe.watermark_high
    if high is None or is_rowversion(high):
        return ()
    latest = position((options.now.astimezone(timezone.utc) + EARLIEST_TIME_ZONE).strftime("%Y-%m-%d %H:%M:%S"))
    if position(high) <= latest:
        return ()
    note = (
        f"{table.last_modified_column} reaches {high}, which is yet to come: after an update stamped more than "
        f"{number_of(table.lag_seconds, 'second')} before that all versions are read, until then; correct those "
        "stamps at the source"
    )
    return (note,)


def _action(
    decision: UnitDecision, committed_unit: CommittedUnit, table: SCDTableConfig, probe: Probe, window: Window
) -> tuple[Action, str]:
    """The decision, with an increment in place of the whole table where that can be right."""
    whole = decision.action, decision.reason
    if decision.action is not Action.LOAD or decision.cause in (Cause.NEW, Cause.LOST):
        return whole
    fewer = probe.rows < committed_unit.rows
    if decision.cause is Cause.BEHIND and fewer:
        return whole  # else what the warehouse lacks lies above the oldest watermark of all places, or everything does
    if decision.cause is Cause.CHANGED:
        if fewer and table.on_count_mismatch == "resync":
            return Action.LOAD, f"{decision.reason}: versions were deleted, and an increment cannot tell which"
        below = _why_below(committed_unit.probe, probe)
        if below is not None:
            return Action.LOAD, f"{decision.reason}: {below}"
    return _increment(committed_unit, probe, window, decision.reason)


def _why_below(committed: Probe, now: Probe) -> str | None:
    """Why what changed cannot lie where an increment reads; None when it can. What an increment brings in is held against the
    stamps of all rows afterwards, so that a change below the window is found also when others lie above it."""
    if figures_of(now.signature, STAMPS) is None or committed.method != now.method:
        return None
    if figures_of(committed.signature, STAMPS) is None:
        return "the last load kept no digest of all stamps to compare with, so all versions are read"
    above = committed.watermark_high != now.watermark_high
    if above or now.rows < committed.rows or parts_that_differ(committed.signature, now.signature) != {STAMPS}:
        return None
    return "it lies below what an increment reads, so all versions are read"


def _increment(committed_unit: CommittedUnit, probe: Probe, window: Window, reason: str) -> tuple[Action, str]:
    if committed_unit.watermark is None or window.low is None:
        return Action.LOAD, f"{reason}; there is no watermark to start from"
    if window.regressed:
        return Action.LOAD, (
            f"the watermark {committed_unit.watermark} is ahead of everything at the source "
            f"({probe.watermark_high or 'no rows'}): newest versions were deleted, or the database was restored"
        )
    if window.unproven:
        return Action.LOAD, f"{reason}; {window.unproven}, so all versions are read"
    return Action.LOAD_INCREMENT, f"{reason}; versions after {window.low} are read"

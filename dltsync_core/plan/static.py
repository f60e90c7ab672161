"""Static tables: the hash decides; age can overrule it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import StaticTableConfig
from dltsync_core.display import number_of
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.judgement import Cause, UnitJudgement, decide
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, Step, TablePlan


def plan_static_table(
    facts: TableFacts,
    table: StaticTableConfig,
    *,
    definition: TableDefinition,
    probe: Probe,
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    options: RunOptions,
) -> TablePlan:
    """One step: the whole table, or nothing. Raises LakeError or WarehouseError (self healing off)."""
    live = committed_units.live.get(WHOLE_TABLE)
    committed_unit = live if live is not None and live.kind == table.kind else None
    decision = decide(judgements.get(WHOLE_TABLE), committed_unit, probe, definition, options)
    too_old = _why_too_old(committed_unit, table, options)
    if too_old is not None and decision.cause in (Cause.UNCHANGED, Cause.FORCED):
        decision = replace(decision, action=Action.LOAD, reason=too_old)
    step = Step(
        table=facts.name,
        kind="static",
        unit=WHOLE_TABLE,
        action=decision.action,
        reason=decision.reason,
        probe=probe,
        approx_rows=facts.approx_rows,
        replaces=tuple(sorted(set(committed_units.live) - {WHOLE_TABLE})),
    )
    notes = ("checksum is weak: some changes go unseen; set force_reload_after",) if probe.method == "checksum" else ()
    return TablePlan(facts.name, "static", ((step,),), probe.method, notes)


def _why_too_old(committed_unit: CommittedUnit | None, table: StaticTableConfig, options: RunOptions) -> str | None:
    limit = table.force_reload_after
    if limit is None or committed_unit is None or options.now - committed_unit.committed_at < limit:
        return None
    return f"unchanged, but older than {_spoken(limit)}"


def _spoken(age: timedelta) -> str:
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count, rest = divmod(age.total_seconds(), seconds)
        if count and not rest:
            return number_of(int(count), unit)
    return number_of(age.total_seconds(), "second")

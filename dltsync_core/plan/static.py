"""Static tables: the hash decides; age can overrule it."""

from __future__ import annotations

from datetime import timedelta

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import StaticTableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.observation import TableObservation
from dltsync_core.plan.run_options import RunOptions
from dltsync_core.plan.steps import Action, Step, TablePlan
from dltsync_core.plan.unit_decision import (
    TableDefinition,
    can_load_from_lake,
    from_lake_reason,
    unchanged_reason,
    why_changed,
    why_damaged,
    why_not_comparable,
)


def plan_static_table(
    facts: TableFacts,
    table: StaticTableConfig,
    *,
    definition: TableDefinition,
    probe: Probe,
    committed_units: CommittedUnits,
    observed: TableObservation,
    options: RunOptions,
) -> TablePlan:
    """One step: the whole table, or nothing. Raises LakeError or WarehouseError (healing off)."""
    live = committed_units.live.get(WHOLE_TABLE)
    committed_unit = live if live is not None and live.kind == table.kind else None
    action, reason = _decide(committed_unit, table, definition, probe, observed, options)
    step = Step(
        table=facts.name,
        kind="static",
        unit=WHOLE_TABLE,
        action=action,
        reason=reason,
        probe=probe,
        approx_rows=facts.approx_rows,
        replaces=tuple(sorted(set(committed_units.live) - {WHOLE_TABLE})),
    )
    notes = ("checksum is weak: some changes go unseen; set force_reload_after",) if probe.method == "checksum" else ()
    return TablePlan(facts.name, "static", ((step,),), probe.method, notes)


def _decide(
    committed_unit: CommittedUnit | None,
    table: StaticTableConfig,
    definition: TableDefinition,
    probe: Probe,
    observed: TableObservation,
    options: RunOptions,
) -> tuple[Action, str]:
    fresh = why_not_comparable(committed_unit, definition, options)
    if fresh is not None or committed_unit is None:
        return Action.LOAD, fresh or "never loaded before"
    found = observed.unit(WHOLE_TABLE)
    damage = why_damaged(committed_unit, found, options)
    if damage is not None and can_load_from_lake(committed_unit, found, probe, options, definition):
        return Action.RELOAD, from_lake_reason(damage)
    reason = damage or why_changed(committed_unit.probe, probe)
    if reason is not None:
        return Action.LOAD, reason
    limit = table.force_reload_after
    if limit is not None and options.now - committed_unit.committed_at >= limit:
        return Action.LOAD, f"unchanged, but older than {_spoken(limit)}"
    if options.force:
        return Action.LOAD, "unchanged, but the load was asked for"
    return Action.SKIP, unchanged_reason(committed_unit)


def _spoken(age: timedelta) -> str:
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count, rest = divmod(age.total_seconds(), seconds)
        if count and not rest:
            return f"{count:.0f} {unit}{'s' if count > 1 else ''}"
    return f"{age.total_seconds():g} seconds"

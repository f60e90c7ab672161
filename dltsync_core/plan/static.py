"""Static tables: the hash decides; age can overrule it."""

from __future__ import annotations

from datetime import timedelta

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import StaticTableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.heads import Head, TableHeads
from dltsync_core.plan.intent import Intent
from dltsync_core.plan.observed import TableObservation
from dltsync_core.plan.steps import Action, Probe, Step, TablePlan
from dltsync_core.plan.unit import Basis, can_fill, filled, unchanged, why_changed, why_damaged, why_not_comparable


def plan_static_table(
    facts: TableFacts,
    table: StaticTableConfig,
    *,
    basis: Basis,
    probe: Probe,
    heads: TableHeads,
    observed: TableObservation,
    intent: Intent,
) -> TablePlan:
    """One step: the whole table, or nothing. Raises LakeError or WarehouseError (healing off)."""
    live = heads.live.get(WHOLE_TABLE)
    head = live if live is not None and live.kind == table.kind else None
    action, reason = _decide(head, table, basis, probe, observed, intent)
    step = Step(
        table=facts.name,
        kind="static",
        unit=WHOLE_TABLE,
        action=action,
        reason=reason,
        probe=probe,
        approx_rows=facts.approx_rows,
        replaces=tuple(sorted(set(heads.live) - {WHOLE_TABLE})),
    )
    notes = ("checksum is weak: some changes go unseen; set force_reload_after",) if probe.method == "checksum" else ()
    return TablePlan(facts.name, "static", (step,), probe.method, notes)


def _decide(
    head: Head | None,
    table: StaticTableConfig,
    basis: Basis,
    probe: Probe,
    observed: TableObservation,
    intent: Intent,
) -> tuple[Action, str]:
    fresh = why_not_comparable(head, basis, intent)
    if fresh is not None or head is None:
        return Action.LOAD, fresh or "never loaded before"
    found = observed.unit(WHOLE_TABLE)
    damage = why_damaged(head, found, intent)
    if damage is not None and can_fill(head, found, probe, intent, basis):
        return Action.RELOAD, filled(damage)
    reason = damage or why_changed(head.probe, probe)
    if reason is not None:
        return Action.LOAD, reason
    limit = table.force_reload_after
    if limit is not None and intent.now - head.committed_at >= limit:
        return Action.LOAD, f"unchanged, but older than {_spoken(limit)}"
    if intent.force:
        return Action.LOAD, "unchanged, but the load was asked for"
    return Action.SKIP, unchanged(head)


def _spoken(age: timedelta) -> str:
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count, rest = divmod(age.total_seconds(), seconds)
        if count and not rest:
            return f"{count:.0f} {unit}{'s' if count > 1 else ''}"
    return f"{age.total_seconds():g} seconds"

"""A plan as rows a person reads: what happens to which unit, and why. Values only; how they are drawn is the caller's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dltsync_core.display import number_of
from dltsync_core.plan.steps import Action, OutOfRetention, Step, TablePlan

_VERBS = {
    Action.SKIP: "skip",
    Action.LOAD: "load",
    Action.LOAD_INCREMENT: "load changes",
    Action.RELOAD: "fill from lake",
}


@dataclass(frozen=True)
class PlanLine:
    """One step, spelt out. `rows` are those the probe counted in the unit, not those an increment will read; of a partition
    out of retention those that the warehouse has."""

    table: str
    kind: str
    unit: str
    action: str
    rows: int | None
    window: str
    reason: str


def explain(plans: Iterable[TablePlan]) -> tuple[PlanLine, ...]:
    """One line per step, in plan order, after those of the partitions out of retention that are not read."""
    return tuple(line for plan in plans for line in (*map(_line_before, plan.not_read), *map(_line, plan.steps)))


def summary(plans: Iterable[TablePlan]) -> str:
    """The plan in one sentence."""
    plans = tuple(plans)
    steps = [step for plan in plans for step in plan.steps]
    work = [step for step in steps if step.action is not Action.SKIP]
    removed = sum(len(plan.removals) for plan in plans)
    removals = f"; {removed} out of retention to remove from the warehouse" if removed else ""
    if not work:
        what = "load" if removed else "do"
        units = "the unit is" if len(steps) == 1 else f"all {len(steps):,} units are"
        return (f"nothing to {what}: {units} unchanged" if steps else f"nothing to {what}") + removals
    tables = len({step.table for step in work})
    return (
        f"{len(work)} of {number_of(len(steps), 'unit')} to load, in {number_of(tables, 'table')}; "
        f"{len(steps) - len(work)} unchanged{removals}"
    )


def _line_before(one: OutOfRetention) -> PlanLine:
    action = "remove" if one.is_removed else "skip"
    return PlanLine(str(one.table), "partition", one.unit, action, one.rows, "", one.reason)


def _line(step: Step) -> PlanLine:
    window = ""
    if step.action is Action.LOAD_INCREMENT:
        high = "+inf)" if step.window_high is None else f"{step.window_high}]"
        window = f"({'-inf' if step.window_low is None else step.window_low}, {high}"
    rows = step.probe.rows if step.probe is not None else step.approx_rows
    return PlanLine(str(step.table), step.kind, step.unit, _VERBS[step.action], rows, window, step.reason)

"""A plan reads like sentences."""

from __future__ import annotations

from dltsync_core.plan.explain import PlanLine, explain, summary
from dltsync_core.plan.steps import Action, Step, TablePlan
from tests.core.plan.cases import ORDERS, probe

SKIP = Step(ORDERS, "static", "all", Action.SKIP, "unchanged", probe=probe())
CHANGES = Step(
    ORDERS, "scd", "all", Action.LOAD_INCREMENT, "rows went up", probe=probe(rows=9), window_low="a", window_high="b"
)
FRESH = Step(ORDERS, "partition", "[1,2)", Action.LOAD, "never loaded before", approx_rows=7)


def plan(*steps: Step) -> TablePlan:
    return TablePlan(ORDERS, "static", tuple((step,) for step in steps), "fingerprint")


def test_every_step_is_a_line_with_rows_and_window() -> None:
    assert explain([plan(SKIP), plan(CHANGES, FRESH)]) == (
        PlanLine("sales.Orders", "static", "all", "skip", 3, "", "unchanged"),
        PlanLine("sales.Orders", "scd", "all", "load changes", 9, "(a, b]", "rows went up"),
        PlanLine("sales.Orders", "partition", "[1,2)", "load", 7, "", "never loaded before"),
    )


def test_the_summary_counts_work() -> None:
    assert summary([plan(SKIP, SKIP)]) == "nothing to do: all 2 units are unchanged"
    assert summary([plan(SKIP), plan(CHANGES, FRESH)]) == "2 of 3 units to load, in 1 table; 1 unchanged"
    assert summary([]) == "nothing to do"

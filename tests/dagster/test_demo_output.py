"""What the demo shows fits into a terminal of 80 columns, and names stay whole."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from dltsync_core.committed import Probe
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Action, Step, TablePlan
from dltsync_core.run.result import RowCounts, UnitResult
from dltsync_dagster.demo.show import show_plan, show_units

WEATHER = TableName("dbo", "aircraft_operator_of_the_year")
UNIT = "(2013-09-30,2013-10-31]"
REASON = "the fingerprint of 2,212 rows is another one, and so is the number of rows"


def printed(width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False)
    probe = Probe(method="fingerprint", rows=2_212, signature="x")
    step = Step(table=WEATHER, kind="partition", unit=UNIT, action=Action.LOAD_INCREMENT, reason=REASON, probe=probe)
    show_plan(console, [TablePlan(WEATHER, "partition", ((step,),), "fingerprint", ())])
    unit = UnitResult(
        table=WEATHER,
        kind="partition",
        unit=UNIT,
        status="committed",
        reason=REASON,
        rows_read=1_234_567,
        counts=RowCounts(1_234_567, 1_234_567, 1_234_567),
        bytes_written=12_345_678,
        duration_seconds=123.4,
    )
    show_units(console, [unit])
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 112, 160])
def test_names_are_whole_and_lines_fit(width: int) -> None:
    lines = printed(width)
    assert [line for line in lines if len(line) > width] == []
    for name in (WEATHER.table, UNIT, "read the increment", "1,234,567", "12.35 MB"):
        assert any(name in line for line in lines), name

"""What `dltsync run` shows at 80 columns: files in tests/golden/terminal that a person can read.

`UPDATE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from dltsync_core.cli.progress import RunProgress
from dltsync_core.cli.tables import print_run
from dltsync_core.committed import TableKind
from dltsync_core.identity import TableName
from dltsync_core.run.events import Event
from dltsync_core.run.result import RowCounts, RunResult, Status, UnitResult

GOLDEN = Path(__file__).parents[2] / "golden" / "terminal"
ORDERS, LINES, COUNTRIES = TableName("sales", "Orders"), TableName("sales", "OrderLines"), TableName("dbo", "Countries")
LONG = TableName("warehousing", "InventoryMovementsOfAllLocationsByDay")

SPINNER = re.compile("[⠀-⣿]")


def as_printed(name: str, text: str) -> None:
    """The text is that of the golden file, and no line of it is wider than the terminal."""
    text = "".join(f"{SPINNER.sub('⠋', line).rstrip()}\n" for line in text.splitlines())
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def terminal(width: int = 80, height: int = 25) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, color_system=None, force_terminal=True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def played(progress: RunProgress, clock: Clock) -> None:
    """A run in the middle: skipped, committed and failed units, and some on their way."""
    progress(Event("planned", ORDERS, "all", units=40, expected_rows=4_000_000))
    progress(Event("planned", LONG, "all", units=12, expected_rows=900_000))
    progress(Event("planned", COUNTRIES, "all", units=1, expected_rows=250))
    progress(Event("skipped", ORDERS, "[2023-12-01,2024-01-01)", rows=0, message="unchanged since the last commit"))
    progress(Event("extracting", ORDERS, "[2024-01-01,2024-02-01)", "l", 0, expected_rows=1_500_000))
    clock.now += 30
    progress(Event("extracted", COUNTRIES, "all", "l", 250, bytes=9_000))
    progress(Event("committed", COUNTRIES, "all", "l", 250))
    progress(
        Event("failed", LONG, "[2024-01-02,2024-01-03)", "l", message="quality rules do not hold: Amount is NULL\n-> x")
    )
    progress(Event("extracting", LONG, "[2024-01-01,2024-01-02)", "l", 40_000, bytes=1_200_000))
    clock.now += 45
    progress(
        Event("extracting", ORDERS, "[2024-01-01,2024-02-01)", "l", 675_000, bytes=42_000_000, expected_rows=1_500_000)
    )
    progress(Event("loading", ORDERS, "[2024-02-01,2024-03-01)", "l", 1_234_567))
    clock.now += 12.4


@pytest.mark.parametrize("height", [25, 6])
def test_the_progress_of_a_run(height: int) -> None:
    console, clock = terminal(height=height), Clock()
    progress = RunProgress(console, clock)
    played(progress, clock)
    console.print(progress)
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    as_printed(f"progress_{height}_lines.txt", text)


def result() -> RunResult:
    def unit(
        table: TableName, kind: TableKind, name: str, status: Status, rows: int, error: str | None = None
    ) -> UnitResult:
        counts = RowCounts(rows, rows, rows) if status == "committed" else None
        return UnitResult(
            table,
            kind,
            name,
            status,
            "r",
            rows_read=rows,
            counts=counts,
            duration_seconds=rows / 1e5,
            error=error,
        )

    error = (
        "sales.OrderLines: quality rules do not hold: Amount is NULL in 3 rows\n"
        "  -> correct the rows at the source, or relax the rule"
    )
    units = [
        *(unit(ORDERS, "partition", f"[{n},{n + 1})", "skipped", 0) for n in range(1_234)),
        unit(ORDERS, "partition", "[1234,+inf)", "committed", 1_234_567),
        unit(LONG, "partition", "[2024-01-01,2024-01-02)", "committed", 40_000),
        unit(LINES, "scd", "all", "failed", 0, error),
        unit(COUNTRIES, "static", "all", "committed", 250),
    ]
    notes = ("sales.Orders: 3 rows moved between partitions while the run read them",)
    return RunResult("20260101T000000000000Z-0a1b2c3d", tuple(units), 95.31, 412.3, notes)


@pytest.mark.parametrize("width", [80, 120])
def test_the_result_of_a_run(width: int) -> None:
    console = terminal(width)
    print_run(console, result())
    file = console.file
    assert isinstance(file, io.StringIO)
    as_printed(f"run_{width}_columns.txt", file.getvalue())
    assert "sales.OrderLines" in file.getvalue(), "names stay whole"

"""What the demo shows: tables a person enjoys reading. Nothing here decides or computes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dltsync_core.cli.listing import Column, Listing
from dltsync_core.display import number_of
from dltsync_core.plan.steps import Action, TablePlan
from dltsync_core.run.result import UnitResult
from dltsync_dagster.demo.comparison import PLACES, Comparison
from dltsync_dagster.demo.materialise import Look
from dltsync_dagster.demo.reader import Seen
from dltsync_dagster.demo.source import Change

_MIDNIGHT = re.compile(r"(?:T|%20| )00:00:00(?:\.0+)?")
_VERBS = {Action.LOAD_INCREMENT: "read the increment", Action.RELOAD: "fill from the lake"}
_KINDS = {"partition": "one month", "scd": "versions", "static": "whole table"}


def heading(console: Console, text: str) -> None:
    """A new chapter."""
    console.print()
    console.rule(Text(text, style="bold cyan"), align="left", style="cyan")


def note(console: Console, text: str) -> None:
    """A line in between."""
    console.print(Text(f"  {text}", style="dim"))


class _Rows:
    """Rows under named columns: a table where the terminal is wide enough for it, else a block per row."""

    def __init__(self, *columns: str, right: Sequence[str] = ()) -> None:
        self._listing = Listing("", [Column(name, numeric=name in right) for name in columns])

    def add_row(self, *cells: Text | str) -> None:
        self._listing.add(*cells)

    def print(self, console: Console) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="bold")
        for column in self._listing.columns:
            table.add_column(column.name, justify="right" if column.numeric else "left", overflow="fold")
        for row in self._listing.rows:
            table.add_row(*row)
        if (
            console.measure(table, options=console.options.update(max_width=_UNBOUNDED)).maximum <= console.width
            or console.width >= _WIDE
        ):
            console.print(table)
        else:
            console.print()
            self._listing.print(console)


_WIDE = 112
"""Columns from which on the last column of a table is wrapped, where it is wider than the terminal."""
_UNBOUNDED = 10_000


def show_source(console: Console, loaded: dict[str, int], seconds: float) -> None:
    """What now lies in the stand-in."""
    table = _Rows("source table", "kind", "rows", right=["rows"])
    kinds = {
        "flights": "14 partitions, RANGE RIGHT by month",
        "weather": "12 partitions, RANGE LEFT by last day of the month",
        "aircraft_operator": "versions (SCD2)",
        "airports": "reference data",
        "airlines": "reference data",
    }
    for name, rows in loaded.items():
        table.add_row(f"dbo.{name}", kinds[name], f"{rows:,}")
    table.print(console)
    note(console, f"bulk-loaded with Microsoft's driver over TLS in {seconds:.1f} s")


def show_look(console: Console, look: Look) -> None:
    """What the sensors ask for, and what they keep quiet about."""
    if look.requests:
        table = _Rows("sensor", "asks for", "because")
        for request in look.requests:
            table.add_row(request.sensor, Text(f"{request.table}  {short(request.target)}"), Text(request.reason))
        table.print(console)
    for sensor, reason in look.quiet.items():
        note(console, f"{sensor}: nothing to do ({reason})")


def show_units(console: Console, units: Sequence[UnitResult]) -> None:
    """What was loaded, unit by unit; equal counts in the three places are part of a commit."""
    table = _Rows("table", "unit", "read", "source", "lake", "warehouse", "Parquet", "seconds", right=_FIGURES)
    for unit in units:
        counts = unit.counts
        figures = [f"{counts.source:,}", f"{counts.lake:,}", f"{counts.warehouse:,}"] if counts else ["", "", ""]
        table.add_row(
            unit.table.table,
            Text(short(unit.unit) if unit.kind == "partition" else _KINDS[unit.kind]),
            f"{unit.rows_read:,}",
            *figures,
            _megabytes(unit.bytes_written),
            f"{unit.duration_seconds:.1f}",
        )
    table.print(console)


_FIGURES = ["read", "source", "lake", "warehouse", "Parquet", "seconds"]


def show_totals(console: Console, units: Sequence[UnitResult], seconds: float, memory: str | None) -> None:
    """One line about the speed, one about the memory."""
    rows, size = sum(unit.rows_read for unit in units), sum(unit.bytes_written for unit in units)
    rate = f", {rows / seconds:,.0f} rows/s end to end" if seconds > 0 and rows > 1000 else ""
    note(console, f"{number_of(rows, 'row')}, {_megabytes(size)} of Parquet in {seconds:.1f} s{rate}")
    if memory is not None:
        note(console, memory)


def show_reader(console: Console, seen: Seen) -> None:
    """What another session saw in the warehouse while the rows were replaced."""
    found = seen.as_dict()
    if seen.whole:
        note(
            console,
            f"meanwhile a reader asked the warehouse for July's flights {number_of(found['polls'], 'time')}: it saw the old rows "
            f"{number_of(found['old'], 'time')} and the new ones {number_of(found['new'], 'time')}, never none and never a mix",
        )
    else:
        problem = (
            f"failed: {seen.failed}"
            if seen.failed
            else f"saw neither old nor new rows {number_of(found['other'], 'time')}"
        )
        console.print(f"  a reader of the warehouse {problem}. That is a defect: please report it.", style="red")


def show_changes(console: Console, changes: Sequence[Change]) -> None:
    """What happened at the source."""
    table = _Rows("table", "what happened", "rows", right=["rows"])
    for change in changes:
        table.add_row(f"dbo.{change.table}", change.what, f"{change.rows:,}")
    table.print(console)


def show_plan(console: Console, plans: Sequence[TablePlan]) -> None:
    """What is read and what is left alone, as `dltsync plan` says it."""
    table = _Rows("table", "unit", "plan", "because")
    for plan in plans:
        for step in plan.work:
            unit = short(step.unit) if plan.kind == "partition" else _KINDS[plan.kind]
            verb = _VERBS.get(step.action, "read")
            table.add_row(plan.table.table, Text(unit), Text(verb, style="bold green"), Text(step.reason))
        skipped = [step for step in plan.steps if step.action is Action.SKIP]
        if skipped:
            what = f"{len(skipped)} months" if plan.kind == "partition" else _KINDS[plan.kind]
            table.add_row(
                Text(plan.table.table, style="dim"),
                Text(what, style="dim"),
                Text("skip", style="dim"),
                Text("unchanged, nothing is read", style="dim"),
            )
    table.print(console)


def show_comparison(console: Console, comparisons: Sequence[Comparison]) -> None:
    """The three places side by side."""
    table = _Rows("table", *PLACES, "content", "", right=PLACES)
    for comparison in comparisons:
        digests = {content.digest for content in comparison.content.values()}
        equal = Text("equal ✓", style="bold green") if comparison.equal else Text("DIFFERENT ✗", style="bold red")
        table.add_row(
            comparison.table,
            *(f"{comparison.content[place].rows:,}" for place in PLACES),
            Text(" ".join(sorted(digests)), style="dim" if len(digests) == 1 else "red"),
            equal,
        )
    table.print(console)
    for comparison in comparisons:
        for place in PLACES[1:]:
            here, there = comparison.only_here[place], comparison.only_there[place]
            if here or there:
                console.print(
                    f"  {comparison.table}: {number_of(here, 'row')} only at the source, {there:,} only in the {place}",
                    style="red",
                )
    note(
        console,
        "read by pyodbc (SQL Server) and by DuckDB alone (files of lake and warehouse): every row, every column",
    )


def show_end(console: Console, *, equal: bool, seconds: float, base: str) -> None:
    """How it went, and where to go from here."""
    if equal:
        text = Text.assemble(
            ("Source, lake and warehouse are equal, row by row.", "bold green"),
            f"\n{seconds:.0f} seconds in all. Everything lies in {base}/.\n\n",
            ("make dev", "bold"),
            "       the same state in the Dagster UI (dltsync demo --ui)\n",
            ("dltsync.yaml", "bold"),
            "   the config behind it: copy it and name your own tables",
        )
    else:
        text = Text("The three places differ. That is a defect: please report it.", style="bold red")
    console.print()
    console.print(Panel(text, border_style="green" if equal else "red", expand=False))


def short(unit: str) -> str:
    """A partition key without the midnight that a boundary of hours carries along."""
    return _MIDNIGHT.sub("", unit)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size else "0"

"""Results as tables that fit into 80 columns; values in quotes and on one line, whatever characters are in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dltsync_core.cli.listing import Column, Listing
from dltsync_core.display import number_of, quoted, visible
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.steps import Action, TablePlan
from dltsync_core.run.result import RowCounts, RunResult, UnitResult
from dltsync_core.typemap.text import HALF_PAIRS

_ACTION_STYLE = {
    Action.SKIP: "dim",
    Action.LOAD: "green",
    Action.LOAD_INCREMENT: "green",
    Action.RELOAD: "cyan",
}


def number(value: float | None) -> str:
    """A count with thousands separators; a dash when unknown."""
    return "–" if value is None else f"{value:,.0f}"


def shown(value: object, style: str = "") -> Text:
    """A name or message as it is: console markup and escape sequences in it have no effect."""
    return Text(visible(str(value)), style=style)


def empty_grid(title: str, columns: Sequence[tuple[str, bool]]) -> Table:
    """A table of named columns without rows; those marked True hold numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    return table


def print_plans(console: Console, plans: Sequence[TablePlan]) -> None:
    """What a run would do, unit by unit."""
    work = sum(len(plan.work) for plan in plans)
    units = sum(len(plan.steps) for plan in plans)
    grid = Listing(
        f"Plan: {work} of {number_of(units, 'unit')} to do",
        [Column("table"), Column("unit"), Column("action"), Column("rows", numeric=True), Column("why")],
    )
    for plan in plans:
        for one in plan.not_read:
            action = Text("remove", style="yellow") if one.is_removed else Text("skip", style="dim")
            grid.add(shown(one.table), shown(one.unit), action, number(one.rows), shown(one.reason))
        for step in plan.steps:
            rows = step.probe.rows if step.probe else step.approx_rows
            grid.add(
                shown(step.table),
                shown(step.unit),
                Text(step.action.value.replace("_", " "), style=_ACTION_STYLE[step.action]),
                number(rows),
                shown(step.reason),
            )
    grid.print(console)
    print_contracts(console, plans)
    for plan in plans:
        for note in plan.notes:
            console.print(shown(f"note: {plan.table}: {note}", style="yellow"))


def print_contracts(console: Console, plans: Sequence[TablePlan]) -> None:
    """The columns whose values are not copied as they are: what is lost, what stops a load, what is left out.

    The others are only counted; --json has the contract of every column.
    """
    exact = sum(contract["lossless"] for plan in plans for contract in plan.contracts.values())
    lossy = sum(len(plan.contracts) for plan in plans) - exact
    left_out = sum(len(plan.left_out) for plan in plans)
    grid = Listing(
        f"Columns: {exact} without loss, {lossy} with a loss that the config asks for, {left_out} left out",
        [Column("table"), Column("column"), Column("source", label=True), Column("lake", label=True), Column("remark")],
    )
    for plan in plans:
        for name, contract in plan.contracts.items():
            if remark := _remark(contract):
                style = "" if contract["lossless"] else "yellow"
                kinds = (str(contract["sql_type"]), str(contract["arrow_type"]))
                grid.add(shown(plan.table), shown(name), *map(shown, kinds), shown(remark, style=style))
        for name, reason in plan.left_out.items():
            grid.add(shown(plan.table), shown(name), "", "–", shown(f"left out: {reason}", style="dim"))
    if grid.rows:
        grid.print(console)
    else:
        console.print(Text(grid.title, style="bold"), soft_wrap=True)


_EVERY_COLUMN_ALIKE = {"string", "large_string", "float", "double"}
"""What a warehouse says of one column of such a type it says of all: it is on a page too."""


def _remark(contract: Mapping[str, Any]) -> str:
    remarks = [f"loses {contract['lost']}"] if contract["lost"] else []
    remarks += [contract["origin"]] if contract["origin"] else []
    # What all texts have in common is on a page (docs/types.md): a line for each of them would hide the others.
    remarks += [contract["note"]] if "stops the load" in contract["note"] and contract["note"] != HALF_PAIRS else []
    if "warehouse" in contract and str(contract["arrow_type"]) not in _EVERY_COLUMN_ALIKE:
        remarks.append(str(contract["warehouse"]))
    return "; ".join(remarks)


WIDE = 110
"""Columns from which on a result shows the kind of a table and the rows of source, lake and warehouse too."""


def print_run(console: Console, result: RunResult) -> None:
    """What a run did: one row a table, then its failures. Rows of source, lake and warehouse are equal unless a unit failed, so a
    narrow terminal does without them."""
    wide = console.width >= WIDE
    counts = [(name, True) for name in ("source", "lake", "warehouse")]
    columns = [("table", False), *([("kind", False)] if wide else [])]
    columns += [(name, True) for name in ("committed", "skipped", "failed", "rows read")]
    grid = empty_grid("Run", [*columns, *(counts if wide else []), ("seconds", True)])
    for name in dict.fromkeys(unit.table for unit in result.units):
        units = [unit for unit in result.units if unit.table == name]
        rows = [unit.counts for unit in units if unit.counts]
        state = {s: sum(unit.status == s for unit in units) for s in ("committed", "skipped", "failed")}
        cells: list[str | Text] = [
            number(state["committed"]),
            number(state["skipped"]),
            Text(number(state["failed"]), style="red" if state["failed"] else ""),
            number(sum(unit.rows_read for unit in units)),
        ]
        if wide:
            cells = [Text(units[0].kind), *cells, *_sums(rows)]
        grid.add_row(shown(name), *cells, f"{sum(unit.duration_seconds for unit in units):.1f}")
    console.print(grid)
    memory = f", peak memory {result.peak_memory_mb:,.0f} MB" if result.peak_memory_mb else ""
    console.print(
        f"{number_of(result['total_records'], 'row')} read in {result.total_duration_seconds:.1f} s{memory}; run {result.run_id}"
    )
    for unit in result.failed:
        console.print(Text.assemble(("failed: ", "bold red"), visible(_failure(unit))), soft_wrap=True)
    for note in result.notes:
        console.print(shown(f"note: {note}", style="yellow"))


def _failure(unit: UnitResult) -> str:
    """The error of a unit, after what it does not name itself: the table, the partition."""
    error = str(unit.error)
    first = error.splitlines()[0]
    names = [str(unit.table)] if unit.unit == WHOLE_TABLE else [str(unit.table), unit.unit]
    return error if all(name in first for name in names) else f"{' '.join(names)}: {error}"


def _sums(counts: Sequence[RowCounts]) -> list[str]:
    if not counts:
        return [number(None)] * 3
    return [number(sum(getattr(each, place) for each in counts)) for place in ("source", "lake", "warehouse")]


def print_status(console: Console, status: Mapping[str, Any]) -> None:
    """The state of every table."""
    connected = Text("yes", style="green") if status["database_connected"] else Text("no", style="red")
    console.print(
        Text.assemble("pipeline ", (str(status["pipeline_name"]), "bold"), "   server reachable: ", connected)
    )
    if status.get("database_error"):
        console.print(shown(status["database_error"], style="red"), soft_wrap=True)  # it may hold a statement to copy
    grid = Listing(
        "",
        [
            *(Column("table"), Column("kind"), Column("target", label=True)),
            *(Column(name, numeric=True) for name in ("units", "rows")),
            *(Column(name, label=True) for name in ("last commit", "watermark", "last error")),
        ],
    )
    for row in status["tables"]:
        error = str(row.get("last_error") or "")
        grid.add(
            shown(row["table"]),
            str(row["kind"]),
            shown(row["target"]),
            number(row["units"]),
            number(row["rows"]),
            _to_the_second(row.get("last_committed_at")),
            shown(row.get("watermark") or ""),
            shown(error.splitlines()[0] if error else "", style="red"),
        )
    grid.print(console)


def _to_the_second(stamp: str | None) -> str:
    return f"{stamp[:19]}Z" if stamp else "never"


def print_validation(console: Console, report: Mapping[str, Any]) -> None:
    """Source, lake and warehouse side by side; one row a table, and every unit that differs."""
    grid = Listing(
        f"{report['valid_tables']} of {number_of(report['total_tables'], 'table agrees', 'tables agree')}",
        [
            *(Column("table"), Column("unit")),
            *(Column(name, numeric=True) for name in ("source", "lake", "warehouse")),
            Column("result"),
        ],
    )
    for table in report["tables"]:
        _add_counts(
            grid, table["table"], "all" if len(table["units"]) != 1 else table["units"][0]["unit"], table["units"]
        )
        for unit in table["units"]:
            if not unit["equal"] and len(table["units"]) > 1:
                _add_counts(grid, table["table"], unit["unit"], [unit])
    grid.print(console)
    for table in report["tables"]:
        for message in table.get("messages", ()):
            console.print(shown(f"{table['table']}: {message}", style="red"), soft_wrap=True)
        for note in table.get("notes", ()):
            console.print(shown(f"note: {table['table']}: {note}", style="yellow"), soft_wrap=True)
    print_row_diffs(console, report)


def _add_counts(grid: Listing, table: str, unit: str, units: Iterable[Mapping[str, Any]]) -> None:
    rows = list(units)
    if not rows:
        # Its message below says why. No rows would look like a table that agrees.
        grid.add(shown(table), shown(unit), *(number(None) for _ in _PLACES), Text("not compared", style="bold red"))
        return
    sums = [None if any(row[place] is None for row in rows) else sum(row[place] for row in rows) for place in _PLACES]
    equal = all(row["equal"] for row in rows)
    grid.add(
        shown(table),
        shown(unit),
        *(number(value) for value in sums),
        Text("equal", style="green") if equal else Text("DIFFERENT", style="bold red"),
    )


_PLACES = ("source", "lake", "warehouse")


def print_row_diffs(console: Console, report: Mapping[str, Any]) -> None:
    """For every unit with a row diff: its rows that differ, how many further ones there are, and what was compared."""
    for table in report["tables"]:
        for unit in table["units"]:
            if unit.get("row_diff") is not None:
                subject = visible(f"{table['table']} {unit['unit']}")
                for line in _lines(subject, unit["row_diff"]):
                    console.print(line, soft_wrap=True)


def _lines(subject: str, diff: Mapping[str, Any]) -> Iterator[Text]:
    rows, omitted = diff["rows"], diff["omitted"]
    if diff["reason"]:
        yield Text(f"{subject}: the rows that differ are not known: {visible(diff['reason'])}", style="yellow")
        return
    key = f"key {', '.join(map(visible, diff['key']))}" if diff["key"] else "shown whole: the table has no unique key"
    least = "" if diff["omitted_is_exact"] else "at least "
    count = f"{least}{len(rows) + omitted:,}"
    yield Text(f"{subject}: {count} {'row differs' if count == '1' else 'rows differ'}, {key}", style="bold")
    for row in rows:
        yield Text.assemble(f"  {_key(row['key'])}: ", (visible(row["message"]), "red"))
        for value in row["values"] if diff["key"] else ():
            here = ", ".join(f"{place} {_value(value[place])}" for place in _PLACES if place in value)
            yield Text(f"      {visible(value['column'])}: {here}")
    if omitted:
        yield Text(f"  and {least}{omitted:,} more", style="yellow")
    yield Text(f"  compared: {'; '.join(_levels(diff['levels']))}", style="dim")


def _key(key: Mapping[str, str | None]) -> str:
    return ", ".join(f"{visible(name)} {_value(value)}" for name, value in key.items())


def _value(text: str | None) -> str:
    return "NULL" if text is None else quoted(text)


def _levels(levels: list[Mapping[str, int]]) -> Iterator[str]:
    for level in levels:
        if level["buckets"]:
            differing = f"{level['differing']:,} with {number_of(level['rows'], 'row')} differ"
            yield f"{number_of(level['buckets'], 'bucket')}, of which {differing}"
        else:
            yield f"{number_of(level['rows'], 'row')} by value"

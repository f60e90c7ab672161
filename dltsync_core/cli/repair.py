"""The reports of `dltsync recover` and `dltsync repair` as tables that fit into 80 columns."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from dltsync_core.cli.listing import Column, Listing
from dltsync_core.cli.tables import empty_grid, number, shown
from dltsync_core.display import number_of, quoted

SHOWN = 100
"""Findings, and changes, that are listed; --json has all of them."""

_LEFT = (
    "versions that are, or may be, wrong at the source are not changed; "
    "--including-source-faults changes them in the warehouse"
)
_ORIGIN_STYLE = {"source": "yellow", "warehouse": "cyan", "unknown": "bold yellow"}


def print_repair(console: Console, report: Mapping[str, Any]) -> None:
    """The findings with their origin, the changes, and what is left to do."""
    findings, changes, dry = report["findings"], report["changes"], report["dry_run"]
    if not findings:
        console.print(shown(f"{report['table']}: no findings; every version of {report['target']} is correct"))
    else:
        console.print(_findings(report))
        _print_more(console, len(findings))
    if changes:
        console.print(_changes(report))
        _print_more(console, len(changes))
    for line, style in _remarks(report):
        console.print(shown(line, style))
    if dry and changes:
        also = " --including-source-faults" if report["including_source_faults"] else ""
        console.print(shown(f"  -> dltsync repair {report['table']} --apply{also}"), soft_wrap=True)


def _findings(report: Mapping[str, Any]) -> Any:
    done = "repaired" if not report["dry_run"] else "would be"
    grid = empty_grid(
        f"{report['table']}: {number_of(len(report['findings']), 'finding')}",
        [("key", False), ("fault", False), ("origin", False), (done, False)],
    )
    for finding in report["findings"][:SHOWN]:
        grid.add_row(
            shown(_key(finding["key"])),
            shown(finding["detail"]),
            Text(finding["origin"], style=_ORIGIN_STYLE[finding["origin"]]),
            Text("repaired", style="green") if finding["repaired"] else Text("left", style="yellow"),
        )
    return grid


def _changes(report: Mapping[str, Any]) -> Any:
    done = "would be made" if report["dry_run"] else "made"
    grid = empty_grid(
        f"{number_of(len(report['changes']), 'change')} in {report['target']} {done}",
        [("key", False), ("version of", False), ("end", False), ("latest", False)],
    )
    for change in report["changes"][:SHOWN]:
        grid.add_row(
            shown(_key(change["key"])),
            shown(change["valid_from"]),
            shown(_step(change["end_before"] or "open", change["end_after"] or "open")),
            shown(_step(_yes(change["latest_before"]), _yes(change["latest_after"]))),
        )
    return grid


def _remarks(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What to do, once for all findings with the same remedy; then the notes."""
    remedies: dict[str, int] = {}
    for finding in report["findings"]:
        if finding["remedy"]:
            remedies[finding["remedy"]] = remedies.get(finding["remedy"], 0) + 1
    for remedy, times in remedies.items():
        yield f"{number_of(times, 'finding')}: {remedy}", "yellow"
    if any(f["origin"] != "warehouse" and not f["repaired"] for f in report["findings"]):
        yield _LEFT, ""
    for note in report["notes"]:
        yield f"note: {note}", "yellow"


def _print_more(console: Console, count: int) -> None:
    if count > SHOWN:
        console.print(f"and {count - SHOWN:,} more: --json has all of them")


def _key(key: Mapping[str, str | None]) -> str:
    """The values alone, in quotes: blanks at the end count, and the columns are the same in every row."""
    return ", ".join("NULL" if value is None else quoted(value) for value in key.values())


def _step(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_STYLE = {"keep": "dim", "adopt": "cyan", "resume": "cyan", "reload": "cyan", "re_extract": "yellow", "ask": "bold red"}


def print_recovery(console: Console, report: Mapping[str, Any]) -> None:
    """One row a unit; then the files that are moved away, the questions, and how much the next run reads."""
    rows = Listing(
        "Recovery (dry run)" if report["dry_run"] else "Recovery",
        [
            *(Column(name) for name in ("table", "unit", "verdict")),
            *(Column(name, numeric=True) for name in ("ledger", "lake", "warehouse", "lake MB", "to read")),
            Column("watermark", label=True),
            Column("why"),
        ],
    )
    for table in report["tables"]:
        for unit in table["units"]:
            rows.add(
                shown(table["table"]),
                shown(unit["unit"]),
                Text(unit["verdict"].replace("_", " "), style=_STYLE[unit["verdict"]]),
                number(unit["ledger"]),
                number(unit["lake"]),
                number(unit["warehouse"]),
                f"{unit['lake_bytes'] / 1e6:,.1f}",
                number(unit["rows_to_read"]),
                shown(unit["watermark"] or ""),
                shown(unit["reason"]),
            )
    rows.print(console)
    done = "would be moved away" if report["dry_run"] else "moved away"
    for table in report["tables"]:
        for finding in table["quarantined"]:
            console.print(shown(f"{done}: {finding}", "yellow"), soft_wrap=True)
        if table["error"]:
            console.print(
                Text.assemble(("failed: ", "bold red"), shown(f"{table['table']}: {table['error']}")), soft_wrap=True
            )
        if table["question"]:
            question = table["question"]
            asked = shown(f"{table['table']}: {question['question']}")
            console.print(Text.assemble(("question: ", "bold red"), asked), soft_wrap=True)
            name = shlex.quote(table["table"])
            console.print(shown(f"  -> dltsync recover --tables {name} --answer {question['answer']}"), soft_wrap=True)
    console.print(f"the next run reads {number_of(report['rows_to_read'], 'row')}, and what changed since")

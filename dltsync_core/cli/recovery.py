"""What `dltsync recover` found and decided, as a table a person reads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from dltsync_core.cli.tables import empty_grid, number, shown

_STYLE = {"keep": "dim", "adopt": "cyan", "resume": "cyan", "reload": "cyan", "re_extract": "yellow", "ask": "bold red"}


def print_recovery(console: Console, report: Mapping[str, Any]) -> None:
    """One row a unit; then what was set aside, the questions, and what the next run has to read."""
    rows = empty_grid(
        "Recovery (dry run)" if report["dry_run"] else "Recovery",
        [
            *((name, False) for name in ("table", "unit", "verdict")),
            *((name, True) for name in ("ledger", "lake", "warehouse", "lake MB", "to read")),
            *((name, False) for name in ("watermark", "why")),
        ],
    )
    for table in report["tables"]:
        for unit in table["units"]:
            rows.add_row(
                shown(table["table"]),
                shown(unit["unit"]),
                Text(unit["verdict"], style=_STYLE[unit["verdict"]]),
                number(unit["ledger"]),
                number(unit["lake"]),
                number(unit["warehouse"]),
                f"{unit['lake_bytes'] / 1e6:,.1f}",
                number(unit["rows_to_read"]),
                shown(unit["watermark"] or ""),
                shown(unit["reason"]),
            )
    console.print(rows)
    done = "would be set aside" if report["dry_run"] else "set aside"
    for table in report["tables"]:
        for finding in table["set_aside"]:
            console.print(shown(f"{done}: {finding}", "yellow"), soft_wrap=True)
        if table["error"]:
            console.print(Text.assemble(("failed: ", "bold red"), shown(f"{table['table']}: {table['error']}")))
        if table["question"]:
            question = table["question"]
            console.print(Text.assemble(("question: ", "bold red"), shown(f"{table['table']}: {question['question']}")))
            name = shlex.quote(table["table"])
            console.print(shown(f"  -> dltsync recover --tables {name} --answer {question['answer']}"), soft_wrap=True)
    console.print(f"the next run reads {number(report['rows_to_read'])} rows whole, and what changed since")

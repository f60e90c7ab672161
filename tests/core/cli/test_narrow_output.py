"""Plan, status and validation at 80 columns: names stay whole, and the output is a file that was looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dltsync_core.cli import repair, tables
from dltsync_core.cli.listing import Column, Listing
from dltsync_core.committed import Probe
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Action, Step, TablePlan
from dltsync_core.typemap.text import HALF_PAIRS

GOLDEN = Path(__file__).parents[2] / "golden" / "terminal"
ORDERS = TableName("sales", "InternetOrderLines")
PEOPLE = TableName("hr", "a.b")
KEYS = ["(-inf,2024-01-01T00:00:00.123)", "[2024-01-01T00:00:00.123,2024-02-01)", "[2024-02-01,+inf)"]


def step(table: TableName, unit: str, action: Action, reason: str, rows: int) -> Step:
    probe = Probe(method="fingerprint", rows=rows, signature="x")
    return Step(table=table, kind="partition", unit=unit, action=action, reason=reason, probe=probe)


def contract(sql_type: str, arrow_type: str, *, lost: str = "", note: str = "") -> dict[str, Any]:
    return {
        "lossless": not lost,
        "lost": lost,
        "origin": "",
        "note": note,
        "sql_type": sql_type,
        "arrow_type": arrow_type,
    }


def print_plan(console: Console) -> None:
    lines = TablePlan(
        ORDERS,
        "partition",
        (
            (step(ORDERS, KEYS[0], Action.LOAD, "never loaded", 1_234_567),),
            (step(ORDERS, KEYS[1], Action.LOAD, "never loaded", 1_234_567),),
            (step(ORDERS, KEYS[2], Action.SKIP, "unchanged: 12 rows, and the same fingerprint", 12),),
        ),
        "fingerprint",
        ("a note that is longer than the terminal is wide, because it has to say a lot of things at once",),
        contracts={
            "OrderNo": contract("int", "int32"),
            "ModifiedAtTheSource": contract(
                "datetime2(7)", "timestamp[us]", lost="digits below a microsecond", note="a value 9999 stops the load"
            ),
        },
        left_out={"Photo": "excluded by the config"},
    )
    texts = {"Name": contract("nvarchar(40)", "string", note=HALF_PAIRS)}
    loads = ((step(PEOPLE, "all", Action.LOAD, "never loaded", 3),),)
    people = TablePlan(PEOPLE, "static", loads, "hash", (), contracts=texts)
    tables.print_plans(console, [lines, people])


def print_status(console: Console) -> None:
    row = {
        "kind": "partition",
        "units": 36,
        "rows": 12_345_678,
        "last_committed_at": "2026-12-01T20:15:00.123456Z",
        "watermark": None,
        "last_error": None,
    }
    tables.print_status(
        console,
        {
            "pipeline_name": "shop",
            "database_connected": True,
            "tables": [
                {**row, "table": str(ORDERS), "target": "warehouse.InternetOrderLines"},
                {
                    **row,
                    "table": str(PEOPLE),
                    "kind": "scd",
                    "target": "warehouse.[a.b]",
                    "watermark": "2026-11-30T08:00:00.1234567",
                    "last_error": "hr.[a.b] has no column 'Changed'\n  -> correct it",
                },
                {
                    **row,
                    "table": "dbo.Never",
                    "target": "warehouse.Never",
                    "units": 0,
                    "rows": 0,
                    "last_committed_at": None,
                },
            ],
        },
    )


def print_validation(console: Console) -> None:
    units = [
        {"unit": key, "source": 1_234_567, "lake": 1_234_567, "warehouse": 1_234_567 - n, "equal": n == 0}
        for n, key in enumerate(KEYS)
    ]
    whole = {"unit": "all", "source": 3, "lake": 3, "warehouse": 3, "equal": True}
    tables.print_validation(
        console,
        {
            "valid_tables": 1,
            "total_tables": 2,
            "tables": [
                {"table": str(ORDERS), "units": units, "messages": ["the warehouse has fewer rows than the lake"]},
                {"table": str(PEOPLE), "units": [whole]},
            ],
        },
    )


def print_recovery(console: Console) -> None:
    unit = {
        "verdict": "keep",
        "ledger": 12,
        "lake": 12,
        "warehouse": 12,
        "lake_bytes": 1_234_567,
        "rows_to_read": 0,
        "watermark": None,
    }
    units = [
        {
            **unit,
            "unit": KEYS[0],
            "reason": "load 20260101T000000000000Z-0a1b2c3d is in all three places",
        },
        {
            **unit,
            "unit": KEYS[1],
            "verdict": "re_extract",
            "lake": None,
            "rows_to_read": 1,
            "reason": "torn file",
        },
    ]
    people = {
        **unit,
        "unit": "all",
        "watermark": "2026-11-30T08:00:00.1234567",
        "reason": "the warehouse has no marker",
    }
    question = {"question": "rows that only the warehouse had are gone", "answer": "accept-loss"}
    answered: dict[str, Any] = {"quarantined": [], "error": None, "question": None}
    repair.print_recovery(
        console,
        {
            "dry_run": True,
            "rows_to_read": 1,
            "tables": [
                {**answered, "table": str(ORDERS), "units": units, "quarantined": ["data/a.parquet has 7 bytes"]},
                {**answered, "table": str(PEOPLE), "units": [people], "question": question},
            ],
        },
    )


CASES: dict[str, Callable[[Console], None]] = {
    "plan": print_plan,
    "recover": print_recovery,
    "status": print_status,
    "validate": print_validation,
}


SHOWN_KEYS = {"plan": KEYS, "validate": KEYS[1:], "recover": KEYS[:2]}
"""The partitions that each output names."""


def printed(show: Callable[[Console], None], width: int) -> str:
    out = StringIO()
    show(Console(file=out, width=width, highlight=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_output_is_the_golden_one(case: str, width: int) -> None:
    """To accept a change: DLTSYNC_WRITE_GOLDEN=1, then look at the file."""
    file = GOLDEN / f"{case}_{width}.txt"
    shown = printed(CASES[case], width)
    if os.environ.get("DLTSYNC_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
        pytest.fail(f"wrote {file.name}; run again without DLTSYNC_WRITE_GOLDEN")
    assert shown == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("case", sorted(CASES))
def test_names_and_keys_are_whole_at_any_width(case: str, width: int) -> None:
    shown = printed(CASES[case], width)
    names = [str(ORDERS), str(PEOPLE), *(SHOWN_KEYS.get(case, ()))]
    assert [name for name in names if name not in shown] == []
    words = {"plan": "never loaded", "recover": "torn file", "status": "12,345,678", "validate": "DIFFERENT"}
    assert words[case] in shown


@pytest.mark.parametrize("case", sorted(CASES))
def test_lines_fit_into_80_columns(case: str) -> None:
    messages = ("the warehouse has fewer", "note:", "question:", "  -> ", "would be moved away:")
    long = [line for line in printed(CASES[case], 80).splitlines() if len(line) > 80 and not line.startswith(messages)]
    assert long == []


def test_a_listing_without_rows_shows_its_columns() -> None:
    listing = Listing("Nothing", [Column("table"), Column("rows", numeric=True)])
    assert printed(listing.print, 80) == "Nothing\ntable  rows\n"

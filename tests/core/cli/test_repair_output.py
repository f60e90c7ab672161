"""The findings of a history as a person reads them, in 80 columns."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from dltsync_core.cli.repair import SHOWN, print_repair


def finding(key: str, origin: str, *, repaired: bool, remedy: str = "") -> dict[str, Any]:
    return {
        "kind": "overlap",
        "key": {"CustomerNo": key, "Country": None},
        "valid_from": "2026-01-01 00:00:00",
        "detail": "the version of 2026-01-01 00:00:00 ends at 2026-01-09 00:00:00, after the next begins at 2026-01-05 00:00:00",
        "origin": origin,
        "repaired": repaired,
        "remedy": remedy,
    }


CHANGE = {
    "key": {"CustomerNo": "1", "Country": None},
    "valid_from": "2026-01-01 00:00:00",
    "end_before": None,
    "end_after": "2026-01-05 00:00:00",
    "latest_before": True,
    "latest_after": False,
}


def printed(*findings: dict[str, Any], changes: int = 0, dry_run: bool = True, **more: Any) -> str:
    report = {
        "table": "sales.Customers",
        "target": "warehouse.Customers",
        "dry_run": dry_run,
        "including_source_faults": False,
        "findings": list(findings),
        "changes": [CHANGE] * changes,
        "notes": [],
        **more,
    }
    out = io.StringIO()
    print_repair(Console(file=out, width=80), report)
    return out.getvalue()


def test_findings_changes_and_what_to_do_fit_into_eighty_columns() -> None:
    text = printed(
        finding("1", "warehouse", repaired=True),
        finding(
            "2",
            "source",
            repaired=False,
            remedy="correct these rows of sales.Customers at the source, then `dltsync run`",
        ),
        finding(
            "3",
            "source",
            repaired=False,
            remedy="correct these rows of sales.Customers at the source, then `dltsync run`",
        ),
        changes=1,
        notes=["open versions end in NULL in EndDate"],
    )
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    flat = " ".join(text.split())
    assert flat.count("correct these rows of sales.Customers at the source") == 1, "said once for both"
    assert "2 findings: correct these rows" in flat
    assert "open -> 2026-01-05 00:00:00 yes -> no" in flat
    assert "--including-source-faults changes them in the warehouse" in flat
    assert lines[-1] == "  -> dltsync repair sales.Customers --apply"
    assert [line.split()[-1] for line in lines if line.split() and line.split()[-1] in ("repaired", "left")] == [
        "repaired",
        "left",
        "left",
    ]


def test_a_sound_history_is_one_sentence() -> None:
    text = " ".join(printed().split())
    assert text == "sales.Customers: no findings; every version of warehouse.Customers is correct"


def test_after_a_repair_nothing_tells_to_repair() -> None:
    text = printed(finding("1", "warehouse", repaired=True), changes=1, dry_run=False)
    assert "--apply" not in text
    assert "1 change in warehouse.Customers made" in text


def test_more_than_a_person_reads_is_only_counted() -> None:
    text = printed(*[finding(str(n), "source", repaired=False) for n in range(SHOWN + 7)])
    assert "and 7 more: --json has all of them" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[red]x", "[red]x"), ("a\x1bb", "a\\x1bb"), ("one\ntwo", "one\\ntwo")],
)
def test_a_key_is_shown_as_it_is_and_obeyed_by_no_terminal(text: str, expected: str) -> None:
    shown = printed(finding(text, "source", repaired=False))
    assert "\x1b" not in shown
    assert expected in "".join(line.split("  ")[0].strip() for line in shown.splitlines())

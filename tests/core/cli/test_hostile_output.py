"""What the command line prints of hostile names and messages: all of it, and nothing that a terminal or the console obeys."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import typer
from rich.console import Console

from dltsync_core.cli import console as cli_console
from dltsync_core.cli import outcome, tables
from dltsync_core.cli.progress import RunProgress
from dltsync_core.cli.tables import print_row_diffs
from dltsync_core.display import quoted, visible
from dltsync_core.errors import QueryError
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Action, Step, TablePlan
from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult, UnitResult
from tests.support.hostile_text import HOSTILE

OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e]")


def _squeezed(text: str) -> str:
    """Without the breaks and blanks that fitting into a column costs."""
    return re.sub(r"\s", "", text)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=1000, color_system=None)


def _printed(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def _shown_whole(text: str, console: Console) -> None:
    printed = _printed(console)
    assert not OBEYED.search(printed)
    assert _squeezed(visible(text)) in _squeezed(printed)


@pytest.mark.parametrize("text", HOSTILE)
def test_plans_results_status_and_validation(text: str, console: Console) -> None:
    name = TableName("s", text)
    step = Step(name, "static", text, Action.LOAD, text)
    tables.print_plans(console, [TablePlan(name, "static", ((step,),), "fingerprint", (text,))])
    unit = UnitResult(table=name, kind="static", unit=text, status="failed", reason=text, error=text)
    tables.print_run(console, RunResult("r", (unit,), 1.0, notes=(text,)))
    row: dict[str, Any] = {"table": text, "kind": "static", "target": text, "units": 1, "rows": 1, "last_error": text}
    status = {"pipeline_name": "p", "database_connected": False, "database_error": text, "tables": [row]}
    tables.print_status(console, status)
    compared = {"unit": text, "source": 1, "lake": 1, "warehouse": 2, "equal": False}
    report = {"table": text, "valid": False, "units": [compared], "messages": [text]}
    tables.print_validation(console, {"valid_tables": 0, "total_tables": 1, "tables": [report]})
    _shown_whole(text, console)


@pytest.mark.parametrize("text", HOSTILE)
def test_rows_that_differ(text: str, console: Console) -> None:
    row = {
        "key": {text: text},
        "message": "value differs",
        "values": [{"column": text, "source": text, "warehouse": None}],
    }
    row_diff = {"key": [text], "rows": [row], "omitted": 1, "omitted_is_exact": False, "reason": None, "levels": []}
    unit = {"unit": text, "row_diff": row_diff}
    print_row_diffs(
        console, {"tables": [{"table": text, "units": [unit, {**unit, "row_diff": {**row_diff, "reason": text}}]}]}
    )
    printed = _printed(console)
    assert not OBEYED.search(printed)
    assert f"{quoted(text)}, warehouse NULL" in printed


@pytest.mark.parametrize("text", HOSTILE)
def test_progress(text: str, console: Console) -> None:
    with RunProgress(console) as progress:
        for stage in ("extracting", "loading", "failed"):
            progress(Event(stage, TableName("s", text), text, message=text))
    printed = _printed(console)
    assert not OBEYED.search(printed)
    assert _squeezed(visible(text.split("\n")[0]))[:40] in _squeezed(printed)


@pytest.mark.parametrize("text", HOSTILE)
def test_errors(text: str, monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setattr(cli_console, "stderr", console)
    with pytest.raises(typer.Exit), outcome.explained(as_json=False):
        raise QueryError(text, remedy=text)
    _shown_whole(text, console)


def test_a_traceback_that_was_asked_for_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_console, "stderr", console)
    monkeypatch.setattr(outcome, "_secrets", ["hunter2}"])
    monkeypatch.setenv("DLT_SYNC_DEBUG", "1")
    with pytest.raises(typer.Exit), outcome.explained(as_json=False):
        raise RuntimeError("PWD={hunter2}}}")
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "PWD={***}" in told

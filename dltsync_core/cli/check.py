"""`dltsync check`: what a pipeline needs, and whether it is there. Changes nothing."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from dltsync_core.checkup.check import check_pipeline
from dltsync_core.checkup.requirement import Requirement, exit_code_of
from dltsync_core.cli import console, outcome
from dltsync_core.config import load_config
from dltsync_core.config.environment import CONFIG_VARIABLE
from dltsync_core.config.files import DEFAULT_FILE
from dltsync_core.display import number_of, visible
from dltsync_core.logging import configure_logging
from dltsync_core.redaction import secrets_of

_STYLE = {"ok": "green", "warning": "yellow", "missing": "bold red"}
_MARGIN = 11
"""Columns before a message: two, the longest status, two."""


def check(config: Path | None, *, as_json: bool) -> None:
    """`dltsync check`. Ends with the smallest exit code of what is missing."""
    settings = load_config(config)
    outcome.hide_secrets(secrets_of(settings))
    configure_logging(
        level=settings.log_level,
        structured=settings.enable_structured_logging,
        quiet_stderr=not as_json,
        secrets=secrets_of(settings),
    )
    found = check_pipeline(settings.located_at(Path.cwd()))
    code = exit_code_of(found)
    if as_json:
        outcome.emit_json({"success": code == 0, "requirements": [one.as_dict() for one in found], "exit_code": code})
    else:
        file = config or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)
        print_requirements(console.stdout, str(file), len(settings.tables), found)
    if code:
        raise typer.Exit(code)


def print_requirements(to: Console, file: str, tables: int, found: Sequence[Requirement]) -> None:
    """One block per area: what is there, what is missing, and below it what to do. Statements are never wrapped: people copy
    them."""
    to.print(Text.assemble(("config", "bold")))
    _print(to, "ok", [f"{visible(file)}: {number_of(tables, 'table')}"])
    for area in dict.fromkeys(one.area for one in found):
        to.print(Text(area, style="bold"))
        for one in found:
            if one.area == area:
                _print(to, one.status, list(_lines(one, to.width - _MARGIN)))
    count = {status: sum(one.status == status for one in found) for status in ("missing", "warning")}
    if any(count.values()):
        to.print(f"{count['missing']} missing, {number_of(count['warning'], 'warning')}")
    else:
        to.print("Nothing is missing. Next: dltsync plan, dltsync run.")


def _lines(one: Requirement, width: int) -> Iterator[str]:
    yield from _wrapped(visible(one.message), width)
    if one.statement:
        yield from ("-> an administrator runs:", f"   {visible(one.statement)}")
    if one.remedy:
        first, *more = _wrapped(visible(one.remedy), width - 3)
        yield f"{'  ' if one.statement else '->'} {first}"
        yield from (f"   {line}" for line in more)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def _print(to: Console, status: str, lines: Sequence[str]) -> None:
    for position, line in enumerate(lines):
        word = Text(f"  {status if position == 0 else '':<{_MARGIN - 2}}", style=_STYLE[status])
        to.print(Text.assemble(word, line), soft_wrap=True)

"""Write docs/cli.md from the commands' own help, so that the page cannot disagree with them."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from typer.testing import CliRunner

from dltsync_core.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

HEAD = """# Command line

What `dltsync --help` and `dltsync <command> --help` print. The [glossary](glossary.md) explains the terms, [log](logging.md)
what the commands write to stderr. `dltsync dagster` and `dltsync demo` come with the extras of these names.

`scripts/cli_docs.py` writes this page; a test fails while it is out of date.
"""


def page() -> str:
    """The whole page."""
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    parts = [HEAD, _help("dltsync"), *(_help(f"dltsync {name}", name) for name in names)]
    return "\n".join(parts)


def _help(title: str, *arguments: str) -> str:
    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = "80"
    done = CliRunner().invoke(app, [*arguments, "--help"], prog_name="dltsync", env={"COLUMNS": "80"})
    text = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
    return f"## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    typer.echo(f"wrote {PAGE}")

"""Help, version and shell completion answer at once: they import nothing that only a command needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dltsync_core.cli import app
from tests.support.variants import variants

HEAVY = {
    "dagster",
    "dlt",
    "dltsync_core.config",
    "dltsync_core.run",
    "dltsync_core.warehouse",
    "dltsync_dagster.build",
    "duckdb",
    "mssql_python",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic_settings",
    "pyodbc",
    "sqlalchemy",
    "structlog",
}
"""Typer itself imports pydantic for the help of a command with parameters. The models of the config are ours: only commands
need them."""

COMPLETION = {"_DLTSYNC_COMPLETE": "complete_bash", "COMP_WORDS": "dltsync re", "COMP_CWORD": "1"}


def imports_of(*arguments: str, **environment: str) -> tuple[set[str], str]:
    """The modules that `dltsync ARGUMENTS` imports, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dltsync_core.cli", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    found = re.findall(r"(?m)^import time: +\d+ \| +\d+ \| *(\S+)$", done.stderr)
    assert "dltsync_core.cli.app" in found, "the report of the interpreter was not understood"
    return set(found), done.stdout


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if any(name == top or name.startswith(f"{top}.") for top in HEAVY)}


HELP: dict[str, tuple[tuple[str, ...], str]] = {
    "help": (("--help",), "Exit codes:"),
    "version": (("--version",), "."),
    "run": (("run", "--help"), "--full-refresh"),
    "repair": (("repair", "--help"), "--including-source-faults"),
    "demo": (("demo", "--help"), "--every"),
    "dagster": (("dagster", "--help"), "report"),
    "dagster-report": (("dagster", "report", "--help"), "--wipe"),
}


@pytest.mark.parametrize(("arguments", "printed"), variants(HELP, often={"help", "version", "run", "demo", "dagster"}))
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...], printed: str) -> None:
    modules, text = imports_of(*arguments, COLUMNS="80")
    assert printed in text
    assert not heavy(modules)
    assert "pydantic" not in modules or len(arguments) > 1
    assert text.startswith("Usage:") or "--help" not in arguments
    assert max(map(len, text.splitlines())) <= 80


def test_completion_imports_nothing_heavy() -> None:
    modules, text = imports_of(**COMPLETION)
    assert text.split() == ["recover", "repair"]
    assert not heavy(modules)


def test_a_command_that_is_called_imports_what_it_needs() -> None:
    """The list of heavy modules is about real imports: a command has them."""
    modules, _ = imports_of("schema")
    assert {"dltsync_core.config", "dlt", "duckdb", "pyarrow", "pydantic_settings"} <= modules


COMMANDS = ["", "init", "check", "run", "plan", "status", "validate", "recover", "repair", "schema"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_into_eighty_columns(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, [*([command] if command else []), "--help"]).stdout
    assert text.startswith("Usage:")
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"(?m)^  \w+ .*\.\.\.$", text), "a first sentence is too long for the list of commands"

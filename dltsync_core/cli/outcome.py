"""How a command ends: exit codes, the message of an error, and the one JSON object of `--json`."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from dltsync_core.display import visible
from dltsync_core.errors import SyncError
from dltsync_core.identity import TableName
from dltsync_core.redaction import redacted

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "everything asked for was done, or nothing had changed"),
    (1, "something failed that has no code of its own below"),
    (2, "the config, an option, a table or a column is wrong; nothing was changed"),
    (3, "this machine lacks something: an ODBC library, a writable directory, room on the disk"),
    (4, "no connection: server unreachable, login refused, certificate not trusted"),
    (5, "the server refused a statement"),
    (6, "a value does not fit the exact type chosen for its column"),
    (7, "a lake file or manifest is missing, torn or foreign"),
    (8, "the warehouse refused a load, or is held by another process"),
    (9, "source, lake and warehouse do not agree"),
    (10, "the state store cannot be read or written, or another run was faster"),
    (11, "a source table changed shape in a way its policy does not allow"),
    (12, "recover --dry-run or repair found something that is still to be mended"),
    (70, "a defect in dltsync; set DLT_SYNC_DEBUG=1 for the traceback"),
    (130, "interrupted (Ctrl-C); what was committed stays, nothing half done is visible"),
    (143, "told to end (SIGTERM), as by `docker stop` or a scheduler; the same holds"),
)
"""Exit codes of every command, in order. When several units fail, the smallest of their codes is returned."""

TO_MEND = 12
INTERNAL_DEFECT = 70
INTERRUPTED = 130
TERMINATED = 143

_secrets: list[str] = []
"""Of the config that the command has read, kept for the one place that has no config at hand: the outermost edge."""

stderr = Console(stderr=True, highlight=False)
WIDTH_OF_A_LOG = 160
"""Columns where there is no terminal to ask: wide enough that a table of results is not folded into splinters."""

stdout = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_LOG)


def keep_out(secrets: Iterable[str]) -> None:
    """From now on no traceback that this process shows holds one of these."""
    _secrets.extend(secrets)


def emit_json(value: Mapping[str, Any]) -> None:
    """The one JSON object on stdout. Values JSON does not know are written as text."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be: units in flight end at their next step and tidy up after themselves."""


def end_cleanly_on_sigterm() -> None:
    """From now on SIGTERM raises Terminated in the main thread. Without this the process would die on the spot."""

    def handler(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a second one must not cut the tidying up short
        raise Terminated

    signal.signal(signal.SIGTERM, handler)


@contextmanager
def explained(*, as_json: bool) -> Iterator[None]:
    """Turn what goes wrong inside into a message a person can act on, and an exit code. Never a traceback."""
    try:
        yield
    except SyncError as error:
        facts = _facts_of(error)
        _end(error.exit_code, type(error).__name__, error.problem, error.remedy, as_json=as_json, facts=facts)
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        _end(
            TERMINATED if terminated else INTERRUPTED,
            type(stop).__name__ if terminated else "Interrupted",
            f"{'Told to end' if terminated else 'Interrupted'}. What was committed stays; run again to go on.",
            "",
            as_json=as_json,
        )
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect still gets a message and a code
        if os.environ.get("DLT_SYNC_DEBUG"):
            sys.stderr.write(redacted(traceback.format_exc(), _secrets))
        _end(
            INTERNAL_DEFECT,
            type(error).__name__,
            f"dltsync stopped on a defect of its own ({type(error).__name__}). Nothing half done was committed.",
            "Set DLT_SYNC_DEBUG=1 and run again for the traceback, and please report it.",
            as_json=as_json,
        )


UsageProblem: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What an option that does not exist, or takes no such value, raises. Typer re-exports only kinds of it, and newer ones bring
a click of their own."""


def told_usage(problem: Any, *, as_json: bool) -> int:
    """Tell of arguments that cannot be understood, before any command began. The exit code."""
    code = int(problem.exit_code)
    if as_json:
        _emit_failure(code, "UsageError", problem.format_message(), "dltsync --help lists commands and options")
    else:
        problem.show()
    return code


def end_with(
    stopped: Sequence[tuple[TableName, Exception]], *, as_json: bool, shown: Mapping[str, Any] | None = None
) -> NoReturn:
    """End a command in which some tables failed and others did not: every error, and the smallest exit code. `shown` is what
    came of the others, for the JSON, where `error` is the first of the `errors`. An error that is no SyncError is raised."""
    errors = []
    for table, error in stopped:
        if not isinstance(error, SyncError):
            raise error
        errors.append((table, error))
    code = min(error.exit_code for _, error in errors)
    if as_json:
        told = [
            {"table": str(table), **_said(type(e).__name__, e.problem, e.remedy), "exit_code": e.exit_code}
            for table, e in errors
        ]
        drift = [found for _, error in errors for found in _facts_of(error).get("drift", ())]
        first = errors[0][1]
        facts = {**(shown or {}), "errors": told, **({"drift": drift} if drift else {})}
        _emit_failure(code, type(first).__name__, first.problem, first.remedy, facts)
    else:
        for _, error in errors:
            _tell(error.problem, error.remedy)
    raise typer.Exit(code)


def _facts_of(error: SyncError) -> Mapping[str, Any]:
    """What a script needs beside the words: the changed columns of a table that its policy stopped."""
    findings = error.facts.get("findings")
    return {"drift": [asdict(finding) for finding in findings]} if isinstance(findings, tuple) else {}


def _said(kind: str, problem: str, remedy: str) -> dict[str, str | None]:
    return {"type": kind, "message": problem, "remedy": remedy or None}


def _emit_failure(code: int, kind: str, problem: str, remedy: str, facts: Mapping[str, Any] | None = None) -> None:
    emit_json({"success": False, "error": _said(kind, problem, remedy), **(facts or {}), "exit_code": code})


def _tell(problem: str, remedy: str) -> None:
    # Not wrapped: a path broken over two lines cannot be copied.
    stderr.print(Text.assemble(("error: ", "bold red"), visible(problem)), soft_wrap=True)
    if remedy:
        stderr.print(Text.assemble(("  -> ", "bold"), visible(remedy)), soft_wrap=True)


def _end(
    code: int, kind: str, problem: str, remedy: str, *, as_json: bool, facts: Mapping[str, Any] | None = None
) -> NoReturn:
    if as_json:
        _emit_failure(code, kind, problem, remedy, facts)
    else:
        _tell(problem, remedy)
    raise typer.Exit(code)

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
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from dltsync_core.cli.lazy import LazyModule
from dltsync_core.errors import SyncError
from dltsync_core.identity import TableName
from dltsync_core.redaction import redacted

if TYPE_CHECKING:
    from dltsync_core.cli import console
else:
    console = LazyModule("dltsync_core.cli.console")

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "everything was done, or nothing had changed"),
    (1, "something failed that has no code of its own below"),
    (2, "the config, an option, a table or a column is wrong; nothing was changed"),
    (3, "this machine lacks something: a package, an ODBC library, a writable directory, disk space"),
    (4, "no connection: server unreachable, login refused, certificate not trusted"),
    (5, "the server refused a statement"),
    (6, "a value does not fit the exact type chosen for its column"),
    (7, "a lake file or manifest is missing, damaged or not written by dltsync"),
    (8, "the warehouse refused a load, or another process holds it"),
    (9, "source, lake and warehouse differ"),
    (10, "the ledger cannot be used, another run committed first, or recover needs an answer"),
    (11, "the columns of a source table changed in a way its schema_drift does not allow"),
    (12, "recover --dry-run or repair found something that is not repaired yet"),
    (70, "a defect in dltsync; set DLT_SYNC_DEBUG=1 for the traceback"),
    (130, "interrupted (Ctrl-C); what was committed stays, nothing half done is visible"),
    (143, "terminated (SIGTERM, as `docker stop` or a scheduler sends); the same holds"),
)
"""Exit codes of every command, in order. When several units fail, the smallest of their codes is returned."""

DIFFERENT = 9
NEEDS_ANSWER = 10
TO_REPAIR = 12
INTERNAL_DEFECT = 70
INTERRUPTED = 130
TERMINATED = 143

_secrets: list[str] = []
"""The secrets of the config that the command has read. The handler of unexpected errors has no config at hand."""


def hide_secrets(secrets: Iterable[str]) -> None:
    """From now on the tracebacks that this process shows hold none of these."""
    _secrets.extend(secrets)


def emit_json(value: Mapping[str, Any]) -> None:
    """The one JSON object on stdout. Values JSON does not know are written as text."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be: units in flight end at their next step and remove what they wrote privately."""


def end_cleanly_on_sigterm() -> None:
    """From now on SIGTERM raises Terminated in the main thread. Without this the process would end at once."""

    def handler(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the cleanup
        raise Terminated

    signal.signal(signal.SIGTERM, handler)


@contextmanager
def explained(*, as_json: bool) -> Iterator[None]:
    """Turn errors raised inside into a message that says what to do, and an exit code. Never a traceback."""
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
            f"{'Terminated' if terminated else 'Interrupted'}. What was committed stays; run again to continue.",
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
            f"dltsync stopped because of a defect of its own ({type(error).__name__}). Nothing half done was committed.",
            "Set DLT_SYNC_DEBUG=1, run again, and report the traceback.",
            as_json=as_json,
        )


UsageProblem: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The error of an unknown option or a wrong value. Typer re-exports subclasses of it only, and newer versions bring their own
copy of click."""


def report_usage_problem(problem: Any, *, as_json: bool) -> int:
    """Report arguments that cannot be understood, before any command began. Returns the exit code."""
    code = int(problem.exit_code)
    if as_json:
        _emit_failure(code, "UsageError", problem.format_message(), "`dltsync --help` lists commands and options.")
    else:
        problem.show()
    return code


def end_with(
    stopped: Sequence[tuple[TableName, Exception]], *, as_json: bool, shown: Mapping[str, Any] | None = None
) -> NoReturn:
    """End a command in which some tables failed and others did not: report every error, return the smallest exit code.

    `shown` is the result of the other tables, for the JSON, where `error` is the first of `errors`. Raises an error that is no
    SyncError as it is.
    """
    errors = []
    for table, error in stopped:
        if not isinstance(error, SyncError):
            raise error
        errors.append((table, error))
    code = min(error.exit_code for _, error in errors)
    if as_json:
        reported = [
            {"table": str(table), **_error_json(type(e).__name__, e.problem, e.remedy), "exit_code": e.exit_code}
            for table, e in errors
        ]
        drift = [found for _, error in errors for found in _facts_of(error).get("drift", ())]
        first = errors[0][1]
        facts = {**(shown or {}), "errors": reported, **({"drift": drift} if drift else {})}
        _emit_failure(code, type(first).__name__, first.problem, first.remedy, facts)
    else:
        for _, error in errors:
            console.print_error(error.problem, error.remedy)
    raise typer.Exit(code)


def _facts_of(error: SyncError) -> Mapping[str, Any]:
    """Facts for scripts beside the message: the changed columns of a table that its policy stopped."""
    findings = error.facts.get("findings")
    return {"drift": [asdict(finding) for finding in findings]} if isinstance(findings, tuple) else {}


def _error_json(kind: str, problem: str, remedy: str) -> dict[str, str | None]:
    return {"type": kind, "message": problem, "remedy": remedy or None}


def _emit_failure(code: int, kind: str, problem: str, remedy: str, facts: Mapping[str, Any] | None = None) -> None:
    emit_json({"success": False, "error": _error_json(kind, problem, remedy), **(facts or {}), "exit_code": code})


def _end(
    code: int, kind: str, problem: str, remedy: str, *, as_json: bool, facts: Mapping[str, Any] | None = None
) -> NoReturn:
    if as_json:
        _emit_failure(code, kind, problem, remedy, facts)
    else:
        console.print_error(problem, remedy)
    raise typer.Exit(code)

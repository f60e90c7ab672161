"""How a command ends: exit codes, the message of an error, and the one JSON object of `--json`."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from dltsync_core.errors import SyncError

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
    (70, "a defect in dltsync; set DLT_SYNC_DEBUG=1 for the traceback"),
    (130, "interrupted"),
)
"""Exit codes of every command, in order. When several units fail, the smallest of their codes is returned."""

INTERNAL_DEFECT = 70
INTERRUPTED = 130

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False)


def emit_json(value: Mapping[str, Any]) -> None:
    """The one JSON object on stdout. Values JSON does not know are written as text."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def explained(*, as_json: bool) -> Iterator[None]:
    """Turn what goes wrong inside into a message a person can act on, and an exit code. Never a traceback."""
    try:
        yield
    except SyncError as error:
        _end(error.exit_code, type(error).__name__, error.problem, error.remedy, as_json=as_json)
    except KeyboardInterrupt:
        _end(
            INTERRUPTED,
            "Interrupted",
            "Interrupted. What was committed stays; run again to go on.",
            "",
            as_json=as_json,
        )
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect still gets a message and a code
        if os.environ.get("DLT_SYNC_DEBUG"):
            traceback.print_exc()
        _end(
            INTERNAL_DEFECT,
            type(error).__name__,
            f"dltsync stopped on a defect of its own ({type(error).__name__}). Nothing half done was committed.",
            "Set DLT_SYNC_DEBUG=1 and run again for the traceback, and please report it.",
            as_json=as_json,
        )


def _end(code: int, kind: str, problem: str, remedy: str, *, as_json: bool) -> NoReturn:
    if as_json:
        emit_json(
            {"success": False, "error": {"type": kind, "message": problem, "remedy": remedy or None}, "exit_code": code}
        )
    else:
        stderr.print(Text.assemble(("error: ", "bold red"), problem))
        if remedy:
            stderr.print(Text.assemble(("  -> ", "bold"), remedy))
    raise typer.Exit(code)

"""Structured logs on stderr and, when asked for, in a file. Every line of a run carries table, unit and load id.

Uses the standard library's `logging` underneath (logger `dltsync`), so a host application that configures logging itself
keeps its own handlers: nothing is installed until `configure_logging` is called (the command line does).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from dltsync_core.display import indented
from dltsync_core.errors import NotWritable
from dltsync_core.redaction import HIDDEN, names_a_secret, redacted
from dltsync_core.run.events import Event

LOGGER_NAME = "dltsync"

STORE_DRIVERS = ("adlfs", "aiobotocore", "azure", "botocore", "gcsfs", "google", "s3fs")
"""Loggers of the object stores' drivers. What fails there reaches a person as our error, which says what to do; gcsfs logs the
traceback of it as well."""

_LEVEL_OF_STAGE = {"failed": logging.ERROR, "extracting": logging.DEBUG, "loading": logging.DEBUG}


def hide_secrets(_logger: Any, _method: str, entry: Any) -> Any:
    """A structlog processor: a value under the name of a secret never reaches a line."""
    for key in entry:
        if names_a_secret(key):
            entry[key] = HIDDEN
    return entry


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    hide_secrets,
]


def configure_logging(
    *,
    level: str = "INFO",
    structured: bool = True,
    log_file: Path | None = None,
    quiet_stderr: bool = False,
    secrets: Sequence[str] = (),
) -> None:
    """Send dltsync's log to stderr (JSON lines when `structured`, else readable text) and to `log_file` (always JSON lines).

    `quiet_stderr` keeps stderr to warnings and worse: a progress display is there already. `secrets` never reach a line, in no
    message and no traceback. The log file is its owner's alone: it holds names and messages of production. Calling it again
    replaces what the last call set up. Drivers of object stores keep quiet unless `level` is DEBUG, and warn then.
    Raises NotWritable when the log file cannot be opened.
    """
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setLevel(logging.WARNING if quiet_stderr else logging.NOTSET)
    to_stderr.setFormatter(_formatter(structured, secrets))
    _send(LOGGER_NAME, level, [to_stderr])
    for name in STORE_DRIVERS:  # through our formatter in any case: they know the credentials
        _send(name, "WARNING" if level == "DEBUG" else "CRITICAL", [to_stderr])

    if log_file is not None:
        try:
            make_private(log_file)
            to_file = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        except OSError as problem:
            raise NotWritable(
                f"The log file {log_file} cannot be opened: {problem.strerror}.",
                remedy="Choose another log_file, or give this user the right to write there.",
                path=str(log_file),
            ) from problem
        to_file.setFormatter(_formatter(structured=True, secrets=secrets))
        for name in (LOGGER_NAME, *STORE_DRIVERS):
            logging.getLogger(name).addHandler(to_file)


def _send(name: str, level: str, handlers: Sequence[logging.Handler]) -> None:
    """From now on a logger's lines go to these handlers and nowhere else."""
    logger = logging.getLogger(name)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


def get_logger() -> Any:
    """The project's logger: call it with an event name and keyword facts."""
    return structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )


def log_event(event: Event) -> None:
    """One line for one event of a run."""
    facts = {
        "table": str(event.table),
        "unit": event.unit,
        "load_id": event.load_id,
        "rows": event.rows,
        "bytes": event.bytes,
        "message_text": event.message or None,
    }
    level = _LEVEL_OF_STAGE.get(event.stage, logging.INFO)
    get_logger().log(level, event.stage, **{k: v for k, v in facts.items() if v is not None})


def make_private(path: Path) -> None:
    """Create the file, and the directories above it that are missing, for their owner alone. Existing ones are unchanged."""
    missing = [directory for directory in path.parents if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))


def _formatter(structured: bool, secrets: Sequence[str]) -> logging.Formatter:
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if structured
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def without_secrets(_logger: Any, _method: str, entry: Any) -> Any:
        return {key: redacted(value, secrets) if isinstance(value, str) else value for key, value in entry.items()}

    def on_lines_of_its_own(_logger: Any, _method: str, entry: Any) -> Any:
        """JSON escapes what could be obeyed; plain text shows it, and indents every further line of an entry."""
        return {key: indented(value) if isinstance(value, str) else value for key, value in entry.items()}

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            *(() if structured else (on_lines_of_its_own,)),
            renderer,
        ],
        foreign_pre_chain=_SHARED,
    )

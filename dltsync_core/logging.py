"""The log: one entry for each stage of a unit, on stderr for the command line and in `log_file` for every way of running.

Modules write to loggers of the standard library below `dltsync`; structlog renders the entries, as JSON or as text. So a host
application that configures logging itself has its own handlers, and gets readable sentences there. Two things are installed:

- `log_file_of`, for as long as a pipeline works: the file of its config. Python, Dagster and the command line all write it.
- `configure_logging`, by the command line alone: stderr, and the levels of libraries.

Facts about an entry (table, load id, rows …) are the mapping `dltsync` of the record (`extra={"dltsync": {...}}`); `bound` adds
facts to every entry of a block, those of libraries included.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog

from dltsync_core.clock import utc_from_epoch
from dltsync_core.config import PipelineConfig
from dltsync_core.config.environment import log_level_of
from dltsync_core.display import indented, visible_json
from dltsync_core.log_file import SharedLogFile
from dltsync_core.redaction import HIDDEN, names_a_secret, redacted, secrets_of

LOGGER_NAME = "dltsync"

STORE_DRIVERS = ("adlfs", "aiobotocore", "azure", "botocore", "gcsfs", "google", "s3fs")
"""Loggers of the object stores' drivers. What fails there reaches a person as our error, which says what to do; gcsfs logs the
traceback of it as well."""

LIBRARIES = ("dlt", "sqlalchemy", "duckdb", "filelock", "fsspec")
"""Loggers of other libraries. They know connection strings and statements."""

Format = Literal["text", "json"]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_bound: ContextVar[Mapping[str, Any]] = ContextVar("dltsync_log_facts", default={})  # noqa: B039 -- never changed in place


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Within the block every entry of this thread has these facts; a thread that is started with a copy of the context too."""
    before = _bound.get()
    _bound.set({**before, **facts})
    try:
        yield
    finally:
        _bound.set(before)


Reported = Literal["raised", "result"]
_REPORTED = "dltsync_reported"


def reported(how: Reported) -> Mapping[str, Reported]:
    """For `extra` of an entry about a problem that the caller of the pipeline gets as well: by an exception, or in its result. A
    command that prints it leaves the entry out of its terminal."""
    return {_REPORTED: how}


def library_level(name: str, level: str) -> int:
    """From which level on entries of a library are logged. They are one step quieter than ours, drivers of object stores two:
    at INFO they describe every request."""
    wanted = logging.getLevelName(level)
    if name in STORE_DRIVERS:
        return logging.WARNING if wanted <= logging.DEBUG else logging.CRITICAL
    return max(wanted, logging.WARNING) if wanted > logging.DEBUG else logging.INFO


# -- the command line ---------------------------------------------------------------------------------------------------


def configure_logging(
    *,
    level: str = "INFO",
    structured: bool = True,
    quiet_stderr: bool = False,
    leave_out: Collection[Reported] = (),
    secrets: Sequence[str] = (),
) -> None:
    """Send the log to stderr: JSON lines when `structured`, else readable text. For a process that is dltsync's own.

    `quiet_stderr` shows warnings and worse only: a progress display is there already. `leave_out` are entries about what the
    process prints itself (`reported`). `secrets` never reach a line, in no
    message and no traceback. Calling it again replaces what the last call set up.
    """
    to_stderr = _ToStderr(_formatter(structured, secrets))
    to_stderr.setLevel(logging.WARNING if quiet_stderr else logging.NOTSET)
    to_stderr.addFilter(lambda record: getattr(record, _REPORTED, None) not in leave_out)
    levels = {LOGGER_NAME: logging.getLevelName(level)}
    levels |= {name: library_level(name, level) for name in (*LIBRARIES, *STORE_DRIVERS)}
    for name, least in levels.items():
        logger = logging.getLogger(name)
        for handler in [each for each in logger.handlers if not isinstance(each, _ConfiguredFile)]:
            logger.removeHandler(handler)
            handler.close()
        logger.addHandler(to_stderr)
        logger.setLevel(least)
        logger.propagate = False


class _OwnFormat(logging.Handler):
    """A handler that formats as it was made to. dlt gives the first handler that it finds at its logger another formatter,
    without our redaction."""

    own: logging.Formatter

    def format(self, record: logging.LogRecord) -> str:
        return self.own.format(record)


class _ToStderr(_OwnFormat, logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at that moment: a progress display puts its own there, and prints above its bars."""

    def __init__(self, own: logging.Formatter) -> None:
        logging.Handler.__init__(self)
        self.own = own

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class has an attribute
        return sys.stderr


# -- the file of a pipeline ---------------------------------------------------------------------------------------------


class _ConfiguredFile(_OwnFormat, SharedLogFile):
    """The file of one pipeline's config: entries of that pipeline, and those of dltsync that belong to none."""

    def __init__(self, config: PipelineConfig, path: Path, level: str, structured: bool) -> None:
        super().__init__(path, max_bytes=config.log_file_max_mb * 1_000_000, backups=config.log_file_backups)
        self._pipeline, self._least = config.pipeline_name, level
        self.setLevel(logging.getLevelName(level))
        self.own = _formatter(structured, secrets_of(config))

    def filter(self, record: logging.LogRecord) -> bool:
        top = record.name.split(".")[0]
        facts = {**_bound.get(), **getattr(record, LOGGER_NAME, {})}
        if top != LOGGER_NAME and record.levelno < library_level(top, self._least):
            return False
        return bool(facts.get("pipeline", self._pipeline if top == LOGGER_NAME else None) == self._pipeline)


@dataclass
class _Open:
    """A file that is open, and how many blocks use it."""

    handler: _ConfiguredFile
    users: int = 1


_open_files: dict[tuple[Path, str], _Open] = {}
_level_before: list[int] = []
"""The level of our logger before the first file was opened."""
_guard = threading.Lock()
_override: ContextVar[tuple[str | None, bool | None]] = ContextVar("dltsync_log_override", default=(None, None))


@contextmanager
def overridden_log(level: str | None, log_format: Format | None) -> Iterator[None]:
    """Within the block this level and format win over those of config and environment (None: they do not)."""
    token = _override.set((level, None if log_format is None else log_format == "json"))
    try:
        yield
    finally:
        _override.reset(token)


def level_of(config: PipelineConfig) -> str:
    """The lowest level that is logged: the command line's, else DLT_SYNC_LOG_LEVEL, else `log_level`. Raises ConfigError."""
    return _override.get()[0] or log_level_of() or config.log_level


def is_structured(config: PipelineConfig) -> bool:
    """Whether entries are JSON: as the command line says, else `enable_structured_logging`."""
    chosen = _override.get()[1]
    return config.enable_structured_logging if chosen is None else chosen


@contextmanager
def log_file_of(config: PipelineConfig) -> Iterator[None]:
    """Within the block the pipeline's entries go to its `log_file`, if it has one; every entry of this thread names the pipeline.

    Blocks may be nested and may run in several threads: the file is opened once. Raises NotWritable, and ConfigError for a wrong
    DLT_SYNC_LOG_LEVEL.
    """
    level = level_of(config)
    key = (config.log_file, config.pipeline_name) if config.log_file is not None else None
    if key is not None:
        _attach(key, config, level)
    try:
        with bound(pipeline=config.pipeline_name):
            yield
    finally:
        if key is not None:
            _detach(key)


def _attach(key: tuple[Path, str], config: PipelineConfig, level: str) -> None:
    with _guard:
        if key in _open_files:
            _open_files[key].users += 1
            return
        handler = _ConfiguredFile(config, key[0], level, is_structured(config))
        ours = logging.getLogger(LOGGER_NAME)
        if not _open_files:
            _level_before[:] = [ours.level]
        _open_files[key] = _Open(handler)
        if ours.getEffectiveLevel() > handler.level:
            ours.setLevel(handler.level)
        for name in (LOGGER_NAME, *LIBRARIES, *STORE_DRIVERS):
            logging.getLogger(name).addHandler(handler)


def _detach(key: tuple[Path, str]) -> None:
    with _guard:
        opened = _open_files[key]
        opened.users -= 1
        if opened.users:
            return
        del _open_files[key]
        for name in (LOGGER_NAME, *LIBRARIES, *STORE_DRIVERS):
            logging.getLogger(name).removeHandler(opened.handler)
        if not _open_files:
            logging.getLogger(LOGGER_NAME).setLevel(_level_before[0])
        opened.handler.close()


# -- entries ------------------------------------------------------------------------------------------------------------


def _entry(_logger: Any, _method: str, entry: Any) -> Any:
    """What an entry holds, in this order: time, level, event, the facts, the logger. A value under the name of a secret is
    hidden."""
    record: logging.LogRecord = entry["_record"]
    facts = {**_bound.get(), **getattr(record, LOGGER_NAME, {})}
    found = {
        "timestamp": utc_from_epoch(record.created),
        "level": record.levelname.lower(),
        "event": facts.pop("event", entry["event"]),
        **{key: HIDDEN if names_a_secret(key) else value for key, value in facts.items() if value is not None},
        "logger": record.name,
    }
    return {**found, **{key: value for key, value in entry.items() if key != "event" and not key.startswith("_")}}


def _formatter(structured: bool, secrets: Sequence[str]) -> logging.Formatter:
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if structured
        else structlog.dev.ConsoleRenderer(
            10, colors=False, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
    )

    def without_secrets(_logger: Any, _method: str, entry: Any) -> Any:
        return {key: redacted(value, secrets) if isinstance(value, str) else value for key, value in entry.items()}

    def on_lines_of_its_own(_logger: Any, _method: str, entry: Any) -> Any:
        """JSON escapes what could be obeyed; plain text shows it, and indents every further line of an entry."""
        return {key: indented(value) if isinstance(value, str) else value for key, value in entry.items()}

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            _entry,
            structlog.processors.format_exc_info,
            without_secrets,
            *(() if structured else (on_lines_of_its_own,)),
            renderer,
            *((lambda _logger, _method, line: visible_json(line),) if structured else ()),
        ],
    )

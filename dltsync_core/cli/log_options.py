"""The options of the log, which every command has: `-v`, `-q`, `--log-level` and `--log-format`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, get_type_hints

import typer


class Level(str, Enum):
    """Levels of the log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Format(str, Enum):
    """Forms of a line of the log."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class LogOptions:
    """What was asked for. None: config and environment decide."""

    level: str | None = None
    format: Literal["text", "json"] | None = None
    quiet: bool = False

    @property
    def asks_for_entries(self) -> bool:
        """Whether the log itself is to be seen, in place of a progress display."""
        return self.level is not None or self.format is not None


_NOTHING_ASKED = LogOptions()
chosen: ContextVar[LogOptions] = ContextVar("dltsync_log_options", default=_NOTHING_ASKED)
"""The options of the command that runs."""

_OPTIONS: dict[str, Any] = {
    "verbose": Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Log everything, on stderr too: --log-level DEBUG.", show_default=False),
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Only warnings and errors on stderr, no progress.", show_default=False)
    ],
    "log_level": Annotated[
        Level | None,
        typer.Option(
            "--log-level",
            case_sensitive=False,
            help="Lowest level that is logged. Default: $DLT_SYNC_LOG_LEVEL, else log_level of the config.",
            show_default=False,
        ),
    ],
    "log_format": Annotated[
        Format | None,
        typer.Option(
            "--log-format",
            case_sensitive=False,
            help="Form of the log's lines. Default: text on a terminal, else as enable_structured_logging says.",
            show_default=False,
        ),
    ],
}


def with_log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with these options after its own. What they are is in `chosen` while it runs."""

    @functools.wraps(command)
    def wrapped(*args: Any, **values: Any) -> Any:
        verbose, quiet, level, log_format = (values.pop(name) for name in _OPTIONS)
        if verbose and quiet:
            raise typer.BadParameter("--verbose and --quiet exclude each other.")
        wanted = level.value if level is not None else "DEBUG" if verbose else None
        token = chosen.set(LogOptions(wanted, log_format.value if log_format is not None else None, quiet))
        try:
            return command(*args, **values)
        finally:
            chosen.reset(token)

    hints = get_type_hints(command, include_extras=True)
    parameters = [each.replace(annotation=hints[name]) for name, each in inspect.signature(command).parameters.items()]
    defaults = {"verbose": False, "quiet": False, "log_level": None, "log_format": None}
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=option)
        for name, option in _OPTIONS.items()
    ]
    del wrapped.__wrapped__  # its signature is not ours
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362, unknown to mypy
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped

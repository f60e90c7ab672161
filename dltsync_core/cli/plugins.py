"""Commands of other packages, by the entry-point group `dltsync.commands`."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from importlib.metadata import entry_points

import typer

from dltsync_core.cli import outcome
from dltsync_core.errors import ConfigError

GROUP = "dltsync.commands"


def with_plugins(app: typer.Typer) -> typer.Typer:
    """The application with the commands of other packages; `app` itself stays as it is.

    One that cannot be imported stops no other: it explains itself when it is called.
    """
    whole = copy(app)
    whole.registered_commands = [*app.registered_commands]
    whole.registered_groups = [*app.registered_groups]
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()
        except ImportError as problem:
            whole.command(entry.name, help=f"(cannot be loaded: {problem})")(_unavailable(entry.name, problem))
            continue
        if isinstance(loaded, typer.Typer):
            whole.add_typer(loaded, name=entry.name)
        else:
            whole.command(entry.name)(loaded)
    return whole


def _unavailable(name: str, problem: ImportError) -> Callable[[], None]:
    def command() -> None:
        with outcome.explained(as_json=False):
            raise ConfigError(
                f"The command {name!r} cannot be loaded: {problem}.", remedy="Install the package it needs."
            )

    return command

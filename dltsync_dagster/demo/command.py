"""`dltsync demo`. Kept light: every `dltsync` command imports this module to know that it exists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dltsync_core.cli import outcome
from dltsync_dagster.demo.config_file import DIRECTORY

_WIDTH_OF_A_LOG = 112
"""Columns where nobody says how wide the output is: the widest table fits."""


def app(
    data: Annotated[Path, typer.Option("--data", help="Directory for everything the demo keeps.")] = Path(DIRECTORY),
    fresh: Annotated[
        bool, typer.Option("--fresh/--keep", help="Start from nothing, or go on with what the last demo left.")
    ] = True,
    ui: Annotated[
        bool, typer.Option("--ui", help="Open the demo's state in the Dagster UI (runs the demo first if needed).")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what the demo left, and nothing else, instead of running it.")
    ] = False,
    port: Annotated[int, typer.Option("--port", help="Port of the Dagster UI.")] = 3000,
    every: Annotated[int, typer.Option("--every", min=1, help="Take only every so many-th flight, to be quicker.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout; all else on stderr.")] = False,
) -> None:
    """The whole product on real data: a stand-in for SQL Server, 336,776 flights, Dagster, Parquet and DuckDB."""
    with outcome.explained(as_json=json):
        if remove:
            _remove(data.absolute(), as_json=json)
            return
        # Dagster, dlt and the drivers take seconds to import; `dltsync --help` must not wait for them.
        from dltsync_core.connect.driver import load_mssql_python, load_pyodbc

        load_pyodbc()
        load_mssql_python()
        from dltsync_dagster.demo.places import Places
        from dltsync_dagster.demo.sandbox import USUAL_PORT, free_port
        from dltsync_dagster.demo.story import tell
        from dltsync_dagster.demo.ui import serve

        console = Console(stderr=json, highlight=False)
        if not console.is_terminal:
            console = Console(stderr=json, highlight=False, width=_WIDTH_OF_A_LOG)
        places = Places(data.absolute())
        with places.alone():
            database_port = free_port(USUAL_PORT)
            if not ui or places.read_diary() is None:
                told = tell(console, places, database_port, fresh=fresh or places.read_diary() is None, every=every)
                if json:
                    outcome.emit_json(told.as_dict())
                if not told.equal:
                    raise typer.Exit(9)
            if ui:
                serve(console, places, database_port=database_port, ui_port=free_port(port))


def _remove(data: Path, *, as_json: bool) -> None:
    from dltsync_dagster.demo.places import Places

    left = Places(data).remove()
    if as_json:
        outcome.emit_json({"success": True, "left": left})
    for name in left:
        outcome.stderr.print(f"left in place, the demo did not make it: {data / name}", soft_wrap=True)

"""What `dltsync demo` does: run the demo, open the Dagster UI, or remove what the demo wrote."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from dltsync_core.cli import console as cli_console
from dltsync_core.cli import outcome
from dltsync_core.connect.driver import load_mssql_python, load_pyodbc
from dltsync_dagster.demo.places import Places

_WIDTH_OF_A_LOG = 112
"""Columns of the output where it is no terminal: the widest table fits."""


def run(data: Path, *, fresh: bool, ui: bool, ui_port: int, every: int, warehouse: str | None, as_json: bool) -> None:
    """The demo in this directory; with `ui` the Dagster UI over its result. Exit code 9 when the places differ at its end."""
    load_pyodbc()
    load_mssql_python()
    # Its modules import both drivers: a missing library is to be explained by the two calls above.
    from dltsync_dagster.demo.sandbox import USUAL_PORT, free_port
    from dltsync_dagster.demo.story import tell
    from dltsync_dagster.demo.ui import serve

    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=as_json, highlight=False, width=_WIDTH_OF_A_LOG)
    places = Places(data)
    with places.alone():
        database_port = free_port(USUAL_PORT)
        if not ui or places.read_diary() is None:
            fresh = fresh or places.read_diary() is None
            found = tell(console, places, database_port, fresh=fresh, every=every, warehouse=warehouse)
            if as_json:
                outcome.emit_json(found.as_dict())
            if not found.success:
                raise typer.Exit(outcome.DIFFERENT)
        if ui:
            serve(console, places, database_port=database_port, ui_port=free_port(ui_port))


def remove(data: Path, *, as_json: bool) -> None:
    """Remove what the demo wrote. What else lies in the directory stays and is named."""
    left = Places(data).remove()
    if as_json:
        outcome.emit_json({"success": True, "left": left})
    for name in left:
        cli_console.stderr.print(f"not removed, because the demo did not write it: {data / name}", soft_wrap=True)

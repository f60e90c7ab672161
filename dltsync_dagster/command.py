"""`dltsync dagster`: commands about a Dagster instance. Every `dltsync` command imports this module to list them, also where
Dagster is not installed; what a command does is imported when it is called."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Annotated

import typer

from dltsync_core.cli import outcome
from dltsync_core.cli.lazy import LazyModule
from dltsync_core.cli.options import ConfigOption, JsonOption, TablesOption, split_names
from dltsync_core.errors import EnvironmentProblem

if TYPE_CHECKING:
    from dltsync_core import config as core_config
    from dltsync_dagster import ledger_report
else:
    core_config = LazyModule("dltsync_core.config")
    ledger_report = LazyModule("dltsync_dagster.ledger_report")

app = typer.Typer(help="What a Dagster instance knows of the tables.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """What a Dagster instance knows of the tables."""


@app.command()
def report(
    config: ConfigOption = None,
    tables: TablesOption = None,
    wipe: Annotated[
        bool,
        typer.Option(
            "--wipe",
            help="First forget everything that Dagster recorded about these tables (their history and plots too), then report "
            "every committed table and partition.",
        ),
    ] = False,
    translator: Annotated[
        str | None,
        typer.Option(
            "--translator",
            metavar="MODULE:NAME",
            help="The translator of the code location, when it has one of its own: it names the assets.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Report what is committed and Dagster does not know.

    Reads the ledger of the config and writes events into the instance of DAGSTER_HOME. The sensors do the same, a part at each
    tick: this is for a Dagster database that was lost, or whose events are to be replaced. Loads nothing.
    """
    with outcome.explained(as_json=json):
        _check_installed()
        settings = core_config.load_config(config)
        found = ledger_report.imported_translator(translator)
        with ledger_report.opened_instance() as instance:
            done = ledger_report.report_ledger(
                settings, instance, tables=split_names(tables), wipe=wipe, translator=found
            )
        if json:
            outcome.emit_json(done)
            return
        for table in done["tables"]:
            withdrawn = f", {table['withdrawn']:,} that no longer hold" if table["withdrawn"] else ""
            typer.echo(f"{table['table']}: {table['reported']:,} reported on {table['asset']}{withdrawn}")


def _check_installed() -> None:
    """Raises EnvironmentProblem where Dagster is missing."""
    if importlib.util.find_spec("dagster") is None:
        raise EnvironmentProblem("This command needs Dagster.", remedy="pip install 'dltsync[dagster]'")

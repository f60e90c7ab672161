"""The commands and their options. What a command does stands in `cli.commands`, which is imported when one is called: help,
version and shell completion import neither dlt nor DuckDB, Arrow, pydantic or Dagster."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dltsync_core.cli import outcome
from dltsync_core.cli.lazy import LazyModule
from dltsync_core.cli.log_options import with_log_options
from dltsync_core.cli.options import (
    AcceptDriftOption,
    Answers,
    ConfigOption,
    JsonOption,
    KindsOption,
    PartitionsOption,
    TablesOption,
)
from dltsync_core.cli.plugins import with_plugins
from dltsync_core.cli.setup import check, init

if TYPE_CHECKING:
    from dltsync_core.cli import commands
else:
    commands = LazyModule("dltsync_core.cli.commands")

_CODES = "\n".join(
    textwrap.fill(meaning, 76, initial_indent=f"{code:>3}  ", subsequent_indent=" " * 5)
    for code, meaning in outcome.EXIT_CODES
)
_NOT_REFLOWED = "\b\n"
"""Before a paragraph of help: its lines stay as they are."""

app = typer.Typer(
    name="dltsync",
    help="Copies SQL Server tables into a Parquet lake and a warehouse: every row, every value, and only what changed.",
    epilog=f"{_NOT_REFLOWED}Exit codes:\n{_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("dltsync"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options of `dltsync` itself."""


app.command()(init)
app.command()(check)


@app.command()
def run(
    config: ConfigOption = None,
    tables: TablesOption = None,
    kinds: KindsOption = None,
    partitions: PartitionsOption = None,
    full_refresh: Annotated[
        bool,
        typer.Option("--full-refresh", help="Read the chosen tables whole, whatever was committed before."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Load the chosen tables or partitions even if they did not change.")
    ] = False,
    sequential: Annotated[bool, typer.Option("--sequential", help="Load one table or partition at a time.")] = False,
    accept_drift: AcceptDriftOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the tables up to date. Tables and partitions that did not change are not read."""
    with outcome.explained(as_json=json):
        commands.run(
            config,
            table_names=tables,
            kinds=kinds,
            partitions=partitions,
            full_refresh=full_refresh,
            force=force,
            sequential=sequential,
            accept_drift=accept_drift,
            as_json=json,
        )


@app.command()
def plan(
    config: ConfigOption = None,
    tables: TablesOption = None,
    kinds: KindsOption = None,
    partitions: PartitionsOption = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Plan as `run --full-refresh` would.")] = False,
    accept_drift: AcceptDriftOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a run would do, and why. Asks the source what changed; writes nothing."""
    with outcome.explained(as_json=json):
        commands.plan(
            config,
            table_names=tables,
            kinds=kinds,
            partitions=partitions,
            full_refresh=full_refresh,
            accept_drift=accept_drift,
            as_json=json,
        )


@app.command()
def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show rows, last commit, watermark and last error of every table."""
    with outcome.explained(as_json=json):
        commands.status(config, as_json=json)


@app.command()
def validate(
    config: ConfigOption = None,
    tables: TablesOption = None,
    partitions: PartitionsOption = None,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Also compare a hash of every value. Finds any difference.")
    ] = False,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            metavar="HASH",
            help="Hash of the fingerprint: sha256 (the default) or md5. Implies --fingerprint.",
            show_default=False,
        ),
    ] = None,
    row_diff: Annotated[
        bool,
        typer.Option(
            "--row-diff",
            help="Show the rows that differ, up to 100 of each table or partition: their keys and the values that differ. "
            "Prints values of your data. Implies --fingerprint.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare source, lake and warehouse.

    Compares row counts, NULLs, exact sums, and the earliest and latest dates and times. Reads every live lake file and checks
    its checksum.

    Exit code 9 when they differ.
    """
    with outcome.explained(as_json=json):
        commands.validate(
            config,
            table_names=tables,
            partitions=partitions,
            fingerprint=algorithm or ("sha256" if fingerprint else None),
            row_diff=row_diff,
            as_json=json,
        )


@app.command()
def recover(
    config: ConfigOption = None,
    tables: TablesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is wrong. Changes nothing.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every live lake file and check its checksum.")
    ] = False,
    answer: Annotated[
        Answers | None,
        typer.Option(
            "--answer",
            metavar="ANSWER",
            help="quarantine or accept-loss: answers the question about the tables of --tables. The first moves the files in "
            "question to quarantine, the second gives up the rows that only a lost warehouse had.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare ledger, lake and warehouse, and repair their state.

    Repairs whatever needs no reading from the source, and shows what the next run will read.

    Exit code 12 when --dry-run found something to repair, 10 when a question needs an answer.
    """
    with outcome.explained(as_json=json):
        commands.recover(
            config,
            table_names=tables,
            dry_run=dry_run,
            deep=deep,
            answer=answer.value if answer is not None else None,
            as_json=json,
        )


@app.command()
def repair(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="An scd table of the config: dbo.Customers, or '[a.b].[c]' when a name contains a dot.",
        ),
    ],
    config: ConfigOption = None,
    apply: Annotated[bool, typer.Option("--apply", help="Change the warehouse. Without it, only show.")] = False,
    including_source_faults: Annotated[
        bool,
        typer.Option(
            "--including-source-faults",
            help="Also change versions that are wrong at the source itself. The warehouse then differs from the source: "
            "`validate` reports it, and the next load of all rows undoes it.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check the history of an scd table and repair it.

    Without --apply it only shows the faults and the changes that would repair them. Each fault has an origin: rows that are
    wrong at the source are to be corrected there; versions that are wrong only in the warehouse become what the source had at
    the last load.

    Exit code 12 when findings are left that were not repaired: without --apply all of them.
    """
    with outcome.explained(as_json=json):
        commands.repair(config, table=table, apply=apply, including_source_faults=including_source_faults, as_json=json)


@app.command()
def schema(
    json: Annotated[bool, typer.Option("--json", help="Has no effect: the schema is always printed as JSON.")] = False,
) -> None:
    """Print the JSON schema of the config file.

    Editors and validators read it.
    """
    with outcome.explained(as_json=json):
        commands.schema()


for _command in app.registered_commands:
    if _command.callback is not None and _command.callback is not schema:  # it prints a constant and logs nothing
        _command.callback = with_log_options(_command.callback)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `dltsync`. Ends the process with a documented exit code."""
    outcome.end_cleanly_on_sigterm()
    command: Any = typer.main.get_command(with_plugins(app))
    words = arguments if arguments is not None else sys.argv[1:]
    try:
        sys.exit(command(args=words, prog_name="dltsync", standalone_mode=False))
    except typer.Abort:
        sys.exit(1)
    except outcome.UsageProblem as problem:
        sys.exit(outcome.report_usage_problem(problem, as_json="--json" in words))
    except outcome.Terminated:
        sys.exit(outcome.TERMINATED)
    except KeyboardInterrupt:
        sys.exit(outcome.INTERRUPTED)

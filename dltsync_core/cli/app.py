"""Commands. Each reads the config, calls the core, and says what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated, Any

import typer

from dltsync_core.cli import outcome, tables
from dltsync_core.cli.options import (
    AcceptDriftOption,
    Answers,
    ConfigOption,
    JsonOption,
    KindsOption,
    PartitionsOption,
    TablesOption,
    split_names,
    split_partition_keys,
)
from dltsync_core.cli.progress import RunProgress
from dltsync_core.cli.recovery import print_recovery
from dltsync_core.cli.repair import print_repair
from dltsync_core.config import json_schema, load_config
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName
from dltsync_core.logging import configure_logging
from dltsync_core.plan.judgement import Answer
from dltsync_core.run.events import EventSink, ignore
from dltsync_core.run.failures import secrets_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline

_CODES = "\n\n".join(f"{code:>3}  {meaning}" for code, meaning in outcome.EXIT_CODES)

app = typer.Typer(
    name="dltsync",
    help="SQL Server tables into a Parquet lake and a warehouse: completely, exactly, fast.",
    epilog=f"Exit codes:\n\n{_CODES}",
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
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """What every command shares."""


def _open(config: Path | None, *, as_json: bool, live: bool) -> IncrementalSQLServerParquetPipeline:
    settings = load_config(config)
    outcome.keep_out(secrets_of(settings))
    configure_logging(
        level=settings.log_level,
        structured=settings.enable_structured_logging,
        log_file=settings.log_file,
        quiet_stderr=live and not as_json,
        secrets=secrets_of(settings),
    )
    return IncrementalSQLServerParquetPipeline(settings)


@app.command()
def run(
    config: ConfigOption = None,
    tables_: TablesOption = None,
    kinds: KindsOption = None,
    partitions: PartitionsOption = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Forget what was committed: read the chosen tables whole.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Load the chosen units even when nothing changed at the source.")
    ] = False,
    sequential: Annotated[bool, typer.Option("--sequential", help="One unit at a time.")] = False,
    accept_drift: AcceptDriftOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the tables up to date. Units that did not change are not read."""
    live = outcome.stderr.is_terminal and not json
    with outcome.explained(as_json=json), ExitStack() as stack:
        names, chosen = split_names(tables_), split_partition_keys(partitions)
        pipeline = stack.enter_context(_open(config, as_json=json, live=live))
        sink: EventSink = stack.enter_context(RunProgress(outcome.stderr)) if live else ignore
        result = pipeline.run(
            parallel_execution=not sequential,
            table_types=split_names(kinds),
            table_names=names,
            partition_keys=chosen,
            full_refresh=full_refresh,
            force=force,
            accept_drift=split_names(accept_drift) or (),
            on_event=sink,
        )
        stack.close()
        if json:
            outcome.emit_json(result.as_dict())
        else:
            tables.print_run(outcome.stdout, result)
        if result.failed:
            raise typer.Exit(min(unit.exit_code or 1 for unit in result.failed))


@app.command()
def plan(
    config: ConfigOption = None,
    tables_: TablesOption = None,
    kinds: KindsOption = None,
    partitions: PartitionsOption = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Plan as `run --full-refresh` would.")] = False,
    accept_drift: AcceptDriftOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a run would do, and why. Looks at the source; writes nothing anywhere."""
    with outcome.explained(as_json=json):
        names, chosen = split_names(tables_), split_partition_keys(partitions)
        stopped: list[tuple[TableName, Exception]] = []
        with _open(config, as_json=json, live=True) as pipeline:
            plans = pipeline.plan(
                table_types=split_names(kinds),
                table_names=names,
                partition_keys=chosen,
                full_refresh=full_refresh,
                accept_drift=split_names(accept_drift) or (),
                on_error=lambda table, error: stopped.append((table, error)),
            )
        if not json and plans:
            tables.print_plans(outcome.stdout, plans)
        shown = {"tables": [plan.to_dict() for plan in plans]}
        if stopped:
            outcome.end_with(stopped, as_json=json, shown=shown)
        if json:
            outcome.emit_json({"success": True, **shown})


@app.command()
def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show where every table stands: rows, last commit, watermark, last error."""
    with outcome.explained(as_json=json):
        with _open(config, as_json=json, live=True) as pipeline:
            report = pipeline.get_pipeline_status()
        if json:
            outcome.emit_json(report)
        else:
            tables.print_status(outcome.stdout, report)


@app.command()
def validate(
    config: ConfigOption = None,
    tables_: TablesOption = None,
    partitions: PartitionsOption = None,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Also compare a hash of every value: nothing that differs is equal.")
    ] = False,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            help="Of the fingerprint: sha256 (the default) or md5. Implies --fingerprint.",
            show_default=False,
        ),
    ] = None,
    narrow: Annotated[
        bool,
        typer.Option(
            "--narrow",
            help="Name the rows that differ, up to 100 of each table or partition: their keys, and the values that are not the "
            "same, as they are. Implies --fingerprint.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare source, lake and warehouse: rows, NULLs, exact sums, the least and greatest moments. Exit code 9 when they do not
    agree. Every live lake file is read and its checksum compared."""
    with outcome.explained(as_json=json):
        names, chosen = split_names(tables_), split_partition_keys(partitions)
        with _open(config, as_json=json, live=True) as pipeline:
            report = pipeline.validate_all_tables(
                table_names=names,
                partition_keys=chosen,
                fingerprint=algorithm or ("sha256" if fingerprint else None),
                narrow=narrow,
            )
        if json:
            outcome.emit_json(report)
        else:
            tables.print_validation(outcome.stdout, report)
        if not report["valid"]:
            raise typer.Exit(9)


@app.command()
def recover(
    config: ConfigOption = None,
    tables_: TablesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: change nothing anywhere.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every live lake file and compare its checksum.")] = False,
    answer: Annotated[
        Answers | None,
        typer.Option(
            "--answer",
            help="Answer the question of the chosen tables. set-aside: what is asked about is moved to quarantine. "
            "accept-loss: rows that only a lost warehouse had are given up.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Lay ledger, lake and warehouse side by side, mend what needs no reading, and show what the next run will read.

    Exit code 12 when --dry-run found something to mend, 10 when a question waits for an answer.
    """
    with outcome.explained(as_json=json):
        names = split_names(tables_)
        if answer is not None and not names:
            raise ConfigError("an answer belongs to certain tables", remedy="name them with --tables")
        with _open(config, as_json=json, live=True) as pipeline:
            said: Answer | None = answer.value if answer is not None else None
            report = pipeline.recover(table_names=names, dry_run=dry_run, deep=deep, answer=said)
        if json:
            outcome.emit_json(report)
        else:
            print_recovery(outcome.stdout, report)
        _end_recovery(report)


def _end_recovery(report: dict[str, Any]) -> None:
    failed = [table["exit_code"] for table in report["tables"] if table["error"]]
    if failed:
        raise typer.Exit(min(failed))
    if report["questions"]:
        raise typer.Exit(10)
    if report["dry_run"] and not report["agreed"]:
        raise typer.Exit(outcome.TO_MEND)


@app.command()
def repair(
    table: Annotated[
        str,
        typer.Argument(help="An scd table of the config: dbo.Customers, or '[a.b].[c]' where a name has a dot in it."),
    ],
    config: ConfigOption = None,
    apply: Annotated[bool, typer.Option("--apply", help="Change the warehouse. Without it, only show.")] = False,
    including_source_faults: Annotated[
        bool,
        typer.Option(
            "--including-source-faults",
            help="Also change versions that are wrong at the source itself. The warehouse then differs from the source: validate "
            "says so, and the next load of all rows undoes it.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check the history of an scd table in the warehouse and show, or apply, what would mend it.

    For each finding the lake tells whether the source has the fault itself: such rows are to be corrected there. What only the
    warehouse has wrong becomes what the source said.

    Exit code 12 when there are findings that are not mended: without --apply all of them, with it those that are left.
    """
    with outcome.explained(as_json=json):
        with _open(config, as_json=json, live=True) as pipeline:
            report = pipeline.scd_handler.repair_scd_integrity(
                table, dry_run=not apply, including_source_faults=including_source_faults
            )
        if json:
            outcome.emit_json(report)
        else:
            print_repair(outcome.stdout, report)
        if report["remaining"] or (report["dry_run"] and report["findings"]):
            raise typer.Exit(outcome.TO_MEND)


@app.command()
def schema(
    json: Annotated[
        bool, typer.Option("--json", help="Accepted as everywhere: the schema is JSON in any case.")
    ] = False,
) -> None:
    """Print the JSON schema of the config file, for editors and for checking."""
    outcome.emit_json(json_schema())


def _add_plugins() -> None:
    """Commands of other packages. A broken one must not take the others down: it says so when it is called."""
    for entry in entry_points(group="dltsync.commands"):
        try:
            loaded = entry.load()
        except ImportError as problem:
            app.command(entry.name, help=f"(cannot be loaded: {problem})")(_unavailable(entry.name, problem))
            continue
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=entry.name)
        else:
            app.command(entry.name)(loaded)


def _unavailable(name: str, problem: ImportError) -> Callable[[], None]:
    def command() -> None:
        with outcome.explained(as_json=False):
            raise ConfigError(
                f"The command {name!r} cannot be loaded: {problem}.", remedy="Install the package it needs."
            )

    return command


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `dltsync`. Ends the process with a documented exit code."""
    _add_plugins()
    outcome.end_cleanly_on_sigterm()
    command: Any = typer.main.get_command(app)
    words = arguments if arguments is not None else sys.argv[1:]
    try:
        sys.exit(command(args=words, prog_name="dltsync", standalone_mode=False))
    except typer.Abort:
        sys.exit(1)
    except outcome.UsageProblem as problem:
        sys.exit(outcome.told_usage(problem, as_json="--json" in words))
    except outcome.Terminated:
        sys.exit(outcome.TERMINATED)
    except KeyboardInterrupt:
        sys.exit(outcome.INTERRUPTED)

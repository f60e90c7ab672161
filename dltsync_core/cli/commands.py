"""What each command does: read the config, call the pipeline, print the result, end with the exit code.

Everything heavy (dlt, DuckDB, Arrow, pydantic) is imported here, and `cli.app` imports this module when a command is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import typer

from dltsync_core.cli import console, outcome, tables
from dltsync_core.cli.log_options import chosen
from dltsync_core.cli.options import split_names, split_partition_keys
from dltsync_core.cli.progress import RunProgress
from dltsync_core.cli.repair import print_recovery, print_repair
from dltsync_core.config import load_config
from dltsync_core.config.editor_schema import editor_schema
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName
from dltsync_core.logging import Reported, configure_logging, is_structured, level_of, log_file_of, overridden_log
from dltsync_core.plan.judgement import Answer
from dltsync_core.redaction import secrets_of
from dltsync_core.run.events import EventSink, ignore
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline


@contextmanager
def _open(config: Path | None, *, as_json: bool, quiet: bool) -> Iterator[IncrementalSQLServerParquetPipeline]:
    """The pipeline of a config file, with its log. With `quiet` stderr shows warnings and errors only, unless options ask for the
    log itself or stdout is JSON."""
    options = chosen.get()
    settings = load_config(config)
    outcome.hide_secrets(secrets_of(settings))
    with overridden_log(options.level, options.format):
        on_terminal = console.stderr.is_terminal and options.format is None
        configure_logging(
            level=level_of(settings),
            structured=is_structured(settings) and not on_terminal,
            quiet_stderr=options.quiet or (quiet and not as_json and not options.asks_for_entries),
            leave_out=_printed_on_the_terminal(as_json=as_json) if on_terminal else (),
            secrets=secrets_of(settings),
        )
        with log_file_of(settings), IncrementalSQLServerParquetPipeline(settings) as pipeline:
            yield pipeline


def _printed_on_the_terminal(*, as_json: bool) -> tuple[Reported, ...]:
    """What a command prints itself where the log would say it a second time. Errors go to stderr, results and JSON to stdout, and
    stdout may be a file. Who asks for the entries of the log gets those of units too, each at its time."""
    of_result: tuple[Reported, ...] = ("result",) if console.stdout.is_terminal else ()
    if as_json:
        return ("raised", *of_result) if of_result else ()
    return ("raised",) if chosen.get().asks_for_entries else ("raised", *of_result)


def run(
    config: Path | None,
    *,
    table_names: Sequence[str] | None,
    kinds: Sequence[str] | None,
    partitions: Sequence[str] | None,
    full_refresh: bool,
    force: bool,
    sequential: bool,
    accept_drift: Sequence[str] | None,
    as_json: bool,
) -> None:
    """`dltsync run`. When units failed, ends with the smallest of their exit codes."""
    options = chosen.get()
    live = console.stderr.is_terminal and not as_json and not options.quiet and not options.asks_for_entries
    names, keys = split_names(table_names), split_partition_keys(partitions)
    with ExitStack() as stack:
        pipeline = stack.enter_context(_open(config, as_json=as_json, quiet=live))
        sink: EventSink = stack.enter_context(RunProgress(console.stderr)) if live else ignore
        result = pipeline.run(
            parallel_execution=not sequential,
            table_types=split_names(kinds),
            table_names=names,
            partition_keys=keys,
            full_refresh=full_refresh,
            force=force,
            accept_drift=split_names(accept_drift) or (),
            on_event=sink,
        )
    if as_json:
        outcome.emit_json(result.as_dict())
    else:
        tables.print_run(console.stdout, result)
    if result.failed:
        raise typer.Exit(min(unit.exit_code or 1 for unit in result.failed))


def plan(
    config: Path | None,
    *,
    table_names: Sequence[str] | None,
    kinds: Sequence[str] | None,
    partitions: Sequence[str] | None,
    full_refresh: bool,
    accept_drift: Sequence[str] | None,
    as_json: bool,
) -> None:
    """`dltsync plan`. Tables that cannot be planned are reported after the plans of the others."""
    names, keys = split_names(table_names), split_partition_keys(partitions)
    errors: list[tuple[TableName, Exception]] = []
    with _open(config, as_json=as_json, quiet=True) as pipeline:
        plans = pipeline.plan(
            table_types=split_names(kinds),
            table_names=names,
            partition_keys=keys,
            full_refresh=full_refresh,
            accept_drift=split_names(accept_drift) or (),
            on_error=lambda table, error: errors.append((table, error)),
        )
    if not as_json and plans:
        tables.print_plans(console.stdout, plans)
    shown = {"tables": [plan.to_dict() for plan in plans]}
    if errors:
        outcome.end_with(errors, as_json=as_json, shown=shown)
    if as_json:
        outcome.emit_json({"success": True, **shown})


def status(config: Path | None, *, as_json: bool) -> None:
    """`dltsync status`."""
    with _open(config, as_json=as_json, quiet=True) as pipeline:
        report = pipeline.get_pipeline_status()
    if as_json:
        outcome.emit_json(report)
    else:
        tables.print_status(console.stdout, report)


def validate(
    config: Path | None,
    *,
    table_names: Sequence[str] | None,
    partitions: Sequence[str] | None,
    fingerprint: str | None,
    row_diff: bool,
    as_json: bool,
) -> None:
    """`dltsync validate`. Exit code 9 when source, lake and warehouse differ."""
    names, keys = split_names(table_names), split_partition_keys(partitions)
    with _open(config, as_json=as_json, quiet=True) as pipeline:
        report = pipeline.validate_all_tables(
            table_names=names, partition_keys=keys, fingerprint=fingerprint, row_diff=row_diff
        )
    if as_json:
        outcome.emit_json(report)
    else:
        tables.print_validation(console.stdout, report)
    if not report["valid"]:
        raise typer.Exit(outcome.DIFFERENT)


def recover(
    config: Path | None,
    *,
    table_names: Sequence[str] | None,
    dry_run: bool,
    deep: bool,
    answer: Answer | None,
    as_json: bool,
) -> None:
    """`dltsync recover`. Raises ConfigError for an answer without tables."""
    names = split_names(table_names)
    if answer is not None and not names:
        raise ConfigError("--answer needs the tables that it is for.", remedy="Name them with --tables.")
    with _open(config, as_json=as_json, quiet=True) as pipeline:
        report = pipeline.recover(table_names=names, dry_run=dry_run, deep=deep, answer=answer)
    if as_json:
        outcome.emit_json(report)
    else:
        print_recovery(console.stdout, report)
    _end_recovery(report)


def _end_recovery(report: dict[str, Any]) -> None:
    failed = [table["exit_code"] for table in report["tables"] if table["error"]]
    if failed:
        raise typer.Exit(min(failed))
    if report["questions"]:
        raise typer.Exit(outcome.NEEDS_ANSWER)
    if report["dry_run"] and not report["agreed"]:
        raise typer.Exit(outcome.TO_REPAIR)


def repair(config: Path | None, *, table: str, apply: bool, including_source_faults: bool, as_json: bool) -> None:
    """`dltsync repair`. Exit code 12 when findings are left that were not repaired."""
    with _open(config, as_json=as_json, quiet=True) as pipeline:
        report = pipeline.scd_handler.repair_scd_integrity(
            table, dry_run=not apply, including_source_faults=including_source_faults
        )
    if as_json:
        outcome.emit_json(report)
    else:
        print_repair(console.stdout, report)
    if report["remaining"] or (report["dry_run"] and report["findings"]):
        raise typer.Exit(outcome.TO_REPAIR)


def schema() -> None:
    """`dltsync schema`."""
    outcome.emit_json(editor_schema())

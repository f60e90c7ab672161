"""From the tables a caller chose to plans: facts for all, keys checked, each table planned by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.config import TableConfig
from dltsync_core.errors import DriftError, RunFailed, SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.explain import summary
from dltsync_core.plan.selection import RunOptions, check_partition_keys
from dltsync_core.run.context import RunContext
from dltsync_core.run.failures import Stopped, failure_of
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.planning.table import plan_table, read_facts
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_core.run.workers import Task, run_tasks


@dataclass(frozen=True)
class PlannedTables:
    """Tables that can run, and the errors of those that cannot, both in the config's order."""

    prepared: tuple[PreparedTable, ...]
    errors: dict[TableName, Exception] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan_tables(
    context: RunContext,
    tables: Sequence[TableConfig],
    options: RunOptions,
    *,
    partition_keys: Sequence[str] | None,
    parallel: bool,
) -> PlannedTables:
    """A plan for each table. Raises ConfigError (unknown partition key) and ConnectError; other errors stay with their table."""
    facts, errors = read_facts(context, tables)
    notes: list[str] = []
    if partition_keys is not None:
        tables, options = _narrowed(tables, facts, errors, options, partition_keys, notes)
        errors = {name: error for name, error in errors.items() if any(t.name == name for t in tables)}
    runnable = [table for table in tables if table.name in facts]
    tasks = [Task(str(t.name), partial(_prepared, context, t, facts[t.name], options)) for t in runnable]
    workers = context.config.processing.max_workers if parallel else 1
    prepared, failed = [], dict[TableName, Exception](errors)
    for table, outcome in zip(runnable, run_tasks(tasks, workers=workers, per_group=1, stop=context.stop), strict=True):
        if isinstance(outcome, PreparedTable):
            prepared.append(outcome)
        else:
            failed[table.name] = outcome
    in_order = {table.name: failed[table.name] for table in tables if table.name in failed}
    return PlannedTables(tuple(prepared), in_order, tuple(notes))


def failed_tables(context: RunContext, tables: Sequence[TableConfig], planned: PlannedTables) -> list[UnitResult]:
    """Results for tables that never got a plan."""
    results = []
    for table in tables:
        error = planned.errors.get(table.name)
        if error is None:
            continue
        failure = failure_of(error, context.config)
        context.reporter.table("failed", table.name, failure.message)
        results.append(
            UnitResult(
                table=table.name,
                kind=table.kind,
                unit=WHOLE_TABLE,
                status="failed",
                reason="the table could not be planned",
                error=failure.message,
                error_type=failure.type,
                exit_code=failure.exit_code,
            )
        )
    return results


def drift_of(planned: PlannedTables) -> tuple[ColumnChange, ...]:
    """What changed in the columns, of tables with a plan and of those that it stopped."""
    stopped = [error.facts.get("findings") for error in planned.errors.values() if isinstance(error, DriftError)]
    found = [finding for table in planned.prepared for finding in table.plan.drift]
    return (*found, *(finding for findings in stopped if isinstance(findings, tuple) for finding in findings))


def _narrowed(
    tables: Sequence[TableConfig],
    facts: dict[TableName, TableFacts],
    errors: dict[TableName, SyncError],
    options: RunOptions,
    keys: Sequence[str],
    notes: list[str],
) -> tuple[list[TableConfig], RunOptions]:
    """Only partition tables have partitions: the others are left out, and said so."""
    partitioned = [table for table in tables if table.kind == "partition"]
    known = [
        slot.range.key
        for table in partitioned
        if table.name in facts
        for slot in getattr(facts[table.name].partitioning, "slots", ())
    ]
    if not known:  # what keeps a table from being read explains more than its missing partitions
        for table in partitioned:
            if table.name in errors:
                raise errors[table.name]
    wanted = check_partition_keys(keys, known)
    left_out = [str(table.name) for table in tables if table.kind != "partition"]
    if left_out:
        notes.append(f"partitions were asked for, so these were left out: {', '.join(left_out)}")
    return partitioned, replace(options, partition_keys=wanted)


def _prepared(
    context: RunContext, table: TableConfig, facts: TableFacts, options: RunOptions
) -> PreparedTable | Exception:
    context.reporter.table("planning", facts.name)
    try:
        context.raise_if_stopped()
        with context.reporter.about(facts.name, WHOLE_TABLE):  # a plan inspects the warehouse too, and may wait for it
            prepared = plan_table(context, table, facts, options)
    except (SyncError, Stopped) as error:
        return error
    except Exception as error:  # noqa: BLE001 -- a surprise in one table's plan must not stop the other tables
        surprise = error
    else:
        context.reporter.table("planned", facts.name, summary([prepared.plan]))
        return prepared
    context.reporter.unexpected(table.name, surprise, " while planning")
    return surprise


def notes_of(planned: PlannedTables, units: Sequence[UnitResult]) -> tuple[str, ...]:
    """What a run has to say beside its units."""
    notes = [*planned.notes]
    notes += [f"{table.plan.table}: {note}" for table in planned.prepared for note in table.plan.notes]
    if any(unit.consistency == "read_committed" for unit in units):
        notes.append(
            "the database does not allow SNAPSHOT isolation: rows were read under READ COMMITTED, counted before and after"
        )
    return tuple(notes)


def first_error(result: RunResult) -> RunFailed:
    """The error of a run in which something failed."""
    first, *more = result.failed
    others = f" (and {len(more)} more failed)" if more else ""
    return RunFailed(f"{first.table} {first.unit}: {first.error}{others}", result=result)

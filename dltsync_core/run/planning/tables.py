"""From the tables a caller chose to plans: facts, ledger, warehouse and probes for all together, each table planned by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.config import TableConfig
from dltsync_core.errors import DriftError, RunFailed, SyncError
from dltsync_core.extract.probes import Probed
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.explain import summary
from dltsync_core.plan.selection import RunOptions, check_partitions
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext
from dltsync_core.run.failures import Stopped, failure_of
from dltsync_core.run.planning.probes import probe_tables
from dltsync_core.run.planning.resolved import PreparedTable, ResolvedTable, read_facts, resolve_table
from dltsync_core.run.planning.table import AssessedTable, assess_table, plan_assessed
from dltsync_core.run.planning.warehouse import WarehouseInspection
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_core.run.workers import Task, run_tasks

T = TypeVar("T")


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
    workers = context.config.processing.max_workers if parallel else 1
    outcomes = _planned(context, runnable, facts, options, workers=workers)
    prepared = [outcome for outcome in outcomes.values() if isinstance(outcome, PreparedTable)]
    failed = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Exception)}
    failed.update(errors)
    in_order = {table.name: failed[table.name] for table in tables if table.name in failed}
    return PlannedTables(tuple(prepared), in_order, tuple(notes))


def _planned(
    context: RunContext,
    tables: Sequence[TableConfig],
    facts: Mapping[TableName, TableFacts],
    options: RunOptions,
    *,
    workers: int,
) -> dict[TableName, PreparedTable | Exception]:
    """The plan of each table, or its error, by the config's names and in their order. Four steps for all of them: what config and
    catalogue say, what is committed, the probes, the plans. A table that fails in one has no part in the next."""
    so_far: dict[TableName, Any] = {}
    for table in tables:
        context.reporter.table("planning", facts[table.name].name)
        so_far[table.name] = _attempted(context, table.name, partial(resolve_table, context, table, facts[table.name]))
    resolved = {name: found for name, found in so_far.items() if isinstance(found, ResolvedTable)}
    try:
        ledger = context.ledger.committed_units_of([table.name for table in resolved.values()])
    except SyncError as error:
        return {**so_far, **dict.fromkeys(resolved, error)}
    warehouse = WarehouseInspection(context, list(resolved.values()))
    assessing = [
        Task(
            str(name),
            partial(
                _attempted, context, name,
                partial(assess_table, context, table, ledger[table.name], options, warehouse),
            ),
        )
        for name, table in resolved.items()
    ]  # fmt: skip
    assessed_tables = run_tasks(assessing, workers=workers, per_group=1, stop=context.stop)
    so_far.update(zip(resolved, assessed_tables, strict=True))
    assessed = {name: found for name, found in so_far.items() if isinstance(found, AssessedTable)}
    probed = probe_tables(context, [each.to_probe for each in assessed.values()], workers=workers)
    for name, each in assessed.items():
        so_far[name] = _attempted(context, name, partial(_finished, context, each, probed[each.resolved.name]))
    return so_far


def _finished(context: RunContext, assessed: AssessedTable, probed: Probed | Exception) -> PreparedTable:
    if isinstance(probed, Exception):
        raise probed
    prepared = plan_assessed(context, assessed, probed)
    steps = prepared.plan.steps
    context.reporter.table(
        "planned", assessed.resolved.name, summary([prepared.plan]), units=len(steps), rows=rows_to_read(steps)
    )
    return prepared


def rows_to_read(steps: Sequence[Step]) -> int | None:
    """The rows that these steps read from the source; None where a step knows no number, as increments do not."""
    total = 0
    for step in steps:
        if step.action not in (Action.LOAD, Action.LOAD_INCREMENT):
            continue
        known = step.probe.rows if step.probe is not None else step.approx_rows
        if known is None or step.action is Action.LOAD_INCREMENT:
            return None
        total += known
    return total


def _attempted(context: RunContext, table: TableName, work: Callable[[], T]) -> T | Exception:
    """What `work` returns for one table, or its error, which must not stop the other tables."""
    try:
        context.raise_if_stopped()
        with context.reporter.about(table, WHOLE_TABLE):  # a plan inspects the warehouse too, and may wait for it
            return work()
    except (SyncError, Stopped) as error:
        return error
    except Exception as error:  # noqa: BLE001 -- a surprise in one table's plan
        surprise = error
    context.reporter.unexpected(table, surprise, " while planning")
    return surprise


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
    partitionings = [facts[table.name].partitioning for table in partitioned if table.name in facts]
    if not any(partitionings):  # what keeps a table from being read explains more than its missing partitions
        for table in partitioned:
            if table.name in errors:
                raise errors[table.name]
    wanted = check_partitions(keys, partitionings)
    left_out = [str(table.name) for table in tables if table.kind != "partition"]
    if left_out:
        notes.append(f"partitions were asked for, so these were left out: {', '.join(left_out)}")
    return partitioned, replace(options, partition_keys=wanted)


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

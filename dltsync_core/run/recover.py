"""`dltsync recover`: what was found in ledger, lake and warehouse, how each unit is judged, and what the next run reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange
from dltsync_core.config import TableConfig
from dltsync_core.errors import ConfigError, ConnectError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.plan.judgement import NEVER_LOADED, Answer, RecoveryVerdict, UnitJudgement
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext, with_unit_lock
from dltsync_core.run.planning.reconcile import ReconciledTable, inspect_table, repair_state
from dltsync_core.run.planning.resolved import ResolvedTable, read_facts, resolve_table
from dltsync_core.run.planning.table import plan_table
from dltsync_core.run.planning.warehouse import WarehouseInspection
from dltsync_core.state.lease_rows import Lease


def recover_tables(
    context: RunContext,
    tables: Sequence[TableConfig],
    options: RunOptions,
    *,
    dry_run: bool,
    deep: bool,
    answer: Answer | None,
) -> dict[str, Any]:
    """The report of `Pipeline.recover`. A table that cannot be inspected says why. Raises ConnectError."""
    facts, errors = read_facts(context, tables)
    resolved: dict[TableName, ResolvedTable] = {}
    for table in tables:
        try:
            if table.name not in errors:
                resolved[table.name] = resolve_table(context, table, facts[table.name])
        except ConnectError:
            raise
        except SyncError as error:
            errors[table.name] = error
    warehouse = WarehouseInspection(context, list(resolved.values()))  # nothing here writes to it
    reports = []
    for table in tables:
        try:
            if table.name in errors:
                raise errors[table.name]
            reports.append(
                _recover(context, resolved[table.name], warehouse, options, dry_run=dry_run, deep=deep, answer=answer)
            )
        except ConnectError:
            raise
        except SyncError as error:
            reports.append(_report(str(table.name), table.kind, error=error))
    rows = [unit["rows_to_read"] for report in reports for unit in report["units"] if unit["rows_to_read"]]
    return {
        "dry_run": dry_run,
        "agreed": all(_is_agreed(report) for report in reports),
        "questions": [report["question"] for report in reports if report["question"]],
        "rows_to_read": sum(rows),
        "tables": reports,
    }


def _recover(
    context: RunContext,
    resolved: ResolvedTable,
    warehouse: WarehouseInspection,
    options: RunOptions,
    *,
    dry_run: bool,
    deep: bool,
    answer: Answer | None,
) -> dict[str, Any]:

    def inspected(deep: bool = False) -> ReconciledTable:
        committed_units = context.ledger.committed_units(resolved.name)
        return inspect_table(context, resolved, committed_units, warehouse, deep=deep)

    found = inspected(deep)
    asked, aside = found.question, [str(finding) for finding in found.inspection.movable]
    if not dry_run:
        if asked is not None and answer is not None:
            _answer(context, resolved, found, answer)
            found = inspected()
            asked = found.question
        if asked is None:
            repair_state(context, resolved, found)
            after = inspected() if aside else found
            if after is not found and after.inspection.movable:  # of a manifest that was set aside
                aside += [str(finding) for finding in after.inspection.movable]
                repair_state(context, resolved, after)
    steps: dict[str, Step] = {}
    if asked is None:  # what is still to be set aside changes nothing in what has to be read
        options = replace(options, heal=True, repair_state=False)
        prepared = plan_table(context, resolved.config, resolved.facts, options, warehouse=warehouse)
        steps = {step.unit: step for step in prepared.plan.steps}
    units = [
        _unit(found, unit, steps.get(unit)) for unit in dict.fromkeys([*resolved.units, *found.judgements, *steps])
    ]
    return _report(
        str(resolved.name),
        resolved.config.kind,
        units=[unit for unit in units if unit is not None],
        quarantined=aside,
        question=None if asked is None else {"unit": asked.unit, "question": asked.reason, "answer": asked.answer},
    )


def _answer(context: RunContext, resolved: ResolvedTable, found: ReconciledTable, answer: Answer) -> None:
    """Carry out a person's answer under the units' lease. Raises ConfigError for an answer to another question, LeaseHeld,
    StateConflict when a run committed one of the units since they were inspected."""
    asked = [each for each in found.judgements.values() if each.verdict is RecoveryVerdict.ASK]
    for judgement in asked:
        if judgement.answer != answer:
            raise ConfigError(
                f"{resolved.name} {judgement.unit}: {answer} is no answer to this: {judgement.reason}",
                remedy=f"the answer it takes is {judgement.answer}",
            )
    with with_unit_lock(context, resolved.name, resolved.target, [each.unit for each in asked]) as held:
        _carry_out(context, resolved, found, asked, answer, held.lease)


def _carry_out(
    context: RunContext,
    resolved: ResolvedTable,
    found: ReconciledTable,
    asked: Sequence[UnitJudgement],
    answer: Answer,
    lease: Lease,
) -> None:
    for judgement in asked:
        if answer == "accept-loss":
            change = CommitChange(judgement.unit, found.committed_units.generation(judgement.unit), None)
            context.ledger.commit(resolved.name, [change], [], lease=lease)
        elif found.inspection.questions:
            context.lake.quarantine(resolved.name, found.inspection.questions, utc_now())
            return
        else:
            context.lake.disown(found.inspection, judgement.reason, utc_now())
            return


def _unit(found: ReconciledTable, unit: str, step: Step | None) -> dict[str, Any] | None:
    judgement, ledger = found.judgements.get(unit), found.committed_units.live.get(unit)
    manifests = found.inspection.units.get(unit, ())
    if judgement is None and step is None:
        return None
    believed = judgement.committed_unit if judgement is not None else None
    return {
        "unit": unit,
        "verdict": (judgement.verdict if judgement is not None else RecoveryVerdict.RE_EXTRACT).value,
        "reason": judgement.reason if judgement is not None else NEVER_LOADED,
        "ledger": ledger.rows if ledger is not None else None,
        "lake": sum(m.rows for m in manifests) if manifests else None,
        "warehouse": judgement.evidence.warehouse_rows if judgement is not None else 0,
        "lake_bytes": sum(m.bytes for m in manifests),
        "watermark": believed.watermark if believed is not None else None,
        "next": step.action.value if step is not None else None,
        "rows_to_read": _rows(step) if step is not None else None,
    }


def _rows(step: Step) -> int | None:
    """How many rows the next run reads of a unit; unknown for an increment, whose rows only the server can count."""
    if step.action in (Action.SKIP, Action.RELOAD):
        return 0
    return step.probe.rows if step.action is Action.LOAD and step.probe is not None else None


def _report(
    table: str,
    kind: str,
    *,
    units: Sequence[dict[str, Any]] = (),
    quarantined: Sequence[str] = (),
    question: dict[str, Any] | None = None,
    error: SyncError | None = None,
) -> dict[str, Any]:
    return {
        "table": table,
        "kind": kind,
        "units": list(units),
        "quarantined": list(quarantined),
        "question": question,
        "error": None if error is None else str(error),
        "exit_code": None if error is None else error.exit_code,
    }


def _is_agreed(report: dict[str, Any]) -> bool:
    settled = all(unit["verdict"] == RecoveryVerdict.KEEP.value for unit in report["units"])
    return settled and not (report["quarantined"] or report["question"] or report["error"])

"""After the loads of a run: partitions that are out of their table's retention leave the warehouse.

Nothing is recorded in the ledger, and the lake keeps its files: what is out of retention follows from catalogue and config
each time (`plan.retention`), so a run that was killed here leaves nothing but work for the next one, and a wider window
fills the warehouse from the lake again.
"""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.errors import LeaseHeld
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.context import RunContext, log, with_unit_lock
from dltsync_core.run.failures import Stopped, failure_of
from dltsync_core.run.planning.resolved import PreparedTable, facts_of, resolve_table
from dltsync_core.run.result import RemovedPartitions, UnitResult


def remove_out_of_retention(
    context: RunContext, tables: Sequence[PreparedTable], units: Sequence[UnitResult]
) -> tuple[tuple[RemovedPartitions, ...], tuple[UnitResult, ...]]:
    """What was removed, and the failures. A table of which a unit failed is left as it is: its newer rows may not all be
    there. Raises nothing but an interrupt."""
    failed_tables = {unit.table for unit in units if unit.status == "failed"}
    removed: list[RemovedPartitions] = []
    failed: list[UnitResult] = []
    for prepared in tables:
        plan = prepared.plan
        if not plan.is_to_be_trimmed or plan.table in failed_tables or context.stop.is_set():
            continue
        try:
            found = _remove(context, prepared)
        except LeaseHeld as busy:
            log.info("%s: partitions out of retention are left to the next run: %s", plan.table, busy.problem)
        except Stopped:
            break
        except Exception as error:  # noqa: BLE001 -- one table's surprise must not stop the others
            failed.append(_failed(context, prepared, error))
        else:
            removed += [found] if found is not None else []
    return tuple(removed), tuple(failed)


def _remove(context: RunContext, prepared: PreparedTable) -> RemovedPartitions | None:
    """The partitions that are out of retention now: the catalogue is read again, because loads may have taken hours, and a
    partition that is within the window again by now stays."""
    planned = {one.unit for one in prepared.plan.out_of_retention}
    before, config = prepared.resolved, prepared.resolved.config
    resolved = resolve_table(context, config, facts_of(context, config))
    there = list(resolved.out_of_retention)
    places = [place for place, unit in enumerate(there) if unit in planned]
    if not places:
        return None
    scopes = {unit: resolved.out_of_retention[unit] for unit in there[places[0] : places[-1] + 1]}
    with with_unit_lock(context, before.name, before.target, sorted(scopes)), context.warehouse_turn:
        found = context.warehouse.remove_partitions(before.target, context.config.pipeline_name, scopes)
    if not found.rows and not found.boundaries and not found.reasons:
        return None
    done = RemovedPartitions(before.name, dict(found.rows), found.method, found.reasons, found.boundaries)
    log.info("%s", done.sentence)
    return done


def _failed(context: RunContext, prepared: PreparedTable, error: Exception) -> UnitResult:
    failure = failure_of(error, context.config)
    name = prepared.plan.table
    context.reporter.unexpected(name, error, " while removing partitions out of retention")
    context.reporter.table("failed", name, failure.message)
    return UnitResult(
        table=name,
        kind=prepared.plan.kind,
        unit=WHOLE_TABLE,
        status="failed",
        reason="partitions out of retention could not be removed from the warehouse",
        error=failure.message,
        error_type=failure.type,
        exit_code=failure.exit_code,
    )

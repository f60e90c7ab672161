"""The last error of every table, as `status` tells it: written when an attempt fails, over with the next success.

A unit that fails while it is loaded writes its failure itself. Here is what fails before there are units (the table cannot be
read or planned), and the end of failures whose units are found up to date by a later run, which writes nothing else of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dltsync_core.clock import utc_now
from dltsync_core.config import TableConfig
from dltsync_core.display import number_of
from dltsync_core.errors import SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.failures import failure_of
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.result import UnitResult
from dltsync_core.state.records import LoadEvent, LoadStatus


def record_unplanned(
    context: RunContext, tables: Sequence[TableConfig], errors: Mapping[TableName, BaseException]
) -> None:
    """Write down that tables could not be planned. Raises nothing: the errors themselves are what the run reports."""
    ledger = context.ledger
    try:
        events = [
            LoadEvent(
                ledger.find_table(table.name),
                table.kind,
                WHOLE_TABLE,
                "",
                context.run_id,
                LoadStatus.FAILED,
                utc_now(),
                detail=f"{failure.type}: {failure.message}",
            )
            for table in tables
            if table.name in errors and (failure := failure_of(errors[table.name], context.config))
        ]
        ledger.record(*events)
    except SyncError as problem:
        log.warning("the failures of %s could not be recorded: %s", number_of(len(errors), "table"), problem)


def clear_failures(context: RunContext, planned: Sequence[PreparedTable], units: Sequence[UnitResult]) -> None:
    """Write down that earlier failures are over: of tables that could be planned, and of their units that this run found up to
    date, or that are no more. One look at the ledger for all tables. Raises nothing: what stays is told once more."""
    try:
        standing = context.ledger.failures()
        if standing:
            fine = {(unit.table, unit.unit) for unit in units if unit.status == "skipped"}
            found = [event for table in planned for event in _over(context, table, standing, fine)]
            context.ledger.record(*found)
    except SyncError as problem:
        log.warning("it could not be recorded that earlier failures are over: %s", problem)


def _over(
    context: RunContext,
    table: PreparedTable,
    standing: Mapping[TableName, Sequence[LoadEvent]],
    fine: Collection[tuple[TableName, str]],
) -> list[LoadEvent]:
    name, kind, units = table.resolved.name, table.resolved.config.kind, set(table.resolved.units)
    return [
        LoadEvent(event.table, kind, event.unit, event.load_id, context.run_id, LoadStatus.SKIPPED, utc_now())
        for spelt, events in standing.items()
        if spelt in (name, table.resolved.config.name)
        for event in events
        if event.unit not in units or (name, event.unit) in fine
    ]


def failures_of(
    name: TableName, known: TableName, failures: Mapping[TableName, Sequence[LoadEvent]]
) -> list[LoadEvent]:
    """The failures that stand of a table called `name` in the config and `known` in the ledger. Before its first commit it may
    have failed under the catalogue's spelling, which nobody remembers then."""
    exact = [event for spelt in {name, known} for event in failures.get(spelt, ())]
    alike = (events for spelt, events in failures.items() if str(spelt).casefold() == str(name).casefold())
    return exact or [event for events in alike for event in events]

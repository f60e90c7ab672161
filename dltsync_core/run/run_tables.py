"""One run: plan the tables, load what changed, say what became of every unit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dltsync_core.config import TableConfig
from dltsync_core.errors import ConnectError
from dltsync_core.plan.selection import RunOptions
from dltsync_core.process import peak_memory_mb
from dltsync_core.run.context import RunContext
from dltsync_core.run.housekeeping import cleanup_warehouse, prepare_state
from dltsync_core.run.last_errors import clear_failures, record_unplanned
from dltsync_core.run.load.schedule import execute
from dltsync_core.run.planning.tables import drift_of, failed_tables, notes_of, plan_tables
from dltsync_core.run.result import RunResult
from dltsync_core.run.retention import remove_out_of_retention
from dltsync_core.run.validation.tables import notes_on_moved_rows


def run_tables(
    context: RunContext,
    tables: Sequence[TableConfig],
    options: RunOptions,
    *,
    partition_keys: Sequence[str] | None,
    parallel: bool,
    notes: Sequence[str],
) -> RunResult:
    """Bring tables up to date; what fails is a result. `notes` come first among those of the result. Raises ConnectError when no
    table could be planned for want of a connection; the ledger then says so of each."""
    started = time.perf_counter()
    prepare_state(context)
    try:
        planned = plan_tables(context, tables, options, partition_keys=partition_keys, parallel=parallel)
    except ConnectError as error:
        record_unplanned(context, tables, {table.name: error for table in tables})
        raise
    record_unplanned(context, tables, planned.errors)
    failed = failed_tables(context, tables, planned)
    loaded = execute(context, planned.prepared, parallel=parallel)
    removed, not_removed = remove_out_of_retention(context, planned.prepared, loaded)
    units = [*loaded, *not_removed, *failed]
    cleanup_warehouse(context)
    clear_failures(context, planned.prepared, units)
    moved = notes_on_moved_rows(context, planned.prepared, units)
    result = RunResult(
        run_id=context.run_id,
        units=tuple(units),
        total_duration_seconds=time.perf_counter() - started,
        peak_memory_mb=peak_memory_mb(),
        notes=(*notes, *notes_of(planned, units), *moved, *(one.sentence for one in removed)),
        drift=drift_of(planned),
        removed=removed,
    )
    context.reporter.log.ended(result)
    return result

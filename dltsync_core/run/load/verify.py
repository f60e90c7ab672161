"""After a load: rows in the three places; and of a load that replaced a unit, sums and NULLs that its files know of themselves
against the warehouse, in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import LakeError, ValidationFailed
from dltsync_core.identity import TableName, dotted
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, ReplaceTable
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.unit import InWarehouse, UnitWork
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.planning.stamps import stamps_at_source, stamps_in_warehouse
from dltsync_core.typemap.column_stats import StatsColumn, stats_columns
from dltsync_core.validate.column_stats import LoadedFigure, loaded_figures
from dltsync_core.validate.counts import RowCounts, difference

_NAMED_DIFFERENCES = 5


def measure_loaded_units(context: RunContext, loaded: Sequence[tuple[ResolvedTable, UnitWork]]) -> None:
    """Count units where they were just loaded, and sum them up: units of one table by one statement. For while the warehouse is
    open anyway. Sets `UnitWork.found`."""
    by_table: dict[tuple[TableName, bool], list[tuple[ResolvedTable, UnitWork]]] = {}
    for resolved, work in loaded:
        by_table.setdefault((resolved.name, _may_be_compared(resolved, work)), []).append((resolved, work))
    for (_, compared), units in by_table.items():
        resolved = units[0][0]
        columns = _columns_to_compare(context, resolved) if compared else ()
        scopes = {work.step.unit: resolved.scope_of(work.step.unit) for _, work in units}
        stats = context.warehouse.column_stats(resolved.target, scopes, columns)
        for _, work in units:
            found = stats[work.step.unit]
            work.found = InWarehouse(
                found, tuple(c.name for c in columns), _stamps(context, resolved, work, found.rows)
            )


def _may_be_compared(resolved: ResolvedTable, work: UnitWork) -> bool:
    """Not a load that merges: the warehouse then holds more than its files."""
    merged = work.in_lake is not None and len(work.in_lake.manifests) > 1
    return not merged and isinstance(resolved.disposition_of(work.step), (ReplaceScope, ReplaceTable))


def _columns_to_compare(context: RunContext, resolved: ResolvedTable) -> tuple[StatsColumn, ...]:
    return stats_columns(
        resolved.mapping,
        decimals=context.config.processing.validate_precision_end_to_end,
        whole_numbers=False,
        moments=False,
    )


def _stamps(context: RunContext, resolved: ResolvedTable, work: UnitWork, rows: int) -> str | None:
    asked = work.staged is not None and stamps_at_source(work.step, work.staged.probe) is not None
    return stamps_in_warehouse(context, resolved) if asked and rows == work.known.source_rows else None


def stamps_differ(work: UnitWork) -> bool:
    """Whether an increment left stamps in the warehouse that are not the source's: something changed below its window."""
    found = work.looked_at.stamps
    return found is not None and found != stamps_at_source(work.step, work.known.probe)


def counts_after_load(context: RunContext, resolved: ResolvedTable, work: UnitWork) -> RowCounts:
    """The rows of a unit at its source, in the lake and in the warehouse. Raises LakeError for files that are not whole."""
    known, found = work.known, work.looked_at.summary.rows
    retained = 0
    if isinstance(resolved.config, StaticTableConfig) and resolved.config.load_strategy == "upsert":
        retained = max(found - known.source_rows, 0)  # rows deleted at the source stay in the warehouse by definition
    return RowCounts(known.source_rows, _lake_rows(context, work), found, retained)


def _lake_rows(context: RunContext, work: UnitWork) -> int:
    """What was counted before the load became visible, when the files are still what they were."""
    if work.manifest is None:
        return 0
    problems = context.lake.verify(work.manifest)
    if problems:
        raise LakeError(
            f"{work.step.table} {work.step.unit}: the published files are not whole: {problems[0]}",
            remedy="the load was not committed, and the next run reads the unit again; check the disk when it stays so",
        )
    return work.manifest.rows if work.lake_rows is None else work.lake_rows


def figures_after_load(context: RunContext, work: UnitWork) -> tuple[LoadedFigure, ...]:
    """What there is to compare, equal or not."""
    found = work.looked_at
    if work.manifest is None or not found.columns:
        return ()
    return loaded_figures(context.lake.tally(work.manifest), found.summary, found.columns)


def disagreement(resolved: ResolvedTable, work: UnitWork, counts: RowCounts) -> ValidationFailed:
    """The error for counts that differ after a load. The lake was counted before it, so the warehouse has other rows than were
    loaded. A load that replaces its unit puts that right when it is done again; one that merges takes no rows away."""
    table = work.step.table
    if isinstance(resolved.disposition_of(work.step), MergeKeys):
        remedy = (
            f"the load was not committed; see what else writes to the warehouse table {dotted(*resolved.target)}, then "
            f"`dltsync run --tables {table} --full-refresh` makes it anew"
        )
    else:
        remedy = (
            "the load was not committed, and the next run loads the unit again; when it stays so, "
            f"`dltsync validate --tables {table} --row-diff` names the rows"
        )
    return ValidationFailed(
        f"{table} {work.step.unit}: the places do not agree after the load: {difference(counts)}",
        remedy=remedy,
        table=str(table),
        unit=work.step.unit,
    )


def other_values(work: UnitWork) -> ValidationFailed:
    """The error for columns that came to something else in the warehouse than in the files (`UnitWork.compared`)."""
    found = [figure for figure in work.compared if not figure.equal]
    return ValidationFailed(
        f"{work.step.table} {work.step.unit}: the warehouse holds other values than the lake: "
        + "; ".join(str(one) for one in found[:_NAMED_DIFFERENCES]),
        remedy="the load was not committed, and the next run loads the unit again; when it stays so report it with this message",
        table=str(work.step.table),
        unit=work.step.unit,
        column=found[0].column,
    )

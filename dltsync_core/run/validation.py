"""After a load: rows in the three places; and of a load that replaced a unit, sums and NULLs that its files know of themselves
against the warehouse, in one statement."""

from __future__ import annotations

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import LakeError
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services
from dltsync_core.run.stamps import stamps_at_source, stamps_in_warehouse
from dltsync_core.run.work import InWarehouse, UnitWork
from dltsync_core.typemap.summary import summary_columns
from dltsync_core.validate.counts import ThreeCounts
from dltsync_core.validate.summaries import LoadedFigure, loaded_figures
from dltsync_core.warehouse.port import ReplaceScope, ReplaceTable


def look_after_load(services: Services, shape: TableShape, work: UnitWork) -> InWarehouse:
    """Count the unit where it was just loaded, and sum it up. For while the warehouse is open anyway."""
    unit = work.step.unit
    merged = work.in_lake is not None and len(work.in_lake.manifests) > 1
    replaced = isinstance(shape.disposition_of(work.step), (ReplaceScope, ReplaceTable))
    columns = summary_columns(
        shape.mapping,
        decimals=services.config.processing.validate_precision_end_to_end,
        whole_numbers=False,
        moments=False,
    )
    compared = columns if replaced and not merged else ()
    found = services.warehouse.summaries(shape.target, {unit: shape.scope_of(unit)}, compared)[unit]
    asked = work.staged is not None and stamps_at_source(work.step, work.staged.probe) is not None
    stamps = stamps_in_warehouse(services, shape) if asked and found.rows == work.known.source_rows else None
    return InWarehouse(found, tuple(column.name for column in compared), stamps)


def stamps_differ(work: UnitWork) -> bool:
    """Whether an increment left stamps in the warehouse that are not the source's: something changed below its window."""
    found = work.looked_at.stamps
    return found is not None and found != stamps_at_source(work.step, work.known.probe)


def counts_after_load(services: Services, shape: TableShape, work: UnitWork) -> ThreeCounts:
    """The rows of a unit at its source, in the lake and in the warehouse. Raises LakeError for files that are not whole."""
    known, found = work.known, work.looked_at.summary.rows
    kept = 0
    if isinstance(shape.config, StaticTableConfig) and shape.config.load_strategy == "upsert":
        kept = max(found - known.source_rows, 0)  # rows deleted at the source stay in the warehouse by definition
    return ThreeCounts(known.source_rows, _lake_rows(services, shape, work), found, kept)


def _lake_rows(services: Services, shape: TableShape, work: UnitWork) -> int:
    if work.step.kind == "scd":
        return services.lake.count(shape.name, work.step.unit, shape.keys)
    if work.manifest is None:
        return 0
    problems = services.lake.verify(work.manifest)
    if problems:
        raise LakeError(
            f"{work.step.table} {work.step.unit}: the published files are not whole: {problems[0]}",
            remedy="nothing was committed; check the disk and run again",
        )
    return work.manifest.rows


def figures_after_load(services: Services, work: UnitWork) -> tuple[LoadedFigure, ...]:
    """What there is to compare, equal or not."""
    found = work.looked_at
    if work.manifest is None or not found.columns:
        return ()
    return loaded_figures(services.lake.tally(work.manifest), found.summary, found.columns)

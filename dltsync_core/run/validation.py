"""After a load that replaced a unit: sums and NULLs that the files know of themselves, against the warehouse. One statement."""

from __future__ import annotations

from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services
from dltsync_core.run.work import UnitWork
from dltsync_core.typemap.summary import summary_columns
from dltsync_core.validate.summaries import ColumnDifference, load_differences
from dltsync_core.warehouse.port import ReplaceScope, ReplaceTable


def differences_after_load(services: Services, shape: TableShape, work: UnitWork) -> tuple[ColumnDifference, ...]:
    """Empty also for loads that were merged into rows that stay: there the warehouse holds more than the files."""
    unit, manifest = work.step.unit, work.manifest
    merged = work.in_lake is not None and len(work.in_lake.manifests) > 1
    if manifest is None or merged or not isinstance(shape.disposition_of(work.step), (ReplaceScope, ReplaceTable)):
        return ()
    columns = summary_columns(
        shape.mapping,
        decimals=services.config.processing.validate_precision_end_to_end,
        whole_numbers=False,
        moments=False,
    )
    with services.warehouse_turn:
        held = services.warehouse.summaries(shape.target, {unit: shape.scope_of(unit)}, columns)[unit]
    return load_differences(services.lake.tally(manifest), held, [column.name for column in columns])

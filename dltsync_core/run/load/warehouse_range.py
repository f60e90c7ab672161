"""Do the rows that were read fit the warehouse? Asked while nobody can see them yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dltsync_core.errors import FidelityError
from dltsync_core.extract.row_labels import named, shown
from dltsync_core.identity import dotted
from dltsync_core.plan.keys import naming_key
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.typemap.datetimes import NANOSECOND_RANGE
from dltsync_core.warehouse.duckdb.nanosecond_range import far_columns, first_far, too_narrow


def check_warehouse_range(context: RunContext, resolved: ResolvedTable, unit: str, files: Sequence[Path]) -> None:
    """Raises FidelityError for a value that the warehouse's column cannot hold although the lake's can, with its row. Most loads
    have no value that could be one, and then the warehouse is not asked."""
    far = far_columns(files, resolved.mapping.schema)
    if not far:
        return
    with context.warehouse_turn:
        held = context.warehouse.columns(resolved.target)
    for column in too_narrow(far, held):
        key = naming_key(resolved.facts, resolved.keys, resolved.mapping.schema.names)
        row = first_far(files, column, key)
        if row is None:
            continue
        said = {other: shown(row.column(other), 0) for other in row.schema.names}
        name, value = named(key, said.__getitem__), said[column]
        declared = resolved.contracts[column]["sql_type"]
        target = dotted(*resolved.target)
        raise FidelityError(
            f"{resolved.name}: column {column} ({declared}) holds {value}, outside "
            f"{NANOSECOND_RANGE} that the column {column} of the warehouse table {target} reaches: it is TIMESTAMP_NS since the "
            f"source had a datetime2(7) there; {name}. Nothing was published or loaded",
            remedy=f"drop the warehouse table {target} (the next run fills it again, with a type that fits), or name another "
            "target_table; or correct the value at the source",
            table=str(resolved.name),
            unit=unit,
            column=column,
            row=name,
        )

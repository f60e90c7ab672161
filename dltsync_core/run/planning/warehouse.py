"""What the warehouse holds of a table, for one plan: asked for once, whoever needs it first."""

from __future__ import annotations

from functools import cached_property

from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.warehouse.port import TableInspection, WarehouseTable


class WarehouseInspection:
    """One table of the warehouse. Nothing is opened before `table` is read, and once after that."""

    def __init__(self, context: RunContext, resolved: ResolvedTable) -> None:
        self._context = context
        self._resolved = resolved

    @cached_property
    def table(self) -> WarehouseTable:
        """Columns, rows of every unit the table has now, markers, and whether a load could enter. Raises WarehouseError,
        WarehouseBusy."""
        context, resolved = self._context, self._resolved
        scopes = {unit: resolved.scope_of(unit) for unit in resolved.units}
        with context.warehouse_turn:
            asked = TableInspection(context.config.pipeline_name, scopes, resolved.mapping.schema)
            return context.warehouse.inspect({resolved.target: asked})[resolved.target]

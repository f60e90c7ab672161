"""What the warehouse holds of the tables of one plan: asked for once, by whichever table needs it first, in one opening."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dltsync_core.errors import SyncError, WarehouseBusy
from dltsync_core.identity import Target
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.warehouse.port import TableInspection, WarehouseTable


class WarehouseInspection:
    """Some tables of the warehouse. Nothing is opened before one of them is asked for. Thread-safe."""

    def __init__(self, context: RunContext, tables: Sequence[ResolvedTable]) -> None:
        self._context = context
        self._tables = {table.target: table for table in tables}
        self._found: dict[Target, WarehouseTable] = {}
        self._guard = threading.Lock()
        self._busy: WarehouseBusy | None = None

    def table(self, resolved: ResolvedTable) -> WarehouseTable:
        """Columns, rows of every unit the table has now, markers, and whether a load could enter. Raises WarehouseError,
        WarehouseBusy (for every table once one has waited in vain)."""
        with self._guard:
            if resolved.target not in self._found:
                if self._busy is not None:
                    raise self._busy
                try:
                    self._look(resolved)
                except WarehouseBusy as error:
                    self._busy = error
                    raise
            return self._found[resolved.target]

    def _look(self, resolved: ResolvedTable) -> None:
        """At all tables; at this one alone when that fails, so that another table's error is not this one's."""
        if not self._found and len(self._tables) > 1:
            try:
                self._found = self._inspected(list(self._tables.values()))
                return
            except WarehouseBusy:
                raise
            except SyncError:
                pass
        self._found.update(self._inspected([resolved]))

    def _inspected(self, tables: Sequence[ResolvedTable]) -> dict[Target, WarehouseTable]:
        context = self._context
        asked = {
            table.target: TableInspection(
                context.config.pipeline_name,
                {unit: table.scope_of(unit) for unit in table.units},
                table.mapping.schema,
                table.layout,
                table.out_of_retention,
            )
            for table in tables
        }
        with context.warehouse_turn:
            return dict(context.warehouse.inspect(asked))

"""From what a caller names to the history of an scd table in the warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dltsync_core.config import PipelineConfig, SCDTableConfig
from dltsync_core.errors import ConfigError, WarehouseError
from dltsync_core.history.handler import ScdTarget
from dltsync_core.history.versions import VersionColumns
from dltsync_core.plan.keys import business_keys
from dltsync_core.plan.selection import find_table
from dltsync_core.run.ports import Source
from dltsync_core.warehouse.port import Warehouse


def scd_target(config: PipelineConfig, source: Source, warehouse: Warehouse, table: Any) -> ScdTarget:
    """The table in the warehouse and the columns of its history, in the warehouse's spelling.

    The source is asked only when the business keys are not configured. Raises ConfigError, WarehouseError (nothing loaded
    yet, or a column is not there) and what the source raises.
    """
    if isinstance(table, str):
        table = find_table(config.tables, table)
    if not isinstance(table, SCDTableConfig):
        raise ConfigError(f"{getattr(table, 'name', table)} is not configured as scd: it has no history")
    keys = table.business_key_columns
    if keys is None:
        keys = business_keys(source.read_tables([table])[table.name], table)
    target = config.target_of(table)
    known = {name.casefold(): name for name in warehouse.columns(target)}
    if not known:
        raise WarehouseError(f"the warehouse has no table {'.'.join(target)} yet", remedy=f"load {table.name} first")
    columns = VersionColumns(
        business_keys=tuple(_spelt(known, target, keys)),
        effective_date=_spelt(known, target, [table.effective_date_column])[0],
        end_date=_spelt(known, target, [table.end_date_column])[0],
        is_latest=_spelt(known, target, [table.is_latest_column])[0],
    )
    return ScdTarget(table.name, target, columns)


def _spelt(known: dict[str, str], target: tuple[str, str], names: Iterable[str]) -> list[str]:
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        raise WarehouseError(
            f"the warehouse table {'.'.join(target)} has no column {missing[0]!r}",
            remedy="check the column names of the scd table in the config",
        )
    return [known[name.casefold()] for name in names]

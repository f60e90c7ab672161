"""One table, ready to run: what was asked, what the server has, what is committed, what will be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, Slot, TableFacts
from dltsync_core.committed import CommittedUnits, LoadIdentity
from dltsync_core.config import QualityRule, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import ColumnNotFound, ConfigError
from dltsync_core.extract.unit import WHOLE, UnitFilter
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.keys import key_setting, naming_key
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import (
    Action,
    Disposition,
    MergeKeys,
    ReplaceScope,
    ReplaceTable,
    Step,
    TablePlan,
    UpsertKeys,
)
from dltsync_core.run.context import RunContext
from dltsync_core.typemap import TableMapping
from dltsync_core.warehouse.duckdb.keys import MergeKey


@dataclass(frozen=True)
class ResolvedTable:
    """What config and catalogue say of a table, before anything was compared. `keys` are those rows are merged by;
    `in_warehouse` says what the warehouse refuses of a column's values, by column."""

    config: TableConfig
    facts: TableFacts
    mapping: TableMapping
    target: tuple[str, str]
    keys: tuple[str, ...]
    rules: tuple[QualityRule, ...]
    definition: TableDefinition
    in_warehouse: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> TableName:
        return self.facts.name

    @cached_property
    def contracts(self) -> Mapping[str, Mapping[str, Any]]:
        """The fidelity contract of each column: one for all units, of which there may be thousands."""
        contracts = self.mapping.contracts()
        return contracts | {name: {**contracts[name], "warehouse": said} for name, said in self.in_warehouse.items()}

    @property
    def merge_key(self) -> MergeKey | None:
        """What rows are merged by, as the key check wants it; None for a table that is not merged."""
        if not self.keys:
            return None
        names = naming_key(self.facts, (), self.mapping.schema.names)
        return MergeKey(str(self.name), self.keys, key_setting(self.config), named_by=names)

    @property
    def units(self) -> list[str]:
        """The units the table has now, in order."""
        return list(self._slots) or [WHOLE_TABLE]

    @cached_property
    def _slots(self) -> dict[str, Slot]:
        partitioning = self.facts.partitioning
        if self.config.kind != "partition" or partitioning is None:
            return {}
        return {slot.range.key: slot for slot in partitioning.slots}

    def committed_watermark(self, committed_units: CommittedUnits) -> str | None:
        """The watermark an increment may start from: of this very table and column, else None (it could not be compared)."""
        committed_unit = committed_units.live.get(WHOLE_TABLE)
        if committed_unit is None or not self.definition.fits(committed_unit):
            return None
        return committed_unit.watermark

    def probed_watermark(self, committed_units: CommittedUnits) -> str | None:
        """The watermark the committed probe was taken at: only a probe at the same one can be equal to it."""
        committed_unit = committed_units.live.get(WHOLE_TABLE)
        if committed_unit is None or not self.definition.fits(committed_unit):
            return None
        return committed_unit.probe.watermark_high

    def slot(self, unit: str) -> Slot | None:
        """The slot with that key now; None for tables that are loaded whole."""
        return self._slots.get(unit)

    def filter_of(self, unit: str) -> UnitFilter:
        """All rows of a unit at the source."""
        slot = self.slot(unit)
        return WHOLE if slot is None else UnitFilter(slot=slot, partitioning=self.facts.partitioning)

    def scope_of(self, unit: str) -> ReplaceScope | None:
        """All rows of a unit in the warehouse; None means the whole table. Raises CatalogError (the order differs there)."""
        slot, partitioning = self.slot(unit), self.facts.partitioning
        if slot is None or partitioning is None:
            return None
        return scope_for(partitioning.column, self.field_type(partitioning.column.name), [slot.range])

    def field_type(self, column: str) -> pa.DataType:
        """The Arrow type of a column that must be loaded. Raises ConfigError when it was left out."""
        mapped = self.mapping.column(column)
        if mapped is None:
            raise ConfigError(
                f"{self.name}: {column} is left out, but the table is split, merged or ordered by it",
                remedy="take it out of exclude_columns, or add it to include_columns",
                table=str(self.name),
                column=column,
            )
        found: pa.DataType = mapped.field.type
        return found

    def window_column(self) -> ColumnFacts:
        """The column increments go by. Raises ColumnNotFound, also for kinds without increments."""
        name = self.config.last_modified_column if isinstance(self.config, SCDTableConfig) else "last_modified_column"
        column = self.facts.column(name)
        if column is None:
            raise ColumnNotFound(f"{self.name} has no column {name!r}", table=str(self.name), column=name)
        return column

    @property
    def needs_ceiling(self) -> bool:
        """Whether the table's watermark is a rowversion: only then a probe needs the lowest one of open transactions."""
        return isinstance(self.config, SCDTableConfig) and self.window_column().type_name == "rowversion"

    def disposition_of(self, step: Step) -> Disposition:
        """How the rows of a step enter the warehouse."""
        scope = self.scope_of(step.unit)
        if scope is not None:
            return scope
        if step.action is Action.LOAD_INCREMENT:
            return MergeKeys(self.keys)
        if isinstance(self.config, StaticTableConfig) and self.config.load_strategy == "upsert":
            return UpsertKeys(self.keys)
        return ReplaceTable()


@dataclass(frozen=True)
class PreparedTable:
    """A table with its plan, the committed units the plan was made from (what commits are compared with) and what was asked
    for."""

    resolved: ResolvedTable
    committed_units: CommittedUnits
    plan: TablePlan
    options: RunOptions


def load_identity(context: RunContext, resolved: ResolvedTable, unit: str, load_id: str) -> LoadIdentity:
    """What the footer, the manifest, the marker and the ledger say of the load."""
    return LoadIdentity(
        pipeline=context.config.pipeline_name,
        source=resolved.definition.source,
        table=resolved.name,
        kind=resolved.config.kind,
        unit=unit,
        load_id=load_id,
        run_id=context.run_id,
        definition_digest=resolved.definition.definition_digest,
    )

"""One table, ready to run: what was asked, what the server has, what is committed, what will be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, Slot, TableFacts
from dltsync_core.clock import utc_now
from dltsync_core.committed import CommittedUnits, LoadIdentity
from dltsync_core.config import (
    PartitionTableConfig,
    PipelineConfig,
    QualityRule,
    SCDTableConfig,
    StaticTableConfig,
    TableConfig,
)
from dltsync_core.errors import CatalogError, ColumnNotFound, ConfigError, ConnectError, SyncError
from dltsync_core.extract.unit import WHOLE, UnitFilter
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.lake import Lake
from dltsync_core.plan.definition import TableDefinition, definition_digest
from dltsync_core.plan.keys import key_setting, keys_of, naming_key
from dltsync_core.plan.retention import within_retention
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
from dltsync_core.run.ports import Source
from dltsync_core.typemap import TableMapping
from dltsync_core.validate.quality import resolve_rules
from dltsync_core.warehouse.duckdb.keys import MergeKey
from dltsync_core.warehouse.port import TargetLayout, Warehouse


@dataclass(frozen=True)
class ResolvedTable:
    """What config and catalogue say of a table, before anything was compared. `keys` are those rows are merged by;
    `in_warehouse` says what the warehouse refuses or does not preserve of a column's values, by column."""

    config: TableConfig
    facts: TableFacts
    mapping: TableMapping
    target: tuple[str, str]
    keys: tuple[str, ...]
    rules: tuple[QualityRule, ...]
    definition: TableDefinition
    warehouse: Warehouse = field(compare=False)
    """Decides which rows a partition has there."""
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

    @cached_property
    def out_of_retention(self) -> dict[str, ReplaceScope]:
        """The rows in the warehouse of each partition before the table's window, in order, also of those that are read because
        they take over rows. Raises as `scope_of` does."""
        partitioning = self.facts.partitioning
        if self.config.kind != "partition" or partitioning is None or not partitioning.before_window:
            return {}
        column, kind = partitioning.column, self.field_type(partitioning.column.name)
        return {
            slot.range.key: self.warehouse.scope_for(column, kind, [slot.range]) for slot in partitioning.before_window
        }

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
        return self.warehouse.scope_for(partitioning.column, self.field_type(partitioning.column.name), [slot.range])

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

    def fields_of(self, names: Iterable[str]) -> pa.Schema:
        """These columns as the lake has them."""
        return pa.schema([self.mapping.schema.field(name) for name in names])

    @property
    def layout(self) -> TargetLayout:
        """How the table is made in a warehouse that has keys and partitions. The key is what rows are merged by, else the
        source's primary key."""
        partitioning = self.facts.partitioning if self.config.kind == "partition" else None
        upserted = isinstance(self.config, StaticTableConfig) and self.config.load_strategy == "upsert"
        is_merged = self.config.kind == "scd" or upserted
        return TargetLayout(self.keys or self.facts.primary_key, partitioning, self.facts.indexes, is_merged)

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
    warehouse_fence: int | None = None
    """The highest fence of a load of this pipeline that the plan found in the warehouse, 0 for none; None when the plan did not
    look there."""


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


class PlanningRooms(Protocol):
    """What config and catalogue are brought together with. A run's context is one."""

    @property
    def config(self) -> PipelineConfig: ...

    @property
    def source(self) -> Source: ...

    @property
    def lake(self) -> Lake: ...

    @property
    def warehouse(self) -> Warehouse: ...

    @property
    def source_name(self) -> str: ...


def read_facts(
    context: PlanningRooms, tables: Sequence[TableConfig]
) -> tuple[dict[TableName, TableFacts], dict[TableName, SyncError]]:
    """Facts by the config's names, and the errors of tables that have none. Raises ConnectError.

    One look for all tables; when that fails a look for each half of them, and so on, so that one misspelt name stops one table
    and costs a few looks.
    """
    try:
        found, errors = dict(context.source.read_tables(tables)), dict[TableName, SyncError]()
    except CatalogError as error:
        found, errors = _facts_of_halves(context, tables, error)
    for table in tables:
        if table.name not in found:
            continue
        try:
            found[table.name] = within_retention(found[table.name], table, utc_now())
        except ConfigError as error:
            del found[table.name]
            errors[table.name] = error
    return found, errors


def facts_of(context: PlanningRooms, table: TableConfig) -> TableFacts:
    """The facts of one table, within its retention. Raises CatalogError, ConfigError, ConnectError."""
    return within_retention(context.source.read_tables([table])[table.name], table, utc_now())


def _facts_of_halves(
    context: PlanningRooms, tables: Sequence[TableConfig], error: SyncError
) -> tuple[dict[TableName, TableFacts], dict[TableName, SyncError]]:
    if len(tables) == 1:
        return {}, {tables[0].name: error}
    facts: dict[TableName, TableFacts] = {}
    errors: dict[TableName, SyncError] = {}
    middle = len(tables) // 2
    for half in (tables[:middle], tables[middle:]):
        try:
            facts.update(context.source.read_tables(half))
        except ConnectError:
            raise
        except SyncError as of_half:
            found, failed = _facts_of_halves(context, half, of_half)
            facts.update(found)
            errors.update(failed)
    return facts, errors


def resolve_table(context: PlanningRooms, table: TableConfig, facts: TableFacts) -> ResolvedTable:
    """What config and catalogue say together. Raises ConfigError, ColumnNotFound, UnsupportedColumn or CatalogError, for
    names that lake or warehouse keep for themselves too: all of it before a row is read."""
    mapping = context.source.map_columns(facts, table)
    keys = keys_of(facts, table)
    target = context.config.target_of(table)
    digest = definition_digest(
        facts,
        table,
        schema_digest=mapping.schema_digest,
        target=target,
        keys=keys,
        column_ids=[column.column.column_id for column in mapping.columns],
    )
    definition = TableDefinition(digest, context.source_name)
    rules = resolve_rules(table.quality, mapping.schema) if isinstance(table, StaticTableConfig) else ()
    resolved = ResolvedTable(table, facts, mapping, target, keys, rules, definition, context.warehouse)
    context.lake.check_names(resolved.name, mapping.schema.names)
    context.warehouse.check_names(target, mapping.schema)
    resolved = replace(resolved, in_warehouse=context.warehouse.declared(mapping.schema))
    for key in keys:
        resolved.field_type(key)
    if isinstance(table, PartitionTableConfig) and facts.partitioning is not None:
        for unit in resolved.units:
            resolved.scope_of(unit)  # refuses types that sort differently in the warehouse before a row is read
    return resolved

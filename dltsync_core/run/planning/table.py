"""From table configs to plans: read facts, inspect lake and warehouse, probe the source, let `plan` decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnits
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import CatalogError, ConnectError, SyncError
from dltsync_core.extract.slice_plan import continuation_key
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.inspect import DOUBLED
from dltsync_core.plan.definition import TableDefinition, definition_digest
from dltsync_core.plan.judgement import UnitJudgement
from dltsync_core.plan.keys import keys_of
from dltsync_core.plan.partitions import plan_partition_table
from dltsync_core.plan.scd import plan_scd_table
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.static import plan_static_table
from dltsync_core.plan.steps import TablePlan
from dltsync_core.plan.window import window_after
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.reconcile import ReconciledTable, reconcile
from dltsync_core.run.planning.resolved import PreparedTable, ResolvedTable
from dltsync_core.run.planning.schema_changes import Drift, check_warehouse, with_drift
from dltsync_core.run.planning.stamps import why_unproven
from dltsync_core.run.planning.warehouse import WarehouseInspection
from dltsync_core.run.retry import with_retries
from dltsync_core.validate.quality import resolve_rules


def read_facts(
    context: RunContext, tables: Sequence[TableConfig]
) -> tuple[dict[TableName, TableFacts], dict[TableName, SyncError]]:
    """Facts by the config's names, and the errors of tables that have none. Raises ConnectError.

    One look for all tables; only when that fails is each asked for alone, so that one misspelt name stops one table.
    """
    try:
        return dict(context.source.read_tables(tables)), {}
    except CatalogError as error:
        if len(tables) == 1:
            return {}, {tables[0].name: error}
    facts: dict[TableName, TableFacts] = {}
    errors: dict[TableName, SyncError] = {}
    for table in tables:
        try:
            facts.update(context.source.read_tables([table]))
        except ConnectError:
            raise
        except SyncError as error:
            errors[table.name] = error
    return facts, errors


def resolve_table(context: RunContext, table: TableConfig, facts: TableFacts) -> ResolvedTable:
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
    resolved = ResolvedTable(table, facts, mapping, target, keys, rules, definition)
    context.lake.check_names(resolved.name, mapping.schema.names)
    context.warehouse.check_names(target, mapping.schema)
    resolved = replace(resolved, in_warehouse=context.warehouse.declared(mapping.schema))
    for key in keys:
        resolved.field_type(key)
    if isinstance(table, PartitionTableConfig) and facts.partitioning is not None:
        for unit in resolved.units:
            resolved.scope_of(unit)  # refuses types that sort differently in the warehouse before a row is read
    return resolved


def plan_table(
    context: RunContext,
    table: TableConfig,
    facts: TableFacts,
    options: RunOptions,
    *,
    warehouse: WarehouseInspection | None = None,
) -> PreparedTable:
    """The plan of one table, with what it was made from. Opens the warehouse once, and not at all with a `warehouse` that was
    inspected before. Writes only with `options.repair_state`. Raises any SyncError."""
    committed_units = context.ledger.committed_units(facts.name)
    resolved = resolve_table(context, table, facts)
    warehouse = warehouse or WarehouseInspection(context, resolved)
    resolved, drift = with_drift(context, resolved, committed_units, warehouse, options)
    judgements: Mapping[str, UnitJudgement] = {}
    lake_notes: tuple[str, ...] = ()
    if options.compare:
        found = reconcile(context, resolved, committed_units, warehouse, options)
        committed_units, judgements = found.believed if options.heal else committed_units, found.judgements
        lake_notes = _lake_notes(found)
    committed_units = drift.carried_over(committed_units, resolved.mapping.schema_digest)
    plan = with_retries(
        context,
        lambda: _plan(context, resolved, committed_units, judgements, options),
        stage="planning",
        table=facts.name,
        unit=WHOLE_TABLE,
    )
    plan = replace(plan, notes=(*plan.notes, *lake_notes))
    if plan.work and options.compare:
        check_warehouse(resolved, warehouse, drift.findings)  # where a column may have been given another type by hand
    return PreparedTable(
        resolved,
        committed_units,
        _with_contracts(resolved, _with_drift(_with_notes(context, resolved, plan), drift)),
        options,
    )


def _lake_notes(found: ReconciledTable) -> tuple[str, ...]:
    """One sentence about files in the lake that are no part of the table and were not set aside."""
    files = [finding for finding in found.inspection.movable if finding.kind in DOUBLED]
    if not files:
        return ()
    others = f" (and {len(files) - 1:,} more)" if files[1:] else ""
    cleared = "`dltsync recover` sets it aside, so does a run with state.enable_self_healing"
    return (f"{files[0]}{others}: no part of the table; {cleared}",)


def _with_drift(plan: TablePlan, drift: Drift) -> TablePlan:
    """What changed in the columns, as findings and in words."""
    said = tuple(f"schema {finding.kind}: {finding.sentence}" for finding in drift.findings)
    return replace(plan, notes=(*plan.notes, *said), drift=drift.findings)


def _with_contracts(resolved: ResolvedTable, plan: TablePlan) -> TablePlan:
    """What is promised about each column, and which are left out."""
    left_out = {column.name: column.reason for column in resolved.mapping.left_out}
    return replace(plan, contracts=resolved.contracts, left_out=left_out)


def _with_notes(context: RunContext, resolved: ResolvedTable, plan: TablePlan) -> TablePlan:
    """What a person should know about how the rows will be read."""
    limit = context.config.processing.statement_rows_limit
    longest = max((step.probe.rows for step in plan.work if step.probe is not None), default=0)
    if longest <= limit or continuation_key(resolved.facts) is not None:
        return plan
    note = (
        f"no primary or unique key that reading could continue along: a unit of {longest:,} rows is read by one statement, "
        "and read anew when that fails"
    )
    return replace(plan, notes=(*plan.notes, note))


def _plan(
    context: RunContext,
    resolved: ResolvedTable,
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    options: RunOptions,
) -> TablePlan:
    table, facts, mapping = resolved.config, resolved.facts, resolved.mapping
    with context.source.read_view(ceiling=resolved.needs_ceiling) as view:
        if isinstance(table, PartitionTableConfig):
            return plan_partition_table(
                facts,
                table,
                definition=resolved.definition,
                probes=view.probe_partitions(facts, mapping, table),
                committed_units=committed_units,
                judgements=judgements,
                options=options,
            )
        if isinstance(table, SCDTableConfig):
            committed = resolved.committed_watermark(committed_units)
            probe = view.probe_scd(facts, mapping, table, resolved.probed_watermark(committed_units))
            window = window_after(
                committed,
                probe.watermark_high,
                type_name=resolved.window_column().type_name,
                lag_seconds=table.lag_seconds,
            )
            return plan_scd_table(
                facts,
                table,
                definition=resolved.definition,
                probe=probe,
                window=replace(window, unproven=why_unproven(resolved)),
                committed_units=committed_units,
                judgements=judgements,
                options=options,
            )
        return plan_static_table(
            facts,
            table,
            definition=resolved.definition,
            probe=view.probe_static(facts, mapping, table),
            committed_units=committed_units,
            judgements=judgements,
            options=options,
        )

"""From table configs to plans: read facts, look at source, lake and warehouse, let `plan` decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import CatalogError, ConnectError, SyncError
from dltsync_core.extract.slicing import continuation_key
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.survey import DOUBLED
from dltsync_core.plan.heads import TableHeads
from dltsync_core.plan.intent import Intent
from dltsync_core.plan.keys import keys_of
from dltsync_core.plan.observed import TableObservation
from dltsync_core.plan.partitions import plan_partition_table
from dltsync_core.plan.scd import plan_scd_table
from dltsync_core.plan.shape import shape_of
from dltsync_core.plan.static import plan_static_table
from dltsync_core.plan.steps import TablePlan
from dltsync_core.plan.unit import Basis
from dltsync_core.plan.window import window_after
from dltsync_core.run.drifting import Drift, check_warehouse, with_drift
from dltsync_core.run.prepared import PreparedTable, TableShape
from dltsync_core.run.recovering import Findings, settle
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services
from dltsync_core.run.stamps import why_unproven
from dltsync_core.validate.quality import resolve_rules


def read_facts(
    services: Services, tables: Sequence[TableConfig]
) -> tuple[dict[TableName, TableFacts], dict[TableName, SyncError]]:
    """Facts by the config's names, and the errors of tables that have none. Raises ConnectError.

    One look for all tables; only when that fails is each asked for alone, so that one misspelt name stops one table.
    """
    try:
        return dict(services.source.read_tables(tables)), {}
    except CatalogError as error:
        if len(tables) == 1:
            return {}, {tables[0].name: error}
    facts: dict[TableName, TableFacts] = {}
    errors: dict[TableName, SyncError] = {}
    for table in tables:
        try:
            facts.update(services.source.read_tables([table]))
        except ConnectError:
            raise
        except SyncError as error:
            errors[table.name] = error
    return facts, errors


def shape_table(services: Services, table: TableConfig, facts: TableFacts) -> TableShape:
    """What config and catalogue say together. Raises ConfigError, ColumnNotFound, UnsupportedColumn or CatalogError, for
    names that lake or warehouse keep for themselves too: all of it before a row is read."""
    mapping = services.source.map_columns(facts, table)
    keys = keys_of(facts, table)
    target = services.config.target_of(table)
    name = partial(shape_of, facts, table, schema_digest=mapping.schema_digest, target=target, keys=keys)
    basis = Basis(
        name(column_ids=[m.column.column_id for m in mapping.columns if m.column.column_id]),
        services.source_name,
        without_ids=name(),
    )
    rules = resolve_rules(table.quality, mapping.schema) if isinstance(table, StaticTableConfig) else ()
    shape = TableShape(table, facts, mapping, target, keys, rules, basis)
    services.lake.check_names(shape.name, mapping.schema.names)
    services.warehouse.check_names(target, mapping.schema)
    for key in keys:
        shape.field_type(key)
    if isinstance(table, PartitionTableConfig) and facts.partitioning is not None:
        for unit in shape.units:
            shape.scope_of(unit)  # refuses types that sort differently in the warehouse before a row is read
    return shape


def prepare(services: Services, table: TableConfig, facts: TableFacts, intent: Intent) -> PreparedTable:
    """The plan of one table, with what it was made from. Writes only with `intent.mend`. Raises any SyncError."""
    heads = services.ledger.heads(facts.name)
    shape, drift = with_drift(services, shape_table(services, table, facts), heads, intent)
    observed = TableObservation()
    strays: tuple[str, ...] = ()
    if intent.compare:
        found = settle(services, shape, heads, intent)
        heads, observed = found.believed if intent.heal else heads, found.observed
        strays = _told_strays(found)
    heads = drift.carried_over(heads, shape.mapping.schema_digest)
    plan = patiently(
        services,
        lambda: _plan(services, shape, heads, observed, intent),
        stage="planning",
        table=facts.name,
        unit=WHOLE_TABLE,
    )
    plan = replace(plan, notes=(*plan.notes, *strays))
    if plan.work and intent.compare and not drift.warehouse_checked:
        check_warehouse(services, shape)  # where a column may have been given another type by hand
    return PreparedTable(
        shape, heads, _with_contracts(shape, _with_drift(_with_notes(services, shape, plan), drift)), intent
    )


def _told_strays(found: Findings) -> tuple[str, ...]:
    """One sentence about files in the lake that are no part of the table and were not set aside."""
    strays = [finding for finding in found.survey.strays if finding.kind in DOUBLED]
    if not strays:
        return ()
    others = f" (and {len(strays) - 1:,} more)" if strays[1:] else ""
    cleared = "`dltsync recover` sets it aside, so does a run with state.enable_self_healing"
    return (f"{strays[0]}{others}: no part of the table; {cleared}",)


def _with_drift(plan: TablePlan, drift: Drift) -> TablePlan:
    """What changed in the columns, as findings and in words."""
    said = tuple(f"schema {finding.kind}: {finding.sentence}" for finding in drift.findings)
    return replace(plan, notes=(*plan.notes, *said), drift=drift.findings)


def _with_contracts(shape: TableShape, plan: TablePlan) -> TablePlan:
    """What is promised about each column, and which are left out."""
    left_out = {column.name: column.reason for column in shape.mapping.left_out}
    return replace(plan, contracts=shape.contracts, left_out=left_out)


def _with_notes(services: Services, shape: TableShape, plan: TablePlan) -> TablePlan:
    """What a person should know about how the rows will be read."""
    limit = services.config.processing.statement_rows_limit
    longest = max((step.probe.rows for step in plan.work if step.probe is not None), default=0)
    if longest <= limit or continuation_key(shape.facts) is not None:
        return plan
    note = (
        f"no primary or unique key that reading could continue along: a unit of {longest:,} rows is read by one statement, "
        "and read anew when that fails"
    )
    return replace(plan, notes=(*plan.notes, note))


def _plan(
    services: Services, shape: TableShape, heads: TableHeads, observed: TableObservation, intent: Intent
) -> TablePlan:
    table, facts, mapping = shape.config, shape.facts, shape.mapping
    with services.source.read_view(ceiling=shape.needs_ceiling) as view:
        if isinstance(table, PartitionTableConfig):
            return plan_partition_table(
                facts,
                table,
                basis=shape.basis,
                probes=view.probe_partitions(facts, mapping, table),
                heads=heads,
                observed=observed,
                intent=intent,
            )
        if isinstance(table, SCDTableConfig):
            committed = shape.committed_watermark(heads)
            probe = view.probe_scd(facts, mapping, table, shape.probed_watermark(heads))
            window = window_after(
                committed,
                probe.watermark_high,
                type_name=shape.window_column().type_name,
                lag_seconds=table.lag_seconds,
            )
            return plan_scd_table(
                facts,
                table,
                basis=shape.basis,
                probe=probe,
                window=replace(window, unproven=why_unproven(shape)),
                heads=heads,
                observed=observed,
                intent=intent,
            )
        return plan_static_table(
            facts,
            table,
            basis=shape.basis,
            probe=view.probe_static(facts, mapping, table),
            heads=heads,
            observed=observed,
            intent=intent,
        )

"""From one table's config and facts to its plan: inspect lake and warehouse, probe the source, let `plan` decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnits, Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, TableConfig
from dltsync_core.display import number_of
from dltsync_core.extract.probes import Probed
from dltsync_core.extract.slice_plan import continuation_key
from dltsync_core.lake.inspect import DOUBLED
from dltsync_core.plan.judgement import UnitJudgement
from dltsync_core.plan.partitions import plan_partition_table, with_partitions_taking_over
from dltsync_core.plan.retention import out_of_retention
from dltsync_core.plan.scd import plan_scd_table
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.static import plan_static_table
from dltsync_core.plan.steps import TablePlan
from dltsync_core.plan.window import window_after
from dltsync_core.run.context import RunContext, highest_fence
from dltsync_core.run.planning.probes import TableToProbe, probe_alone, why_unproven
from dltsync_core.run.planning.reconcile import ReconciledTable, reconcile
from dltsync_core.run.planning.resolved import PreparedTable, ResolvedTable, resolve_table
from dltsync_core.run.planning.schema_changes import Drift, check_warehouse, with_drift
from dltsync_core.run.planning.warehouse import WarehouseInspection


@dataclass(frozen=True)
class AssessedTable:
    """A table before its probe: what is believed to be committed of it, by ledger, lake and warehouse."""

    resolved: ResolvedTable
    committed_units: CommittedUnits
    judgements: Mapping[str, UnitJudgement]
    drift: Drift
    notes: tuple[str, ...]
    warehouse: WarehouseInspection
    options: RunOptions

    @property
    def to_probe(self) -> TableToProbe:
        """What the source is asked for."""
        return TableToProbe(self.resolved, self.committed_units)


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
    warehouse = warehouse or WarehouseInspection(context, [resolved])
    assessed = assess_table(context, resolved, committed_units, options, warehouse)
    return plan_assessed(context, assessed, probe_alone(context, assessed.to_probe))


def assess_table(
    context: RunContext,
    resolved: ResolvedTable,
    committed_units: CommittedUnits,
    options: RunOptions,
    warehouse: WarehouseInspection,
) -> AssessedTable:
    """What a plan may build upon, before the source is probed. `committed_units` are the ledger's. Raises any SyncError."""
    resolved, drift = with_drift(context, resolved, committed_units, warehouse, options)
    judgements: Mapping[str, UnitJudgement] = {}
    published: Collection[str] = ()
    lake_notes: tuple[str, ...] = ()
    if options.compare:
        found = reconcile(context, resolved, committed_units, warehouse, options)
        committed_units, judgements = found.believed if options.heal else committed_units, found.judgements
        lake_notes, published = _lake_notes(found), found.only_in_lake
    if isinstance(resolved.config, PartitionTableConfig):
        facts = with_partitions_taking_over(
            resolved.facts,
            resolved.config,
            committed_units=committed_units,
            judgements=judgements,
            published=published,
            options=options,
        )
        resolved = replace(resolved, facts=facts)
    committed_units = drift.carried_over(committed_units, resolved.mapping.schema_digest)
    return AssessedTable(resolved, committed_units, judgements, drift, lake_notes, warehouse, options)


def plan_assessed(context: RunContext, assessed: AssessedTable, probed: Probed) -> PreparedTable:
    """The plan of a table that was probed. Reads nothing but, where there is work, what was inspected of the warehouse. Raises
    DriftError."""
    resolved, drift, options = assessed.resolved, assessed.drift, assessed.options
    plan = _plan(assessed, probed)
    plan = replace(plan, notes=(*plan.notes, *assessed.notes))
    if resolved.out_of_retention:
        removable = assessed.warehouse.table(resolved).removable
        beyond = out_of_retention(resolved.facts, resolved.config, removable.rows)
        plan = replace(
            plan,
            out_of_retention=beyond,
            boundaries_to_merge=removable.boundaries,
            notes=(*plan.notes, *removable.notes),
        )
    warehouse_fence = None
    if plan.work and options.compare:
        # where a column may have been given another type by hand
        check_warehouse(resolved, assessed.warehouse, drift.findings)
        found = assessed.warehouse.table(resolved)
        plan = replace(plan, notes=(*plan.notes, *found.notes))
        warehouse_fence = highest_fence(found.markers)
    return PreparedTable(
        resolved,
        assessed.committed_units,
        _with_contracts(resolved, _with_drift(_with_notes(context, resolved, plan), drift)),
        options,
        warehouse_fence,
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
        f"no primary or unique key that reading could continue along: a unit of {number_of(longest, 'row')} is "
        "read by one statement, "
        "and read anew when that fails"
    )
    return replace(plan, notes=(*plan.notes, note))


def _plan(assessed: AssessedTable, probed: Probed) -> TablePlan:
    resolved, committed_units = assessed.resolved, assessed.committed_units
    table, facts = resolved.config, resolved.facts
    if not isinstance(probed, Probe):
        if not isinstance(table, PartitionTableConfig):
            raise TypeError(f"{facts.name}: probes of partitions, and it is configured as {table.kind}")
        return plan_partition_table(
            facts,
            table,
            definition=resolved.definition,
            probes=probed,
            committed_units=committed_units,
            judgements=assessed.judgements,
            options=assessed.options,
        )
    if isinstance(table, SCDTableConfig):
        window = window_after(
            resolved.committed_watermark(committed_units),
            probed.watermark_high,
            type_name=resolved.window_column().type_name,
            lag_seconds=table.lag_seconds,
        )
        return plan_scd_table(
            facts,
            table,
            definition=resolved.definition,
            probe=probed,
            window=replace(window, unproven=why_unproven(resolved)),
            committed_units=committed_units,
            judgements=assessed.judgements,
            options=assessed.options,
        )
    if isinstance(table, PartitionTableConfig):
        raise TypeError(f"{facts.name}: one probe, and it has partitions")
    return plan_static_table(
        facts,
        table,
        definition=resolved.definition,
        probe=probed,
        committed_units=committed_units,
        judgements=assessed.judgements,
        options=assessed.options,
    )

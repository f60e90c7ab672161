"""One asset per configured table. The body calls the core and reports; it decides nothing about data."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import dagster as dg
from pydantic import Field

from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_dagster.checks import ROW_COUNTS, load_outcome, load_outcomes, row_counts_spec
from dltsync_dagster.drift_checks import schema_event, schema_result, schema_spec
from dltsync_dagster.evaluations import (
    CheckOutcome,
    evaluations,
    log_evaluations,
    materializations_of,
    outcomes_reported_in_run,
)
from dltsync_dagster.events import StepLog
from dltsync_dagster.failures import explained, failure_of_units
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import notes_metadata, table_metadata, unit_metadata
from dltsync_dagster.partition_store import partitions_of_run
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reporting import (
    finished_materializations,
    interrupted_materializations,
    reported_in_run,
    version_of,
)
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config


class SyncOptions(dg.Config):
    """Options of a materialisation. The defaults are those of the Materialize button: load the selection."""

    only_if_changed: bool = Field(
        default=False,
        description="Probe the source first and read nothing when the table or partition did not change. "
        "Sensors and the daily schedule set this.",
    )
    full_refresh: bool = Field(default=False, description="Forget watermarks and read the whole table or partition.")


def synced_table(location: Location, table: TableConfig) -> dg.AssetsDefinition:
    """The asset of one table, partitioned for partition tables."""
    partitions = location.partitions_of(table)
    spec = location.translator.get_table_spec(location.data_of(table))
    body = _partitions_body if partitions is not None else _whole_table_body

    @dg.multi_asset(
        name=location.op_name("sync", table),
        specs=[spec],
        check_specs=[row_counts_spec(location, table), schema_spec(spec.key)],
        partitions_def=partitions,
        backfill_policy=(
            dg.BackfillPolicy.multi_run(max_partitions_per_run=location.settings.partitions_per_run)
            if partitions is not None
            else None
        ),
        pool=location.server_pool,
    )
    def sync(
        context: dg.AssetExecutionContext,
        config: SyncOptions,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> Results:
        composed = compose_config(location.config, sqlserver, lake, warehouse, state)
        with explained(context.op_execution_context, location.settings), location.open_pipeline(composed) as pipeline:
            yield from body(context, config, location, table, pipeline)

    return sync


Results: TypeAlias = Iterator[dg.MaterializeResult[None] | dg.Output[None] | dg.AssetCheckEvaluation]
Body: TypeAlias = Callable[[dg.AssetExecutionContext, SyncOptions, Location, TableConfig, Pipeline], Results]


def _whole_table_body(
    context: dg.AssetExecutionContext,
    options: SyncOptions,
    location: Location,
    table: TableConfig,
    pipeline: Pipeline,
) -> Results:
    result = pipeline.run(
        table_names=[str(table.name)],
        force=not options.only_if_changed,
        full_refresh=options.full_refresh,
        on_event=StepLog(context.log),
        run_id=context.run.run_id,
    )
    units = [unit for unit in result.units if unit.unit == WHOLE_TABLE]
    if result.failed:
        outcomes = [load_outcome(unit) for unit in result.failed]
        log_evaluations(context.op_execution_context, location, table, ROW_COUNTS, outcomes)
        context.log_event(schema_event(location.asset_key(table), result))
        raise failure_of_units(result.failed, context.op_execution_context, location.settings)
    (unit,) = units
    committed_units = pipeline.committed(str(table.name))
    version = version_of(unit, committed_units)
    yield dg.MaterializeResult(
        asset_key=location.asset_key(table),
        metadata={
            **unit_metadata(unit, committed_units.get(WHOLE_TABLE)),
            **table_metadata(committed_units, location.source_key(table), [unit]),
            **notes_metadata(result),
        },
        data_version=dg.DataVersion(version) if version else None,
        check_results=[load_outcome(unit).as_result(ROW_COUNTS), schema_result(result)],
    )


def _partitions_body(
    context: dg.AssetExecutionContext,
    options: SyncOptions,
    location: Location,
    table: TableConfig,
    pipeline: Pipeline,
) -> Results:
    keys = partitions_of_run(context.op_execution_context)
    done = _reported_before(context, location, table, keys)
    result, units, version = _run_partitions(
        context, options, location, table, pipeline, [key for key in keys if key not in done]
    )
    for key, metadata in done.items():
        context.add_asset_metadata(metadata, partition_key=key)
    yield dg.MaterializeResult(
        asset_key=location.asset_key(table),
        data_version=dg.DataVersion(version) if version and len(keys) == 1 else None,
        check_results=[schema_result(result)],
    )
    # After the materializations, because a check is about the newest one; those of earlier attempts have a new one now.
    earlier = (
        outcomes_reported_in_run(context.instance, context.run.run_id, _row_counts(location, table)) if done else {}
    )
    outcomes = [*(earlier[key] for key in done if key in earlier), *load_outcomes(units)]
    yield from _row_count_events(context, location, table, outcomes)


def _row_counts(location: Location, table: TableConfig) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(location.asset_key(table), ROW_COUNTS)


def _row_count_events(
    context: dg.AssetExecutionContext, location: Location, table: TableConfig, outcomes: list[CheckOutcome]
) -> Results:
    """The check of each partition as results of the step."""
    yield dg.Output(None, output_name=row_counts_spec(location, table).get_python_identifier())
    about = materializations_of(location, context.instance, table, [outcome.unit for outcome in outcomes])
    yield from evaluations(location, table, ROW_COUNTS, outcomes, about)


def _run_partitions(
    context: dg.AssetExecutionContext,
    options: SyncOptions,
    location: Location,
    table: TableConfig,
    pipeline: Pipeline,
    keys: list[str],
) -> tuple[RunResult | None, list[UnitResult], str | None]:
    """Load the partitions and put their metadata on the step's output. On failure: events for those that are committed."""
    if not keys:
        return None, [], None
    log, name = StepLog(context.log), str(table.name)
    try:
        result = pipeline.run(
            table_names=[name],
            partition_keys=keys,
            force=not options.only_if_changed,
            full_refresh=options.full_refresh,
            on_event=log,
            run_id=context.run.run_id,
        )
    except BaseException:  # also for a cancelled or crashed run: committed units stay committed, and are reported
        for event in interrupted_materializations(
            location, table, log, pipeline.committed(name) if log.committed else {}
        ):
            context.log_event(event)
        raise
    committed_units = pipeline.committed(name)
    units = list(result.units)
    if result.failed:
        for event in finished_materializations(location, table, units, committed_units):
            context.log_event(event)
        log_evaluations(context.op_execution_context, location, table, ROW_COUNTS, load_outcomes(units, keys))
        context.log_event(schema_event(location.asset_key(table), result))
        raise failure_of_units(result.failed, context.op_execution_context, location.settings)
    asked = set(keys)
    whole = {**table_metadata(committed_units, location.source_key(table), units), **notes_metadata(result)}
    for unit in units:
        if unit.unit in asked:
            context.add_asset_metadata(
                {**unit_metadata(unit, committed_units.get(unit.unit)), **whole}, partition_key=unit.unit
            )
    # Partitions that had to be loaded together with the requested ones (both halves of a split take over its rows).
    for event in finished_materializations(location, table, [u for u in units if u.unit not in asked], committed_units):
        context.log_event(event)
    return result, units, version_of(units[0], committed_units)


def _reported_before(
    context: dg.AssetExecutionContext, location: Location, table: TableConfig, keys: list[str]
) -> Mapping[str, Mapping[str, Any]]:
    """The units of earlier attempts of this step: a retry continues, it does not start over."""
    if context.op_execution_context.retry_number == 0:
        return {}
    return reported_in_run(context.instance, context.run.run_id, location.asset_key(table), keys)

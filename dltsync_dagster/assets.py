"""One asset per configured table. The body calls the core and reports; it decides nothing about data."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import dagster as dg
from pydantic import Field

from dltsync_core.config import SCDTableConfig, TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.result import RunResult
from dltsync_dagster import compat
from dltsync_dagster.automation import reads_changes_only
from dltsync_dagster.checks import (
    ROW_COUNTS,
    VERSION_INTEGRITY,
    checks_with_load,
    integrity_event,
    load_outcomes,
    row_counts_spec,
)
from dltsync_dagster.drift_checks import schema_event, schema_result, schema_spec
from dltsync_dagster.evaluations import log_evaluations, log_events
from dltsync_dagster.events import StepLog
from dltsync_dagster.failures import explained, failure_of_units
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import DATA_VERSION_TAG, notes_metadata
from dltsync_dagster.partition_store import partitions_of_run
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reporting import UnitReports, attempts_of, partition_of, reported_units


class SyncOptions(dg.Config):
    """Options of a materialisation. The defaults are those of the Materialize button: load the selection."""

    only_if_changed: bool = Field(
        default=False,
        description="Probe the source first and read nothing when the table or partition did not change. "
        "Sensors set this; a run that an automation condition requested does so unless automation_reads says everything.",
    )
    full_refresh: bool = Field(default=False, description="Forget watermarks and read the whole table or partition.")


def synced_table(location: Location, table: TableConfig) -> dg.AssetsDefinition:
    """The asset of one table, partitioned for partition tables."""
    partitions, step = location.partitions_of(table), location.step
    spec = location.translator.get_table_spec(location.data_of(table))
    if not compat.outputs_without_event():
        spec = spec.replace_attributes(skippable=True)

    @dg.multi_asset(
        name=location.op_name("sync", table),
        specs=[spec],
        check_specs=[row_counts_spec(location, table), schema_spec(spec.key)],
        partitions_def=partitions,
        description=step.description,
        config_schema=compat.schema_of(SyncOptions),
        op_tags=dict(step.tags),
        backfill_policy=(
            step.backfill_policy
            or dg.BackfillPolicy.multi_run(max_partitions_per_run=location.settings.partitions_per_run)
            if partitions is not None
            else None
        ),
        pool=table.asset.pool or step.pool or location.server_pool,
    )
    @compat.of_many_tables
    def sync(context: dg.AssetExecutionContext) -> Results:
        config = SyncOptions(**context.op_execution_context.op_config)
        with explained(context.op_execution_context, location.retries_of(table)), location.pipeline() as pipeline:
            yield from _load(context, config, location, table, pipeline)

    return sync


Results: TypeAlias = Iterator[dg.MaterializeResult[None] | dg.Output[None] | dg.AssetCheckResult]


def _load(
    asset_context: dg.AssetExecutionContext,
    options: SyncOptions,
    location: Location,
    table: TableConfig,
    pipeline: Pipeline,
) -> Results:
    context = asset_context.op_execution_context
    key, name = location.asset_key(table), str(table.name)
    units = partitions_of_run(context) if table.kind == "partition" else [WHOLE_TABLE]
    attempts = attempts_of(context.instance, context.run)
    # A retry continues, and so does a run that resumes a failed one: what they committed is not loaded again.
    before: Mapping[str, dg.AssetMaterialization] = (
        reported_units(context.instance, attempts, key, units) if context.retry_number > 0 or len(attempts) > 1 else {}
    )
    reports = UnitReports(
        context,
        location,
        table,
        pipeline.committed(name),
        requested=units,
        provenance=compat.provenance_of(context, key),
        at_commit=compat.outputs_without_event() or _alone(context, key),
    )
    left = [unit for unit in units if unit not in before]
    result = _run(context, options, table, pipeline, reports, left) if left else None
    if result is not None and result.failed:
        reports.report_waiting()
        _report_again(context, before)
        log_evaluations(context, location, table, ROW_COUNTS, load_outcomes(result.failed, left))
        context.log_event(schema_event(key, result))
        raise failure_of_units(result.failed, context, location.retries_of(table))
    yield from _outputs(asset_context, location, table, reports, before)
    if result is not None:
        _report_notes(context, key, result)
    yield schema_result(result)
    yield dg.Output(None, output_name=row_counts_spec(location, table).get_python_identifier())
    integrity = dg.AssetCheckKey(key, VERSION_INTEGRITY)
    if (
        isinstance(table, SCDTableConfig)
        and integrity in checks_with_load(location, table)
        and _selects(context, integrity)
    ):
        log_events(context, [integrity_event(location, context.instance, table, pipeline)])


def _run(
    context: dg.OpExecutionContext,
    options: SyncOptions,
    table: TableConfig,
    pipeline: Pipeline,
    reports: UnitReports,
    units: list[str],
) -> RunResult:
    log = StepLog(context.log, then=reports)
    try:
        with log.reporting_progress():
            return pipeline.run(
                table_names=[str(table.name)],
                partition_keys=units if table.kind == "partition" else None,
                force=not (options.only_if_changed or reads_changes_only(context.run, table)),
                full_refresh=options.full_refresh,
                on_event=log,
                run_id=context.run.run_id,
            )
    except BaseException:  # also for a cancelled or crashed run: what is committed stays committed
        reports.report_waiting()
        raise


def _outputs(
    context: dg.AssetExecutionContext,
    location: Location,
    table: TableConfig,
    reports: UnitReports,
    before: Mapping[str, dg.AssetMaterialization],
) -> Results:
    """The asset's output. In a version of Dagster without outputs that add no event: none for a step that no other one waits for,
    else the output that hands the materializations over, at the end of the step."""
    key = location.asset_key(table)
    if compat.outputs_without_event():
        reports.report_waiting()
        yield compat.without_event(key)
        return
    if _alone(context.op_execution_context, key):
        reports.report_waiting()
        return
    handed_over = {**before, **reports.take_requested()}  # Dagster makes an event of each partition of the run
    for unit, event in handed_over.items():
        context.add_asset_metadata(dict(event.metadata), asset_key=key, partition_key=partition_of(table, unit))
    versions = {(event.tags or {}).get(DATA_VERSION_TAG) for event in handed_over.values()}
    reports.report_waiting()  # of partitions that had to be loaded together with the requested ones
    (version,) = versions if len(versions) == 1 else (None,)
    yield dg.MaterializeResult(asset_key=key, data_version=dg.DataVersion(version) if version else None)
    reports.report_checks_of_taken()


def _alone(context: dg.OpExecutionContext, key: dg.AssetKey) -> bool:
    """Whether no other asset is loaded in this run: none can wait for the output of the step."""
    return set(context.job_def.asset_layer.selected_asset_keys) <= {key}


def _selects(context: dg.OpExecutionContext, check: dg.AssetCheckKey) -> bool:
    selected = context.run.asset_check_selection
    return selected is None or check in selected


def _report_again(context: dg.OpExecutionContext, before: Mapping[str, dg.AssetMaterialization]) -> None:
    """Partitions that the failed runs before this one committed. Dagster shows a partition as failed when the last run that was
    to load it has failed and has no event of it."""
    if context.retry_number == 0:
        for event in before.values():
            context.log_event(event)


def _report_notes(context: dg.OpExecutionContext, key: dg.AssetKey, result: RunResult) -> None:
    """What is known at the end of a run only, such as rows that moved between partitions while it read."""
    notes = notes_metadata(result)
    if notes:
        context.log_event(dg.AssetObservation(asset_key=key, metadata=notes))

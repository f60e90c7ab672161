"""One job and one schedule for everything: the core plans all tables at once, and each load is reported on its asset."""

import dagster as dg
from pydantic import Field

from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_dagster.checks import ROW_COUNTS, load_outcomes
from dltsync_dagster.evaluations import log_evaluations
from dltsync_dagster.events import StepLog
from dltsync_dagster.failures import explained, failure_of_units
from dltsync_dagster.location import Location, schedule_status
from dltsync_dagster.partition_store import align
from dltsync_dagster.partitions import reconcile
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reporting import finished_materializations
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config
from dltsync_dagster.run_history import EVERYTHING_JOB, PIPELINE_TAG


class EverythingOptions(dg.Config):
    """Options of the job."""

    force: bool = Field(default=False, description="Load every table and partition, also those that did not change.")
    full_refresh: bool = Field(default=False, description="Forget watermarks and read everything whole.")


def everything_job(location: Location) -> dg.JobDefinition:
    """Sync all tables in one step. Unchanged units are not read; partitions are aligned with the server first."""

    @dg.op(name="sync_all_tables", pool=location.server_pool)
    def sync(
        context: dg.OpExecutionContext,
        config: EverythingOptions,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> None:
        composed = compose_config(location.config, sqlserver, lake, warehouse, state)
        with explained(context, location.settings), location.open_pipeline(composed) as pipeline:
            _align_partitions(context, location, pipeline)
            result = pipeline.run(
                force=config.force,
                full_refresh=config.full_refresh,
                on_event=StepLog(context.log),
                run_id=context.run_id,
            )
            _report(context, location, pipeline, result)
        if result.failed:
            raise failure_of_units(result.failed, context, location.settings)

    @dg.job(
        name=EVERYTHING_JOB,
        description="Every table, in one step: reads what changed since the last commit.",
        tags={PIPELINE_TAG: location.config.pipeline_name},
    )
    def job() -> None:
        sync()

    return job


def daily_schedule(location: Location, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Everything once a day, also where no sensor is switched on."""
    return dg.ScheduleDefinition(
        name="daily_sync",
        job=job,
        cron_schedule=location.settings.daily_cron,
        execution_timezone=location.settings.daily_timezone,
        default_status=schedule_status(location.settings.schedules),
    )


def _align_partitions(context: dg.OpExecutionContext, location: Location, pipeline: Pipeline) -> None:
    """Of every partition table. An error of one table stops no other: the run that follows reports it."""
    for table in location.config.partition_tables:
        partitions = location.dynamic_partitions_of(table)
        if partitions is None:
            continue
        try:
            live = pipeline.partition_keys(str(table.name))
        except ConnectError:
            raise
        except SyncError as error:
            context.log.warning(f"{table.name}: its partitions stay unchanged: {error}")
            continue
        name = str(partitions.name)
        align(context.instance, name, reconcile(context.instance.get_dynamic_partitions(name), live))


def _report(context: dg.OpExecutionContext, location: Location, pipeline: Pipeline, result: RunResult) -> None:
    """Events of the loaded units. Skipped units get no event."""
    by_table = {table.name.folded: table for table in location.config.tables}
    units: dict[TableName, list[UnitResult]] = {}
    for unit in result.units:
        if unit.status != "skipped":
            units.setdefault(unit.table.folded, []).append(unit)
    for name, touched in units.items():
        table = by_table[name]
        for event in finished_materializations(location, table, touched, pipeline.committed(str(table.name))):
            context.log_event(event)
        log_evaluations(context, location, table, ROW_COUNTS, load_outcomes(touched))

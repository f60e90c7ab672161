"""One job and one schedule for everything: the core plans all tables at once, and each load is reported on its asset."""

import dagster as dg
from pydantic import Field

from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult
from dltsync_dagster.checks import ROW_COUNTS, load_outcomes
from dltsync_dagster.evaluations import log_evaluations
from dltsync_dagster.events import StepLog
from dltsync_dagster.failures import explained, failure_of_units
from dltsync_dagster.location import Location, schedule_status
from dltsync_dagster.partition_store import align
from dltsync_dagster.partitions import partition_changes
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reconciliation import Limits, Reconciliation, read_ledger
from dltsync_dagster.reporting import UnitReports
from dltsync_dagster.run_history import EVERYTHING_JOB, PIPELINE_TAG


class EverythingOptions(dg.Config):
    """Options of the job."""

    force: bool = Field(default=False, description="Load every table and partition, also those that did not change.")
    full_refresh: bool = Field(default=False, description="Forget watermarks and read everything whole.")


def everything_job(location: Location) -> dg.JobDefinition:
    """Sync all tables in one step. Unchanged units are not read; partitions are aligned with the server first, and what other
    programs committed is reported."""

    @dg.op(name=location.named("sync_all_tables"), pool=location.server_pool)
    def sync(context: dg.OpExecutionContext, config: EverythingOptions) -> None:
        with explained(context, location.settings), location.pipeline() as pipeline:
            _align_partitions(context, location, pipeline)
            reports = _Reports(context, location, pipeline)
            log = StepLog(context.log, then=reports)
            try:
                with log.reporting_progress():
                    result = pipeline.run(
                        force=config.force, full_refresh=config.full_refresh, on_event=log, run_id=context.run_id
                    )
            finally:
                reports.report_waiting()
            reports.report_failed(result)
            _report_unknown(context, location, pipeline)
        if result.failed:
            raise failure_of_units(result.failed, context, location.settings)

    @dg.job(
        name=location.named(EVERYTHING_JOB),
        description="Every table, in one step: reads what changed since the last commit.",
        tags={PIPELINE_TAG: location.config.pipeline_name},
    )
    def job() -> None:
        sync()

    return job


def daily_schedule(location: Location, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Everything once a day, also where no sensor is switched on."""
    return dg.ScheduleDefinition(
        name=location.named("daily_sync"),
        job=job,
        cron_schedule=location.settings.daily_cron,
        execution_timezone=location.settings.daily_timezone,
        default_status=schedule_status(location.settings.schedules),
    )


def _align_partitions(context: dg.OpExecutionContext, location: Location, pipeline: Pipeline) -> None:
    """Of every partition table. An error of one table stops no other: the run that follows reports it."""
    for table in (one for one in location.config.tables if one.kind == "partition"):
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
        align(context.instance, name, partition_changes(context.instance.get_dynamic_partitions(name), live))


class _Reports:
    """The reports of all tables. Skipped units get no event."""

    def __init__(self, context: dg.OpExecutionContext, location: Location, pipeline: Pipeline) -> None:
        self._context, self._location = context, location
        self._tables = {table.name.folded: table for table in location.config.tables}
        # The ledger is read now, not while the core waits for an event to be taken in.
        self._reports = {
            name: UnitReports(context, location, table, pipeline.committed(str(table.name)))
            for name, table in self._tables.items()
        }

    def __call__(self, event: Event) -> None:
        if event.stage == "committed":
            self._reports[event.table.folded](event)

    def report_waiting(self) -> None:
        for reports in self._reports.values():
            reports.report_waiting()

    def report_failed(self, result: RunResult) -> None:
        """The check of each unit that was not committed."""
        for unit in result.failed:
            table = self._tables[unit.table.folded]
            log_evaluations(self._context, self._location, table, ROW_COUNTS, load_outcomes([unit]))


def _report_unknown(context: dg.OpExecutionContext, location: Location, pipeline: Pipeline) -> None:
    """Committed units that Dagster does not know, and what is no longer so. An error of the ledger fails the run."""
    ledger = [read_ledger(location, context.instance, pipeline, table) for table in location.config.tables]
    limits = Limits.none()
    for event in Reconciliation(location).events(context.instance, ledger, limits, besides=context.run_id):
        context.log_event(event)  # type: ignore[arg-type]  # it accepts evaluations, though its annotation does not

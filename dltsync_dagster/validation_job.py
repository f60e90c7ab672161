"""One job and one schedule that compare every table in all three places. Each result is shown on its asset and partition."""

import dagster as dg

from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.evaluations import evaluations, materializations_of
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location, schedule_status
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config
from dltsync_dagster.validation_check import THREE_WAY_VALIDATION, ValidationOptions
from dltsync_dagster.verdicts import verdicts_of

VALIDATION_JOB = "validate_everything"

_TOLD = 20


def validate_everything_job(location: Location) -> dg.JobDefinition:
    """All tables in one step. The run fails when anything differs, so that who watches runs learns of it."""

    @dg.op(name="validate_all_tables", pool=location.server_pool)
    def validate(
        context: dg.OpExecutionContext,
        config: ValidationOptions,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> None:
        composed = compose_config(location.config, sqlserver, lake, warehouse, state)
        wrong: list[str] = []
        with explained(context, location.settings), location.open_pipeline(composed) as pipeline:
            for table in location.config.tables:
                name = str(table.name)
                units = pipeline.partition_keys(name) if table.kind == "partition" else []
                about = materializations_of(location, context.instance, table, [*units, WHOLE_TABLE])
                (report,) = pipeline.validate_all_tables([name], fingerprint=config.fingerprint)["tables"]
                verdicts = verdicts_of(report, None)
                for event in evaluations(location, table, THREE_WAY_VALIDATION, verdicts, about):
                    context.log_event(event)  # type: ignore[arg-type]  # it takes them, though its annotation does not say so
                wrong += [f"{name}: {message}" for message in report["messages"]]
        if wrong:
            more = [f"and {len(wrong) - _TOLD:,} more"] if len(wrong) > _TOLD else []
            raise dg.Failure(description="\n".join([*wrong[:_TOLD], *more]), allow_retries=False)

    @dg.job(name=VALIDATION_JOB, description="Compares every table at the source, in the lake and in the warehouse.")
    def job() -> None:
        validate()

    return job


def validation_schedule(location: Location, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Once a week, where somebody switched it on."""
    return dg.ScheduleDefinition(
        name="weekly_validation",
        job=job,
        cron_schedule=location.settings.validation_cron,
        execution_timezone=location.settings.daily_timezone,
        default_status=schedule_status(location.settings.validation),
    )

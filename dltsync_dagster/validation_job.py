"""One job and one schedule that compare every table in source, lake and warehouse. Each result is shown on its asset and
partition."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from dltsync_core.config import TableConfig
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.plan.selection import check_partition_keys, select_tables
from dltsync_dagster.evaluations import log_events
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location, schedule_status
from dltsync_dagster.port import Pipeline
from dltsync_dagster.run_history import PIPELINE_TAG
from dltsync_dagster.validation_check import ValidationOptions, compared

VALIDATION_JOB = "validate_everything"

_LISTED = 20


class EverythingValidationOptions(ValidationOptions):
    """The tables and partitions to compare, and how thoroughly. Default: everything."""

    tables: list[str] = Field(default=[], description="Only these tables, as schema.table or [schema].[table].")
    partitions: list[str] = Field(
        default=[], description="Only these partitions, by their boundaries, of the tables that have partitions."
    )


def validate_everything_job(location: Location) -> dg.JobDefinition:
    """All tables in one step. The run fails when anything differs, so that run failure sensors report it."""

    @dg.op(name=location.named("validate_all_tables"), pool=location.server_pool)
    def validate(context: dg.OpExecutionContext, config: EverythingValidationOptions) -> None:
        wrong: list[str] = []
        with explained(context, location.settings), location.pipeline() as pipeline:
            for table, units, keys in _chosen(location, pipeline, config):
                messages, events = compared(location, context.instance, pipeline, table, units, keys, config)
                log_events(context, events)
                wrong += [f"{table.name}: {message}" for message in messages]
        if wrong:
            more = [f"and {len(wrong) - _LISTED:,} more"] if len(wrong) > _LISTED else []
            raise dg.Failure(description="\n".join([*wrong[:_LISTED], *more]), allow_retries=False)

    @dg.job(
        name=location.named(VALIDATION_JOB),
        description="Compares every table at the source, in the lake and in the warehouse.",
        tags={PIPELINE_TAG: location.config.pipeline_name},
    )
    def job() -> None:
        validate()

    return job


def _chosen(
    location: Location, pipeline: Pipeline, options: EverythingValidationOptions
) -> list[tuple[TableConfig, list[str], list[str] | None]]:
    """The tables with their partitions, and the chosen ones among them (None: all). Raises ConfigError for an unknown table or
    partition."""
    tables = select_tables(location.config.tables, names=options.tables or None)
    known, problems = _partitions(pipeline, tables)
    if not options.partitions:
        return [(table, known.get(table.name, []), None) for table in tables]
    if problems and not set(options.partitions) <= {key for keys in known.values() for key in keys}:
        raise problems[0]
    wanted = check_partition_keys(options.partitions, [key for keys in known.values() for key in keys])
    chosen = [(table, [key for key in known.get(table.name, []) if key in wanted]) for table in tables]
    return [(table, keys, keys) for table, keys in chosen if keys]


def _partitions(
    pipeline: Pipeline, tables: Sequence[TableConfig]
) -> tuple[dict[TableName, list[str]], list[SyncError]]:
    """The partitions of each partition table, and the errors of tables that cannot be read: they stop no other table, and
    their own comparison reports the error too."""
    known: dict[TableName, list[str]] = {}
    problems: list[SyncError] = []
    for table in tables:
        if table.kind != "partition":
            continue
        try:
            known[table.name] = pipeline.partition_keys(str(table.name))
        except ConnectError:
            raise
        except SyncError as error:
            problems.append(error)
    return known, problems


def validation_schedule(location: Location, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Once a week, when it is switched on."""
    return dg.ScheduleDefinition(
        name=location.named("weekly_validation"),
        job=job,
        cron_schedule=location.settings.validation_cron,
        execution_timezone=location.settings.daily_timezone,
        default_status=schedule_status(location.settings.validation),
    )

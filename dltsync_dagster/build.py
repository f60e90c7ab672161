"""From a config to a code location. Nothing is opened: a config and its names are all that is needed."""

import dagster as dg

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster.assets import synced_table
from dltsync_dagster.checks import version_integrity_check
from dltsync_dagster.compat import DltTranslator
from dltsync_dagster.jobs import daily_schedule, everything_job
from dltsync_dagster.location import Location
from dltsync_dagster.port import OpenPipeline
from dltsync_dagster.resources import configured_resources
from dltsync_dagster.sensors import build_sensors
from dltsync_dagster.settings import LocationSettings, read_settings
from dltsync_dagster.sources import source_table
from dltsync_dagster.translator import TableTranslator
from dltsync_dagster.validation_check import three_way_check
from dltsync_dagster.validation_job import validate_everything_job, validation_schedule


def build_definitions(
    config: PipelineConfig,
    *,
    settings: LocationSettings | None = None,
    translator: TableTranslator | DltTranslator | None = None,
    open_pipeline: OpenPipeline = IncrementalSQLServerParquetPipeline,
) -> dg.Definitions:
    """Assets, checks, sensors, jobs with their schedules and resources for every table of a config.

    `settings` default to the environment (`DLT_SYNC_DAGSTER_*`); `translator` names the assets (a `TableTranslator`)
    or adds to them (a `DagsterDltTranslator`); `open_pipeline` replaces the core. Raises ConfigError for unknown settings.
    """
    location = Location(
        config=config,
        settings=settings if settings is not None else read_settings(),
        translator=TableTranslator.of(translator),
        open_pipeline=open_pipeline,
    )
    everything, validation = everything_job(location), validate_everything_job(location)
    return dg.Definitions(
        assets=[
            *(source_table(location, table) for table in config.tables),
            *(synced_table(location, table) for table in config.tables),
        ],
        asset_checks=[
            *(
                version_integrity_check(location, table)
                for table in config.scd_tables
                if config.destination.checks_histories
            ),
            *(three_way_check(location, table) for table in config.tables),
        ],
        sensors=build_sensors(location),
        jobs=[everything, validation],
        schedules=[daily_schedule(location, everything), validation_schedule(location, validation)],
        resources=configured_resources(config),
        executor=dg.multiprocess_executor.configured({"max_concurrent": location.settings.parallel_steps}),
    )

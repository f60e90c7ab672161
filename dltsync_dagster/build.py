"""From a config to a code location, or to parts of one. Nothing is opened: a config and its names are all that is needed."""

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dltsync_core.config import PipelineConfig, SCDTableConfig, TableConfig
from dltsync_core.errors import ConfigError
from dltsync_core.plan.selection import find_table, select_tables
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster.assets import synced_table
from dltsync_dagster.checks import version_integrity_check
from dltsync_dagster.compat import DltTranslator
from dltsync_dagster.jobs import daily_schedule, everything_job
from dltsync_dagster.location import Location, StepOptions
from dltsync_dagster.port import OpenPipeline
from dltsync_dagster.resources import PipelineResources
from dltsync_dagster.sensors import build_sensors
from dltsync_dagster.settings import LocationSettings, read_settings
from dltsync_dagster.sources import source_table
from dltsync_dagster.tables import LocationTables
from dltsync_dagster.translator import TableTranslator, tables_key, windows_of
from dltsync_dagster.validation_check import three_way_check
from dltsync_dagster.validation_job import validate_everything_job, validation_schedule
from dltsync_dagster.windowed_pipeline import with_time_windows


def build_location(
    config: PipelineConfig,
    *,
    settings: LocationSettings | None = None,
    translator: TableTranslator | DltTranslator | None = None,
    resources: PipelineResources | None = None,
    open_pipeline: OpenPipeline = IncrementalSQLServerParquetPipeline,
    step: StepOptions | None = None,
) -> Location:
    """What all parts of a location share. Raises ConfigError for unknown settings, and for a config with patterns.

    `settings` default to the environment (`DLT_SYNC_DAGSTER_*`); `translator` names the assets (a `TableTranslator`)
    or adds to them (a `DagsterDltTranslator`); `resources` override the config; `open_pipeline` replaces the core.
    `step` is for the steps that load a table: their name, tags, description, pool and backfill policy.
    """
    if config.patterns:
        raise ConfigError(
            f"the config has patterns ({', '.join(f'match {one.match!r}' for one in config.patterns)}), and definitions are "
            "loaded without a server: their tables are not known here",
            remedy="use the component DltsyncDiscoveryComponent, whose list of tables `dg utils refresh-defs-state` reads from "
            "the server, or build the definitions from IncrementalSQLServerParquetPipeline(config).matched_config()",
        )
    chosen = TableTranslator.of(translator)
    return Location(
        config=config,
        settings=settings if settings is not None else read_settings(),
        translator=chosen,
        open_pipeline=with_time_windows(open_pipeline, windows_of(config, chosen)),
        resources=resources if resources is not None else PipelineResources(),
        step=step if step is not None else StepOptions(),
    )


def build_definitions(
    config: PipelineConfig,
    *,
    settings: LocationSettings | None = None,
    translator: TableTranslator | DltTranslator | None = None,
    resources: PipelineResources | None = None,
    executor: dg.ExecutorDefinition | None = None,
    open_pipeline: OpenPipeline = IncrementalSQLServerParquetPipeline,
    step: StepOptions | None = None,
) -> dg.Definitions:
    """Assets, checks, sensors, and jobs with their schedules for every table of a config. The arguments are those of
    `build_location`.

    Several pipelines, and definitions of your own, merge by `Definitions.merge`: names of jobs, sensors, schedules and steps
    begin with the pipeline's name, and so does the key of the one resource, which reads the tables for assets downstream. An
    executor belongs to the whole code location, so there is one only when you give it (`step_executor(settings)` is that of the
    shipped location).
    """
    location = replace(
        build_location(
            config,
            settings=settings,
            translator=translator,
            resources=resources,
            open_pipeline=open_pipeline,
            step=step,
        ),
        tables_key=tables_key(config),
    )
    everything, validation = everything_job(location), validate_everything_job(location)
    return dg.Definitions(
        assets=_assets(location, config.tables),
        asset_checks=_checks(location, config.tables),
        sensors=build_sensors(location),
        jobs=[everything, validation],
        schedules=[daily_schedule(location, everything), validation_schedule(location, validation)],
        resources={tables_key(config): LocationTables(location)},
        executor=executor,
    )


def build_assets(
    config: PipelineConfig,
    *,
    tables: Sequence[str] | None = None,
    settings: LocationSettings | None = None,
    translator: TableTranslator | DltTranslator | None = None,
    resources: PipelineResources | None = None,
    open_pipeline: OpenPipeline = IncrementalSQLServerParquetPipeline,
    step: StepOptions | None = None,
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets alone: the source tables and the synced ones, of all tables or of those named. Raises ConfigError for an unknown
    table. The other arguments are those of `build_location`."""
    location = build_location(
        config, settings=settings, translator=translator, resources=resources, open_pipeline=open_pipeline, step=step
    )
    return _assets(location, select_tables(config.tables, names=tables))


def build_table(
    config: PipelineConfig,
    table: str,
    *,
    settings: LocationSettings | None = None,
    translator: TableTranslator | DltTranslator | None = None,
    resources: PipelineResources | None = None,
    open_pipeline: OpenPipeline = IncrementalSQLServerParquetPipeline,
    step: StepOptions | None = None,
) -> dg.Definitions:
    """One table: its source, its asset and their checks, without sensors and jobs. Raises ConfigError for an unknown table. The
    other arguments are those of `build_location`."""
    location = build_location(
        config, settings=settings, translator=translator, resources=resources, open_pipeline=open_pipeline, step=step
    )
    chosen = [find_table(config.tables, table)]
    return dg.Definitions(assets=_assets(location, chosen), asset_checks=_checks(location, chosen))


def step_executor(settings: LocationSettings | None = None) -> dg.ExecutorDefinition:
    """The executor of the shipped code location: a process for each step, `PARALLEL_STEPS` of them at once.

    Where the system has fork servers (not on Windows) the steps of a run are forks of one process that has imported everything:
    a step costs a second of processor time, instead of the five that its own imports take. Nothing is opened before the fork.
    """
    used = settings if settings is not None else read_settings()
    config: dict[str, Any] = {"max_concurrent": used.parallel_steps}
    if _FORK_SERVER in multiprocessing.get_all_start_methods():
        config["start_method"] = {_FORK_SERVER: {"preload_modules": [__name__]}}
    return dg.multiprocess_executor.configured(config)


_FORK_SERVER = "forkserver"


def _assets(location: Location, tables: Sequence[TableConfig]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    return [
        *(source_table(location, table) for table in tables),
        *(synced_table(location, table) for table in tables),
    ]


def _checks(location: Location, tables: Sequence[TableConfig]) -> list[dg.AssetChecksDefinition]:
    return [
        *(
            version_integrity_check(location, table)
            for table in tables
            if isinstance(table, SCDTableConfig) and location.config.destination.checks_histories
        ),
        *(three_way_check(location, table) for table in tables),
    ]

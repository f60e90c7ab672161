"""The component `dltsync_dagster.DltsyncComponent`: one pipeline in a `defs.yaml`.

Not `from __future__ import annotations`: Dagster reads the real types of the fields.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.resolved.core_models import (
    MultiRunBackfillPolicyModel,
    OpSpec,
    SingleRunBackfillPolicyModel,
    resolve_backfill_policy,
)
from dagster.components.resolved.errors import ResolutionException
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import BaseModel, Field

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError, SyncError
from dltsync_core.plan.selection import find_table
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster.build import build_definitions
from dltsync_dagster.compat import component_spec
from dltsync_dagster.inline_config import (
    EXAMPLE,
    GivenConfig,
    GivenSettings,
    InlineConfig,
    InlineSettings,
    written_config,
)
from dltsync_dagster.location import StepOptions
from dltsync_dagster.port import Pipeline
from dltsync_dagster.settings import LocationSettings
from dltsync_dagster.time_windows import TimeWindows
from dltsync_dagster.translator import TableTranslator, TableTranslatorData

PRODUCES = ["asset", "asset_check", "sensor", "job", "schedule"]
TAGS = ["sql-server", "parquet", "duckdb", "dlt", "integration"]


class TableTimeWindows(dg.Resolvable, dg.Model):
    """Time windows instead of dynamic partitions, for one partition table whose boundaries are regular dates (RANGE RIGHT)."""

    table: str = Field(description="The table, as `schema.table`.", examples=["sales.Orders"])
    start: str = Field(description="Start of the first window, written as `key_format`.", examples=["2024-01-01"])
    cron_schedule: str = Field(
        description="When a window begins: `0 0 1 * *` by month, `0 0 * * *` by day.", examples=["0 0 1 * *"]
    )
    end: Annotated[
        str | None,
        dg.Resolver.default(
            description="Exclusive end of the last window. Default: windows grow with time, up to the one of now.",
            examples=["2030-01-01"],
        ),
    ] = None
    key_format: Annotated[
        str, dg.Resolver.default(description="How Dagster writes the keys (strftime).", examples=["%Y-%m-%d"])
    ] = "%Y-%m-%d"
    boundary_format: Annotated[
        str | None,
        dg.Resolver.default(
            description="How boundaries are written that are no dates: `%Y%m%d` for integers such as 20240131.",
            examples=["%Y%m%d"],
        ),
    ] = None

    @property
    def windows(self) -> TimeWindows:
        """The windows, without the table."""
        return TimeWindows(self.start, self.cron_schedule, self.end, self.key_format, self.boundary_format)


def resolve_config(context: dg.ResolutionContext, written: Any) -> GivenConfig:
    """The attribute `config`. Raises ResolutionException with the sentence of a ConfigError."""
    try:
        return written_config(templates_resolved(context, written), directory_of(context), "config").given()
    except SyncError as error:
        raise ResolutionException(str(error)) from None


def resolve_settings(context: dg.ResolutionContext, written: Any) -> GivenSettings | None:
    """The attribute `settings`. Raises ResolutionException with the sentence of a ConfigError."""
    if written is None:
        return None
    try:
        return GivenSettings(LocationSettings(**templates_resolved(context, written)))
    except SyncError as error:
        raise ResolutionException(str(error)) from None


def templates_resolved(context: dg.ResolutionContext, written: Any) -> Any:
    """The value with its `{{ templates }}` resolved; secrets refer to variables (`${NAME}`) and stay as they are."""
    return context.resolve_value(written)


def directory_of(context: dg.ResolutionContext) -> Path:
    """The directory of the `defs.yaml`."""
    return Path(context.resolve_source_relative_path("."))


Config = Annotated[
    GivenConfig,
    dg.Resolver(
        resolve_config,
        model_field_type=str | InlineConfig,
        description="The path of a dltsync.yaml, relative to this file, or the same fields written out "
        "(docs/configuration.md). A secret is "
        "given by the name of a variable: `${SQLSERVER_PASSWORD}`.",
        examples=["dltsync.yaml", EXAMPLE],
    ),
]
Settings = Annotated[
    GivenSettings | None,
    dg.Resolver(
        resolve_settings,
        model_field_type=InlineSettings | None,
        description="Settings of the code location. Default: the environment variables DLT_SYNC_DAGSTER_*.",
        examples=[{"sensors": "running", "owners": ["team:data"]}],
    ),
]


class TranslationResolver(TranslationFnResolver[TableTranslatorData]):
    """That of Dagster's own components, with a description and an example, which it does not take as arguments."""

    def __init__(self) -> None:
        super().__init__(
            lambda data: {
                "table": data.table,
                "config": data.config,
                "data": data,
                "target": data.config.target_of(data.table),
            }
        )
        self.description = (
            "Changes the asset of each table: key, group, tags and the rest. Templates may use `table` (its config), `target` "
            "(schema and name in the warehouse), `config` and `spec` (the asset as it is without the translation)."
        )
        self.examples = [{"key": "shop/{{ table.table_name | lower }}", "group_name": "shop"}]


Translation = Annotated[TranslationFn[TableTranslatorData] | None, TranslationResolver()]
Windows = Annotated[
    Sequence[TableTimeWindows],
    dg.Resolver.default(
        description="Partition tables that get time windows instead of dynamic partitions, so that assets partitioned by "
        "time can depend "
        "on them.",
        examples=[[{"table": "sales.Orders", "start": "2024-01-01", "cron_schedule": "0 0 1 * *"}]],
    ),
]


class StepSpec(OpSpec):
    """Dagster's `OpSpec`, with what each field means here."""

    name: Annotated[
        str | None,
        dg.Resolver.default(
            description="Begins the names of the steps: `<name>__<schema>_<table>`. Default: `<pipeline_name>__sync`.",
            examples=["shop_sync"],
        ),
    ] = None
    tags: Annotated[
        dict[str, Any] | None,
        dg.Resolver.default(
            description="Tags of the steps.", examples=[{"dagster-k8s/config": {"container_config": {}}}]
        ),
    ] = None
    description: Annotated[
        str | None, dg.Resolver.default(description="Description of the steps.", examples=["Loads a table."])
    ] = None
    pool: Annotated[
        str | None,
        dg.Resolver.default(
            description="Pool that limits how many of the steps run at once. Default: `mssql:<server>`.",
            examples=["shop"],
        ),
    ] = None
    backfill_policy: Annotated[
        dg.BackfillPolicy | None,
        dg.Resolver(
            resolve_backfill_policy,
            model_field_type=SingleRunBackfillPolicyModel | MultiRunBackfillPolicyModel,
            description="How a backfill of a partition table is divided into runs. Default: runs of PARTITIONS_PER_RUN.",
            examples=[{"type": "multi_run", "max_partitions_per_run": 8}],
        ),
    ] = None


Op = Annotated[
    StepSpec | None,
    dg.Resolver.default(
        description="The steps that load a table, named `<name>__<schema>_<table>`. `pool` limits how many run at once; "
        "`backfill_policy` is for partition tables. What the config says of a table (`asset.pool`) wins.",
        examples=[{"name": "shop_sync", "pool": "shop", "tags": {"team": "data"}}],
    ),
]


class ScaffoldParams(BaseModel):
    """Options of `dg scaffold defs`."""

    config: str | None = Field(default=None, description="Path of a dltsync.yaml, relative to the new defs.yaml.")
    server: str | None = Field(default=None, description="Host name of SQL Server, for a config written inline.")
    database: str | None = Field(default=None, description="Name of the database, for a config written inline.")


class DltsyncScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a `defs.yaml` that names a config file, or holds a config to complete."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        dg.scaffold_component(request, {"config": self.config_of(request.params)})

    @staticmethod
    def config_of(params: ScaffoldParams) -> str | dict[str, Any]:
        """What stands under `config`."""
        if params.config is not None:
            return params.config
        database = {**EXAMPLE["database"], "server": params.server or "sql.example.com"}
        return {**EXAMPLE, "database": {**database, "database": params.database or "Shop"}}


class PipelineComponent:
    """What components over a pipeline have in common: what a subclass of yours may override."""

    settings: GivenSettings | None
    translation: TranslationFn[TableTranslatorData] | None
    time_windows: Sequence[TableTimeWindows]
    op: OpSpec | None = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg list components` and the docs show."""
        return component_spec(cls.__doc__, tags=TAGS, produces=PRODUCES)

    def get_asset_spec(self, data: TableTranslatorData) -> dg.AssetSpec:
        """The asset of a table, before `translation`. Override it to change keys, groups, tags, metadata."""
        return TableTranslator().get_table_spec(data)

    def open_pipeline(self, config: PipelineConfig) -> AbstractContextManager[Pipeline]:
        """What steps, sensors and inputs work with. Override it to wrap or replace the core."""
        return IncrementalSQLServerParquetPipeline(config)


@dg.scaffold_with(DltsyncScaffolder)
@dataclass
class DltsyncComponent(PipelineComponent, dg.Component, dg.Resolvable):
    """SQL Server tables as assets: copied into a Parquet lake and a warehouse, completely and exactly, partition by partition.

    Each configured table becomes an asset downstream of its source table, with checks, sensors that request what
    changed, and jobs. Assets downstream read the tables by typed inputs: `def report(orders: pl.DataFrame)`. Loading the
    definitions opens no connection.
    """

    config: Config
    settings: Settings = None
    translation: Translation = None
    time_windows: Windows = field(default_factory=tuple)
    op: Op = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets, checks, sensors and jobs of the pipeline."""
        return definitions_of(self, self.config)


class ComponentTableTranslator(TableTranslator):
    """Asks the component for the asset of a table, then applies its `translation`. The key is that of the asset."""

    def __init__(self, component: PipelineComponent, config: PipelineConfig) -> None:
        super().__init__()
        self._component = component
        self._windows = {find_table(config.tables, one.table).name: one.windows for one in component.time_windows}

    def get_table_spec(self, data: TableTranslatorData) -> dg.AssetSpec:
        spec = self._component.get_asset_spec(data)
        translation = self._component.translation
        return spec if translation is None else translation(spec, data)

    def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
        return self.get_table_spec(data).key

    def get_time_windows(self, data: TableTranslatorData) -> TimeWindows | None:
        return self._windows.get(data.table.name)


def definitions_of(component: PipelineComponent, given: GivenConfig) -> dg.Definitions:
    """The definitions of a component over a config. Raises ConfigError for time windows of a table that is no partition table."""
    config = given.config
    for one in component.time_windows:
        table = find_table(config.tables, one.table)
        if table.kind != "partition":
            raise ConfigError(
                f"time_windows: {table.name} is a table of kind {table.kind}: it has no partitions",
                remedy="list it under partition_tables, or leave its time windows out",
            )

    def opened(composed: PipelineConfig) -> AbstractContextManager[Pipeline]:
        given.check_secrets()
        return component.open_pipeline(composed)

    return build_definitions(
        config,
        settings=component.settings.settings if component.settings is not None else None,
        translator=ComponentTableTranslator(component, config),
        open_pipeline=opened,
        step=step_options(component.op),
    )


def step_options(op: OpSpec | None) -> StepOptions | None:
    """What a component's `op` says of the steps."""
    if op is None:
        return None
    return StepOptions(op.name, op.tags or {}, op.description, op.pool, op.backfill_policy)

"""Shared by all factories of the location: config, settings, names, and how a pipeline is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dagster as dg

from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.identity import TableName, identifier_part, joined, slashed
from dltsync_dagster.port import OpenPipeline, Pipeline
from dltsync_dagster.resources import PipelineResources
from dltsync_dagster.settings import LocationSettings, Switch
from dltsync_dagster.time_windows import TimeWindows
from dltsync_dagster.translator import TableTranslator, TableTranslatorData

T = TypeVar("T")

_TAKEN = {"all_tables"}
"""Names of the steps of jobs over all tables, after their verb."""


@dataclass(frozen=True)
class Retries:
    """Further attempts of a step after a transient error, and the seconds before the first; as the settings have them."""

    retries: int
    retry_delay_seconds: float


@dataclass(frozen=True)
class StepOptions:
    """What the steps that load a table have in common. `name` stands before the table's in place of `<pipeline_name>__sync`; None
    is the default of each."""

    name: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    pool: str | None = None
    backfill_policy: dg.BackfillPolicy | None = None


@dataclass(frozen=True)
class Location:
    """One config as a code location. Opens nothing."""

    config: PipelineConfig
    settings: LocationSettings
    translator: TableTranslator
    open_pipeline: OpenPipeline
    resources: PipelineResources = field(default_factory=PipelineResources)

    tables_key: str | None = None
    """The resource that reads the tables for assets downstream; None: the location has none."""

    step: StepOptions = field(default_factory=lambda: StepOptions())
    """Of the steps that load a table."""

    _known: dict[tuple[str, TableName], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What the translator said of each table: it is asked once."""

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        """The pipeline over the config and the resources. Raises SyncError."""
        with self.resources.composed(self.config) as config, self.open_pipeline(config) as pipeline:
            yield pipeline

    def named(self, name: str) -> str:
        """A job, sensor, schedule or step of this pipeline: `shop__sync_everything`. Different for different pipelines, which may
        be merged into one code location."""
        pipeline = self.config.pipeline_name
        clear = identifier_part(pipeline) == pipeline and "__" not in pipeline
        return f"{pipeline if clear else identifier_part(pipeline + '_')}__{name}"

    @property
    def server_pool(self) -> str:
        """The pool of every op that queries the source server."""
        return f"mssql:{_without_spaces(self.config.database.server)}"

    @property
    def warehouse_pool(self) -> str:
        """The pool of ops that only open the warehouse."""
        return f"warehouse:{_without_spaces(self.config.destination.database)}"

    @property
    def scope(self) -> str:
        """Separates versions of this location's tables from those of another pipeline or database with the same names."""
        database = self.config.database
        return joined(database.server, database.database, self.config.pipeline_name)

    def retries_of(self, table: TableConfig) -> Retries:
        """How a step of one table is retried: as its config says, else as the settings do."""
        asset, settings = table.asset, self.settings
        return Retries(
            asset.retries if asset.retries is not None else settings.retries,
            asset.retry_delay_seconds if asset.retry_delay_seconds is not None else settings.retry_delay_seconds,
        )

    def data_of(self, table: TableConfig) -> TableTranslatorData:
        """The translator's data of a table."""
        return TableTranslatorData(self.config, table, self.settings.owners, self.settings.docs_url, self.tables_key)

    def asset_key(self, table: TableConfig) -> dg.AssetKey:
        """The synced table."""
        return self._said("key", table, self.translator.get_table_key)

    def source_key(self, table: TableConfig) -> dg.AssetKey:
        """The table at the source."""
        return self._said("source", table, self.translator.get_source_key)

    def _windows_of(self, table: TableConfig) -> TimeWindows | None:
        return self._said("windows", table, self.translator.get_time_windows)

    def _said(self, what: str, table: TableConfig, ask: Callable[[TableTranslatorData], T]) -> T:
        known: T
        if (what, table.name) not in self._known:
            self._known[what, table.name] = ask(self.data_of(table))
        known = self._known[what, table.name]
        return known

    def partitions_of(
        self, table: TableConfig
    ) -> dg.DynamicPartitionsDefinition | dg.TimeWindowPartitionsDefinition | None:
        """The partitions of a partition table: its time windows where the translator gives some, else dynamic ones; None for the
        other kinds."""
        if table.kind != "partition":
            return None
        windows = self._windows_of(table)
        return windows.definition if windows is not None else self.dynamic_partitions_of(table)

    def dynamic_partitions_of(self, table: TableConfig) -> dg.DynamicPartitionsDefinition | None:
        """The dynamic partitions of a table, named `<server>/<database>/<schema>/<table>`; None for the other kinds, and for time
        windows, which Dagster counts itself.

        The keys live in Dagster's instance: none before the first tick of the boundaries sensor (or the first run of
        `sync_everything`).
        """
        if table.kind != "partition" or self._windows_of(table) is not None:
            return None
        database = self.config.database
        name = slashed(database.server, database.database, table.schema_name, table.table_name)
        return dg.DynamicPartitionsDefinition(name=name)

    def op_name(self, verb: str, table: TableConfig) -> str:
        """A name Dagster accepts for a step, different for different tables and the same whatever else is configured:
        `shop__sync_sales_Orders`. Where the schema has an underscore, or a name more than letters and digits, a digest
        follows."""
        schema, name = table.schema_name, table.table_name
        plain = f"{schema}_{name}"
        # The first underscore must be the one between the names, or `a_b` and `c` were `a` and `b_c`.
        clear = "_" not in schema and plain not in _TAKEN and identifier_part(plain) == plain
        unique = plain if clear else identifier_part(str(table.name))
        if verb == "sync" and self.step.name is not None:
            return f"{self.step.name}__{unique}"
        return self.named(f"{verb}_{unique}")


def sensor_status(switch: Switch) -> dg.DefaultSensorStatus:
    """How a sensor starts."""
    return dg.DefaultSensorStatus.RUNNING if switch == "running" else dg.DefaultSensorStatus.STOPPED


def schedule_status(switch: Switch) -> dg.DefaultScheduleStatus:
    """How a schedule starts."""
    return dg.DefaultScheduleStatus.RUNNING if switch == "running" else dg.DefaultScheduleStatus.STOPPED


def _without_spaces(text: str) -> str:
    return re.sub(r"\s+", "_", text)

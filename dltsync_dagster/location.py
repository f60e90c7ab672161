"""What every factory of the location shares: the config, the settings, how things are named and how a pipeline is opened."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import dagster as dg

from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_dagster.port import OpenPipeline
from dltsync_dagster.settings import LocationSettings, Switch
from dltsync_dagster.translator import TableTranslator, TableTranslatorData

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True)
class Location:
    """One config as a code location. Holds nothing open."""

    config: PipelineConfig
    settings: LocationSettings
    translator: TableTranslator
    open_pipeline: OpenPipeline

    @property
    def server_pool(self) -> str:
        """The pool of every op that asks the source server."""
        return f"mssql:{_without_spaces(self.config.database.server)}"

    @property
    def warehouse_pool(self) -> str:
        """The pool of ops that only open the warehouse."""
        return f"warehouse:{_without_spaces(self.config.destination.path.stem)}"

    def data_of(self, table: TableConfig) -> TableTranslatorData:
        """What the translator sees of a table."""
        return TableTranslatorData(config=self.config, table=table, owners=self.settings.owners)

    def asset_key(self, table: TableConfig) -> dg.AssetKey:
        """The synced table."""
        return self.translator.get_table_key(self.data_of(table))

    def source_key(self, table: TableConfig) -> dg.AssetKey:
        """The table at the source."""
        return self.translator.get_source_key(self.data_of(table))

    def partitions_of(self, table: TableConfig) -> dg.DynamicPartitionsDefinition | None:
        """The partitions of a partition table, named `<server>/<database>/<schema>/<table>`; None for the other kinds.

        The keys live in Dagster's instance: none before the boundaries sensor (or the job `sync_everything`) first looked.
        """
        if table.kind != "partition":
            return None
        database = self.config.database
        name = f"{database.server}/{database.database}/{table.schema_name}/{table.table_name}"
        return dg.DynamicPartitionsDefinition(name=name)

    def op_name(self, verb: str, table: TableConfig) -> str:
        """A name Dagster accepts for a step: `<verb>_<schema>_<table>`. Different for different tables, and the same whatever
        other tables there are: what another table could be called, too (characters that Dagster refuses; `_` in the schema, for
        `a_b.c` and `a.b_c` read alike) ends with a digest."""
        schema, name = table.schema_name, table.table_name
        plain = _NOT_IN_NAMES.sub("_", f"{schema}_{name}").strip("_")
        if plain == f"{schema}_{name}" and "_" not in schema:
            return f"{verb}_{plain}"
        digest = hashlib.sha256(f"{schema}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{verb}_{plain or 'table'}_{digest}"


def sensor_status(switch: Switch) -> dg.DefaultSensorStatus:
    """How a sensor starts."""
    return dg.DefaultSensorStatus.RUNNING if switch == "running" else dg.DefaultSensorStatus.STOPPED


def schedule_status(switch: Switch) -> dg.DefaultScheduleStatus:
    """How a schedule starts."""
    return dg.DefaultScheduleStatus.RUNNING if switch == "running" else dg.DefaultScheduleStatus.STOPPED


def _without_spaces(text: str) -> str:
    return re.sub(r"\s+", "_", text)

"""What a configured table is called in Dagster, and what is known of it before anything runs. Override to change names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version

import dagster as dg

from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.display import as_markdown
from dltsync_core.identity import TableName, dotted, identifier_part, path_part
from dltsync_dagster.automation import condition_of
from dltsync_dagster.compat import DltTranslator, default_dlt_key, preview_accepted, resource_data
from dltsync_dagster.lineage import SOURCE, docs_metadata
from dltsync_dagster.time_windows import TimeWindows

TABLE_METADATA = "dltsync/table"
"""Names the table of an asset, as `schema.table` at the source, for what reads it downstream."""

_version = cache(partial(version, "dltsync"))

_PLAIN = re.compile(r"(?!.*-[0-9a-f]{8}(?:[0-9a-f]{8})?$)[A-Za-z0-9_-]+")
"""What cannot be taken for the name of another table with its digest."""
_GROUP = re.compile(r"[^A-Za-z0-9_]+")

_DESCRIPTIONS = {
    "partition": "Synced one SQL Server partition at a time; a Dagster partition is named by its boundaries.",
    "scd": "Versions (SCD2), read by increments of the last-modified column.",
    "static": "Reference data; a hash computed by SQL Server decides whether anything is read.",
}


@dataclass(frozen=True)
class TableTranslatorData:
    """One table of a config, with the owners its assets get, the address of the documentation where it is known, and the
    resource that reads the table downstream where the location has one."""

    config: PipelineConfig
    table: TableConfig
    owners: tuple[str, ...] = ()
    docs_url: str | None = None
    tables_key: str | None = None


@dataclass
class TableTranslator:
    """Keys, kinds, groups and metadata of the assets. Subclass it to change them.

    `dlt` is a `DagsterDltTranslator` of yours: what it says of a dlt resource with the table's name (kinds, tags, metadata,
    group, owners, automation condition, freshness) is part of the table's asset, and so is its key when it is not that of
    dagster-dlt. What the table's config says wins. Upstream asset and description are dltsync's.
    """

    dlt: DltTranslator | None = None

    @staticmethod
    def of(translator: TableTranslator | DltTranslator | None) -> TableTranslator:
        """A translator of tables as it is, one of dlt resources as part of one; the default for None."""
        return translator if isinstance(translator, TableTranslator) else TableTranslator(dlt=translator)

    def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
        """The synced table: the source's database, then schema and name in the warehouse. Two databases may have tables of one
        name, and be loaded into warehouses with schemas of one name."""
        names = (data.config.database.database, *data.config.target_of(data.table))
        spec = self._dlt_spec(names[-1])
        if spec is not None and spec.key != default_dlt_key(names[-1]):
            return spec.key
        return dg.AssetKey([key_part(name) for name in names])

    def _dlt_spec(self, name: str) -> dg.AssetSpec | None:
        """What the translator of yours says of a dlt resource of that name."""
        return self.dlt.get_asset_spec(resource_data(name)) if self.dlt is not None else None

    def get_source_key(self, data: TableTranslatorData) -> dg.AssetKey:
        """The table at the source: `sqlserver/<database>/<schema>/<table>`."""
        table = data.table
        names = (data.config.database.database, table.schema_name, table.table_name)
        return dg.AssetKey(["sqlserver", *(key_part(name) for name in names)])

    def get_time_windows(self, data: TableTranslatorData) -> TimeWindows | None:
        """Time windows instead of dynamic partitions, for a partition table whose boundaries are regular dates. Default: none."""
        return None

    def get_table_spec(self, data: TableTranslatorData) -> dg.AssetSpec:
        """The asset of a synced table: Parquet in the lake and rows in the warehouse."""
        table, config = data.table, data.config
        schema, name = config.target_of(table)
        base = self._dlt_spec(name) or _dlt_asset(name)
        asset = table.asset
        return base.replace_attributes(
            key=self.get_table_key(data),
            deps=[self.get_source_key(data)],
            description=table.description or _DESCRIPTIONS[table.kind],
            group_name=asset.group or base.group_name or group_name(schema),
            kinds={*base.kinds, *asset.kinds, "parquet", config.destination.system},
            owners=asset.owners if asset.owners is not None else base.owners or data.owners,
            automation_condition=condition_of(table) or base.automation_condition,
            freshness_policy=freshness_of(table) or base.freshness_policy,
            tags={**base.tags, **table.tags, "dltsync/kind": table.kind},
            code_version=code_version(table),
            metadata={
                **base.metadata,
                "dagster/table_name": dotted(config.destination.database, schema, name),
                "dagster/storage_kind": config.destination.system,
                "dltsync/kind": table.kind,
                TABLE_METADATA: str(table.name),
                **({"dagster/io_manager_key": data.tables_key} if data.tables_key is not None else {}),
                "dltsync/source_table": dotted(config.database.database, table.schema_name, table.table_name),
                SOURCE: dg.MetadataValue.asset(self.get_source_key(data)),
                **docs_metadata(data.docs_url, table.kind),
                **code_reference(asset.code_url, table),
            },
        )

    def get_source_spec(self, data: TableTranslatorData) -> dg.AssetSpec:
        """The table at the source, for lineage."""
        database = data.config.database
        return dg.AssetSpec(
            key=self.get_source_key(data),
            description=f"{as_markdown(f'{data.table.name} in database {database.database} on {database.server}')}.",
            group_name=group_name(f"{database.database}_source"),
            kinds={"sqlserver", "table"},
            owners=data.owners,
            metadata={
                "dagster/table_name": dotted(database.database, data.table.schema_name, data.table.table_name),
                "dagster/storage_kind": "sqlserver",
            },
        )


def windows_of(config: PipelineConfig, translator: TableTranslator) -> dict[TableName, TimeWindows]:
    """The partition tables that have time windows."""
    given = {
        table.name: translator.get_time_windows(TableTranslatorData(config, table))
        for table in config.tables
        if table.kind == "partition"
    }
    return {name: windows for name, windows in given.items() if windows is not None}


def tables_key(config: PipelineConfig) -> str:
    """The resource key of the I/O manager that reads a pipeline's tables, different for different pipelines."""
    return f"{identifier_part(config.pipeline_name)}__tables"


def _dlt_asset(name: str) -> dg.AssetSpec:
    """What dagster-dlt says of a dlt resource by default, as far as a table's asset keeps it: the kind."""
    return dg.AssetSpec(name, kinds={"dlt"})


def key_part(name: str) -> str:
    """A name as part of an asset key. Dagster makes identifiers of keys and refuses most characters; such names become readable
    text with a digest, different for different names."""
    return name if _PLAIN.fullmatch(name) else path_part(name)


def group_name(text: str) -> str:
    """A group name Dagster accepts: letters, digits and underscores."""
    return _GROUP.sub("_", text).strip("_") or "default"


def freshness_of(table: TableConfig) -> dg.FreshnessPolicy | None:
    """The freshness policy of the config."""
    wanted = table.asset.freshness
    if wanted is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=wanted.fail_after, warn_window=wanted.warn_after)


def code_reference(url: str | None, table: TableConfig) -> dict[str, dg.CodeReferencesMetadataValue]:
    """The link to what describes the load, as metadata."""
    if url is None:
        return {}
    with preview_accepted():
        references = [dg.UrlCodeReference(url=url, label=f"load of {table.name}")]
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references)}


_OF_DAGSTER = {"asset", "automation_condition", "automation_reads", "check_every", "description", "tags"}
"""Fields that change nothing of what is loaded."""


def code_version(table: TableConfig) -> str:
    """Changes with what the table's config says of its load, and with the version of dltsync."""
    text = f"{_version()} {table.kind} {table.model_dump_json(exclude=_OF_DAGSTER)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]

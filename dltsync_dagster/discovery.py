"""The component `dltsync_dagster.DltsyncDiscoveryComponent`: a pipeline whose tables are found in the database's
catalogue, by pattern.

The list of tables is state: `dg utils refresh-defs-state` reads it from the server and writes it to a file. Loading
definitions, `dg check` and `dg list` read the file and never open the database (`refresh_if_dev` is false unless the
document says otherwise).
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components.resolved.errors import ResolutionException
from dagster.components.utils.defs_state import DefsStateConfig, DefsStateConfigArgs
from pydantic import Field, field_validator

from dltsync_core.catalog.facts import ListedTable
from dltsync_core.config.table_patterns import matches, parsed_pattern
from dltsync_core.errors import ConfigError, SyncError
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.identity import TableName
from dltsync_core.plan.table_patterns import matched_tables, needs_columns
from dltsync_dagster.component import (
    DltsyncScaffolder,
    Op,
    PipelineComponent,
    ScaffoldParams,
    Settings,
    Translation,
    Windows,
    definitions_of,
    directory_of,
    templates_resolved,
)
from dltsync_dagster.inline_config import EXAMPLE, InlineConfig, WrittenConfig, written_config

log = logging.getLogger("dltsync.dagster")

Kind = Literal["auto", "partition", "scd", "static"]
_SECTIONS = {"partition": "partition_tables", "scd": "scd_tables", "static": "static_tables"}


class TablePattern(dg.Resolvable, dg.Model):
    """Tables of the catalogue by a pattern, and how they are loaded."""

    pattern: str = Field(
        description="Schema and table, with `*` for any text and `?` for one character. Case is ignored.",
        examples=["sales.*"],
    )
    exclude: Annotated[
        Sequence[str],
        dg.Resolver.default(
            description="Patterns of tables that are left out.", examples=[["sales.*_old", "sales.tmp*"]]
        ),
    ] = ()
    kind: Annotated[
        Kind,
        dg.Resolver.default(
            description="Kind of the tables. `auto`: partition for tables on a partition function, static for others. "
            "`scd` needs "
            "`last_modified_column` among the options.",
            examples=["auto"],
        ),
    ] = "auto"
    options: Annotated[
        dict[str, Any],
        dg.Resolver.default(
            description="Fields of the table's config that all of them get (docs/configuration.md).",
            examples=[{"schema_drift": "freeze"}],
        ),
    ] = Field(default_factory=dict)

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, text: str) -> str:
        parsed_pattern(text)
        return text

    @field_validator("exclude")
    @classmethod
    def _are_patterns(cls, texts: Sequence[str]) -> Sequence[str]:
        for text in texts:
            parsed_pattern(text)
        return texts

    def matches(self, table: TableName) -> bool:
        """Whether the table is one of these, as `match` of the config decides it."""
        return matches(table, parsed_pattern(self.pattern)) and not any(
            matches(table, parsed_pattern(text)) for text in self.exclude
        )


def resolve_written(context: dg.ResolutionContext, written: Any) -> WrittenConfig:
    """The attribute `config`, which need not list tables. Raises ResolutionException with the sentence of a ConfigError."""
    try:
        return written_config(templates_resolved(context, written), directory_of(context), "config")
    except SyncError as error:
        raise ResolutionException(str(error)) from None


_CONFIG_EXAMPLE = {name: value for name, value in EXAMPLE.items() if not name.endswith("_tables")}


class DiscoveryScaffolder(DltsyncScaffolder):
    """Writes a `defs.yaml` with one pattern."""

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        config = self.config_of(request.params)
        if isinstance(config, dict):
            config = {name: value for name, value in config.items() if name in _CONFIG_EXAMPLE}
        dg.scaffold_component(request, {"config": config, "tables": [{"pattern": "dbo.*"}]})


@dg.scaffold_with(DiscoveryScaffolder)
@dataclass
class DltsyncDiscoveryComponent(PipelineComponent, dg.StateBackedComponent, dg.Resolvable):
    """Tables of a SQL Server database as assets, found in its catalogue by pattern (`sales.*`): those of `tables`, and those
    of the config itself (`match`).

    `dg utils refresh-defs-state` reads the list of tables and stores it; loading, `dg check` and `dg list` use the
    stored list and never open the database. Without a list there are only the tables that the config itself names.
    """

    config: Annotated[
        WrittenConfig,
        dg.Resolver(
            resolve_written,
            model_field_type=str | InlineConfig,
            description="The path of a dltsync.yaml, relative to this file, or the same fields written out. Tables that "
            "it lists are as it "
            "says, whatever the patterns find. A secret is given by the name of a variable: `${SQLSERVER_PASSWORD}`.",
            examples=["dltsync.yaml", _CONFIG_EXAMPLE],
        ),
    ]
    tables: Annotated[
        Sequence[TablePattern],
        dg.Resolver.default(
            description="Which tables of the catalogue are loaded, and how. The first pattern that a table matches counts; one "
            "of the config (`match`) goes before.",
            examples=[[{"pattern": "sales.*", "exclude": ["sales.*_old"]}]],
        ),
    ] = ()
    settings: Settings = None
    translation: Translation = None
    time_windows: Windows = field(default_factory=tuple)
    op: Op = None
    defs_state: Annotated[
        DefsStateConfigArgs,
        dg.Resolver.default(
            description="Where the list of tables is stored, and whether `dg dev`, `dg check` and `dg list` read it anew "
            "from the database.",
            examples=[{"management_type": "LOCAL_FILESYSTEM", "refresh_if_dev": False}],
        ),
    ] = field(
        default_factory=lambda: DefsStateConfigArgs.local_filesystem().model_copy(update={"refresh_if_dev": False})
    )

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """The key names the pipeline: two pipelines of a location have two lists."""
        pipeline = self.config.values.get("pipeline_name", "dltsync")
        return DefsStateConfig.from_args(self.defs_state, default_key=f"{type(self).__name__}[{pipeline}]")

    def write_state_to_path(self, state_path: Path) -> None:
        """Read the list of tables from the server and store those that a pattern matches. Raises ConnectError,
        CatalogError, ConfigError."""
        found = [
            table
            for table in self.list_tables()
            if self._is_matched_by_config(table.name) or any(one.matches(table.name) for one in self.tables)
        ]
        listed = [
            [t.name.schema, t.name.table, t.is_partitioned, *([t.columns] if t.columns else [])] for t in sorted(found)
        ]
        state_path.write_text(json.dumps({"tables": listed}, ensure_ascii=False, indent=1), encoding="utf-8")

    def list_tables(self) -> Iterable[ListedTable]:
        """All tables of the database that the login may see."""
        values: dict[str, Any] = {**self.config.values}
        if not any(values.get(section) for section in _SECTIONS.values()):
            # A config has tables; which ones does not matter for its connection.
            values["static_tables"] = [{"table_name": "any"}]
        given = replace(self.config, values=values).given()
        given.check_secrets()
        source = SqlServerSource(given.config.database, given.config.processing)
        return source.list_tables(with_columns=needs_columns(given.config))

    def build_defs_from_state(self, context: dg.ComponentLoadContext, state_path: Path | None) -> dg.Definitions:
        """The definitions of the tables in the list. Raises ConfigError for options that do not fit them."""
        listed = _stored(state_path)
        values = self.with_tables(listed)
        if not any(values.get(section) for section in _SECTIONS.values()):
            return dg.Definitions()
        given = replace(self.config, values=values).given()
        if not given.config.patterns:
            return definitions_of(self, given)
        if not listed:
            named = given.config.tables
            return (
                definitions_of(self, replace(given, config=given.config.with_tables(named)))
                if named
                else dg.Definitions()
            )
        matched = matched_tables(given.config, listed)
        for note in matched.notes:
            log.warning("%s", note)
        return definitions_of(self, replace(given, config=matched.config))

    def with_tables(self, listed: Iterable[ListedTable]) -> dict[str, Any]:
        """The fields of the config with the listed tables that it does not name itself. A pattern that changed since the
        list was stored counts as it is now."""
        values = dict(self.config.values)
        named = {
            (str(one.get("schema_name", "dbo")).casefold(), str(one.get("table_name")).casefold())
            for section in _SECTIONS.values()
            for one in values.get(section) or ()
            if "match" not in one
        }
        for table in listed:
            pattern = next((one for one in self.tables if one.matches(table.name)), None)
            if pattern is None or (table.name.folded.schema, table.name.folded.table) in named:
                continue
            if self._is_matched_by_config(table.name):
                continue
            kind = pattern.kind if pattern.kind != "auto" else "partition" if table.is_partitioned else "static"
            fields = {"schema_name": table.name.schema, "table_name": table.name.table, **pattern.options}
            values[_SECTIONS[kind]] = [*(values.get(_SECTIONS[kind]) or ()), fields]
        return values

    def _is_matched_by_config(self, table: TableName) -> bool:
        """Whether the name fits an entry of the config with `match`. Raises ConfigError."""
        entries = [one for section in _SECTIONS.values() for one in self.config.values.get(section) or ()]
        try:
            return any(
                matches(table, parsed_pattern(str(one["match"])))
                and not any(matches(table, parsed_pattern(str(text))) for text in one.get("exclude") or ())
                for one in entries
                if "match" in one
            )
        except ValueError as problem:
            raise ConfigError(f"{self.config.origin}: {problem}", remedy="write match: 'sales.*'") from None


def _stored(state_path: Path | None) -> list[ListedTable]:
    if state_path is None or not state_path.is_file():
        return []
    try:
        listed = json.loads(state_path.read_text(encoding="utf-8"))["tables"]
        return [
            ListedTable(TableName(schema, table), bool(is_partitioned), tuple(*columns))
            for schema, table, is_partitioned, *columns in listed
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{state_path} is no list of tables: {error!r}", remedy="run `dg utils refresh-defs-state`"
        ) from error

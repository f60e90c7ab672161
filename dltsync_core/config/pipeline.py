"""The whole config: one source database, its tables, and how they are loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import Field, field_validator, model_validator

from dltsync_core.committed import TableKind
from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.model import Listed, Spec
from dltsync_core.config.processing import DestinationConfig, ProcessingConfig, RepresentationConfig, StateConfig
from dltsync_core.config.tables import (
    PartitionEntry,
    SCDEntry,
    StaticEntry,
    TableConfig,
    TableConfigBase,
    TablePattern,
    TablePatternBase,
)
from dltsync_core.identity import TableName, path_part

if TYPE_CHECKING:
    from typing_extensions import Self

# Without arguments it is built from the environment; the type checker only sees required fields.
_database_from_environment = cast("Callable[[], DatabaseConfig]", DatabaseConfig)


class PipelineConfig(Spec):
    """What to load, from where, to where. Raises ConfigError naming every field that is wrong."""

    database: DatabaseConfig = Field(default_factory=_database_from_environment)
    """The source database. Default: taken from the DLT_SYNC_* environment variables."""
    partition_tables: Listed[PartitionEntry] = ()
    """Tables on a partition function, by name or by a pattern (`match`)."""
    scd_tables: Listed[SCDEntry] = ()
    """Tables of versions (SCD type 2), by name or by a pattern (`match`)."""
    static_tables: Listed[StaticEntry] = ()
    """Reference tables, by name or by a pattern (`match`)."""
    processing: ProcessingConfig = Field(default_factory=ProcessingConfig)
    """Batch sizes, parallelism, retries and checks of a run."""
    representation: RepresentationConfig = Field(default_factory=RepresentationConfig)
    """Form of types that leave a choice, in all tables."""
    state: StateConfig = Field(default_factory=StateConfig)
    """Where ledger and lake are, leases, backups and retention."""
    destination: DestinationConfig = Field(default_factory=DestinationConfig)
    """Where the warehouse is."""
    pipeline_name: str = Field(default="dltsync", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """Name of the pipeline in the lake, the ledger and the logs: letters, digits, `_` and `-`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged. `DLT_SYNC_LOG_LEVEL` wins over it, and `--log-level` and `-v` over both."""
    enable_structured_logging: bool = True
    """Log JSON objects, one per line; False: lines of text. `--log-format` wins over it. On a terminal the log is text."""
    log_file: Path | None = None
    """Log to this file, from the command line, Python and Dagster alike. Relative to the config file."""
    log_file_max_mb: int = Field(default=50, ge=1)
    """Size from which on the log file is renamed to `<log_file>.1` and a new one begins, in megabytes."""
    log_file_backups: int = Field(default=5, ge=0, le=100)
    """Renamed log files that are left; older ones are removed."""
    summary_file: Path | None = None
    """The JSON of the last run, as `dltsync run --json` prints it. Relative to the config file."""
    metrics_file: Path | None = None
    """Prometheus metrics of the last runs, for node_exporter's textfile collector: a name that ends with `.prom`. Needs the extra
    `metrics`. Relative to the config file."""

    @model_validator(mode="before")
    @classmethod
    def _database_has_a_place(cls, values: Any) -> Any:
        """An empty `database`, so that errors about fields that the environment lacks too name `database`."""
        return {**values, "database": {}} if isinstance(values, dict) and values.get("database") is None else values

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("metrics_file")
    @classmethod
    def _read_by_the_collector(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != ".prom":
            raise ValueError("the textfile collector reads files that end with .prom only: give the name that ending")
        return value

    @model_validator(mode="after")
    def _tables_are_distinct(self) -> Self:
        if not self.tables and not self.patterns:
            raise ValueError("no tables: list at least one under partition_tables, scd_tables or static_tables")
        sources: dict[TableName, TableConfig] = {}
        targets: dict[TableName, TableConfig] = {}
        folders: dict[str, TableConfig] = {}
        for table in self.tables:
            other = sources.setdefault(table.name.folded, table)
            if other is not table:
                raise ValueError(_twice(other.name, table.name))
            target = TableName(*self.target_of(table))
            other = targets.setdefault(target.folded, table)
            if other is not table:
                raise ValueError(
                    f"tables {other.name} and {table.name} would both become {target}"
                    f"{_case_note(TableName(*self.target_of(other)), target)}; "
                    "give one of them another target_table or target_schema"
                )
            other = folders.setdefault(path_part(str(table.name)), table)
            if other is not table:
                raise ValueError(
                    f"tables {other.name} and {table.name} would share a folder of the lake; "
                    "load one of them by a config with another pipeline_name"
                )
        return self

    @model_validator(mode="after")
    def _retention_has_a_warehouse(self) -> Self:
        kept = next((entry for entry in self.partition_tables if entry.retention is not None), None)
        if kept is not None and self.destination.type != "sqlserver":
            whose = f"match {kept.match}" if isinstance(kept, TablePatternBase) else str(kept.name)
            raise ValueError(
                f"partition_tables: {whose}: retention removes partitions from a warehouse in SQL Server only, and "
                f"destination.type is {self.destination.type}: leave retention out, or set destination.type to sqlserver"
            )
        return self

    @property
    def tables(self) -> tuple[TableConfig, ...]:
        """All tables that the config names, in the order partition, scd, static, and within a kind as written."""
        return tuple(entry for entry in self._entries if isinstance(entry, TableConfigBase))

    @property
    def patterns(self) -> tuple[TablePattern, ...]:
        """All patterns, in the same order. `plan.table_patterns` makes tables of them."""
        return tuple(entry for entry in self._entries if isinstance(entry, TablePatternBase))

    @property
    def _entries(self) -> tuple[TableConfig | TablePattern, ...]:
        return (*self.partition_tables, *self.scd_tables, *self.static_tables)

    def with_tables(self, tables: Sequence[TableConfig]) -> PipelineConfig:
        """The same config with exactly these tables, and no patterns. Raises ConfigError for tables that are in each other's
        way."""
        sections = {f"{kind}_tables": [table for table in tables if table.kind == kind] for kind in get_args(TableKind)}
        others = {name: getattr(self, name) for name in type(self).model_fields if name not in sections}
        return PipelineConfig(**others, **sections)

    def target_of(self, table: TableConfig) -> tuple[str, str]:
        """(schema, table) in the warehouse."""
        schema, name = table.target
        return schema or self.destination.dataset_name, name

    def located_at(self, base: Path) -> PipelineConfig:
        """The same config with every relative path made absolute below `base`, and `~` expanded."""

        def place(path: Path) -> Path:
            return base / path.expanduser()

        lake = self.state.parquet_directory
        state = self.state.model_copy(
            update={
                "state_directory": place(self.state.state_directory),
                "parquet_directory": place(lake) if isinstance(lake, Path) else lake,
            }
        )
        destination = self.destination
        if destination.type == "duckdb":
            destination = destination.model_copy(update={"path": place(destination.path)})
        bucket_url = destination.bucket_url
        if bucket_url is not None and "://" not in bucket_url:
            destination = destination.model_copy(update={"bucket_url": str(place(Path(bucket_url)))})
        files = {
            name: place(path) for name in ("log_file", "summary_file", "metrics_file") if (path := getattr(self, name))
        }
        return self.model_copy(update={"state": state, "destination": destination, **files})


def _twice(one: TableName, other: TableName) -> str:
    """The message about two entries that dltsync takes for one table. Some databases distinguish them, most do not."""
    if one == other:
        return f"table {one} is listed twice"
    return (
        f"tables {one} and {other} differ in case only, which one pipeline does not distinguish; remove one of them, or, when "
        "the database has both, load it by a config with another pipeline_name and another target_table"
    )


def _case_note(one: TableName, other: TableName) -> str:
    return "" if one == other else " (the warehouse does not distinguish upper and lower case)"

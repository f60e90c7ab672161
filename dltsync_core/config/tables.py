"""The tables to load (partition, scd and static), and the quality rules of static tables, checked on staged files."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from dltsync_core.committed import TableKind
from dltsync_core.config.assets import AssetConfig, OnCron, known_condition
from dltsync_core.config.model import Duration, Listed, Spec
from dltsync_core.config.retention import Retention
from dltsync_core.config.table_patterns import PatternText, matches, parsed_pattern
from dltsync_core.identity import TableName

if TYPE_CHECKING:
    from typing_extensions import Self


def _as_text(value: Any) -> Any:
    """Dates, which TOML parses itself, become ISO text again: the type of the column decides what they are."""
    return value.isoformat() if isinstance(value, (date, datetime, time)) else value


Scalar: TypeAlias = Annotated[bool | int | Decimal | float | str, BeforeValidator(_as_text)]
"""A value to compare with, turned into the column's Arrow type when it is used."""


class QualityRule(Spec):
    """Conditions on one column. Violating rows are counted per check; only `not_null` considers NULL."""

    column: str = Field(min_length=1)
    """Column of the table."""
    not_null: bool = False
    """No row has NULL."""
    unique: bool = False
    """No two rows have the same value; NULLs do not count as equal."""
    min: Scalar | None = None
    """Smallest allowed value. Dates and times as ISO text."""
    max: Scalar | None = None
    """Largest allowed value. Dates and times as ISO text."""
    allowed: Listed[Scalar] | None = None
    """The allowed values (NULL is allowed too), compared exactly, with case. A uniqueidentifier may be written in either case,
    a char(n) without the blanks at its end."""
    severity: Literal["error", "warn"] = "error"
    """`error` stops the load before anything is published; `warn` is reported and the load goes on."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (
            self.not_null or self.unique or self.allowed is not None or self.min is not None or self.max is not None
        ):
            raise ValueError("checks nothing: give not_null, unique, min, max or allowed")
        if self.allowed is not None and not self.allowed:
            raise ValueError("allowed is empty, so no value could ever pass")
        return self


Representation = Literal[
    "nanoseconds", "microseconds", "open_end", "text", "utc", "utc_open_end", "bytes", "wkb", "uuid"
]
SchemaDrift = Literal["evolve", "freeze", "ask"]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class NamedTable(Spec):
    """An entry that names its table."""

    table_name: Name
    """Name of the source table, without schema. Case follows the database's own rules."""
    schema_name: Name = "dbo"
    """Schema of the source table."""
    target_table: Name | None = None
    """Name in the warehouse; default: the table's own name."""


class TablePatternBase(Spec):
    """An entry for all tables whose names fit a pattern. The tables are looked up in the source's catalogue whenever a run or a
    plan begins, so that new ones are taken along. A table that an entry names itself is as that entry says; of several
    patterns the first counts, in the order partition_tables, scd_tables, static_tables. A table that does not fit the kind
    (without partitions under partition_tables, without the columns under scd_tables) is left to the next pattern, and named
    in a note when there is none."""

    match: PatternText
    """Schema and table, with `*` for any text and `?` for one character: `sales.*`. Case is ignored. Without a schema: in any."""
    exclude: Listed[PatternText] = ()
    """Patterns of tables that are left out: `sales.*_backup`."""

    def fits(self, table: TableName) -> bool:
        """Whether the name fits, and no exclusion does."""
        return matches(table, parsed_pattern(self.match)) and not any(
            matches(table, parsed_pattern(text)) for text in self.exclude
        )

    def fields_of(self, table: TableName) -> dict[str, Any]:
        """The fields of an entry that names this table."""
        given = {
            name: getattr(self, name) for name in self.model_fields_set if name not in TablePatternBase.model_fields
        }
        return {**given, "schema_name": table.schema, "table_name": table.table}


class TableOptions(Spec):
    """Fields that every kind of table has."""

    kind: ClassVar[TableKind]

    target_schema: Name | None = None
    """Schema in the warehouse; default: `destination.dataset_name`."""
    include_columns: Listed[Name] | None = None
    """Load only these columns; default: all. Hidden columns are loaded only when named here."""
    exclude_columns: Listed[Name] = ()
    """Leave these columns out, for instance because their type is not supported."""
    column_representation: dict[str, Representation] = Field(default_factory=dict)
    """Form of single columns, by column name, where the type leaves a choice. It wins over `representation`, which sets the
    form for all tables; RepresentationConfig describes the choices of each type. Three more choices exist for single columns
    only: `open_end` (datetime2(7)) and `utc_open_end` (datetimeoffset(7)) also hold the type's maximum, `bytes` loads character
    types as stored. See docs/types.md."""
    accept_row_filter: bool = False
    """Load a table although row-level security filters its rows for this login; otherwise such a table is refused."""
    schema_drift: SchemaDrift = "evolve"
    """Policy for columns of the source table that changed since the last load (docs/drift.md). `evolve`: new and wider columns
    are accepted, and a change that the warehouse cannot hold exactly is refused. `freeze`: any change stops the table. `ask`: any
    change stops the table until a run accepts it with `--accept-drift schema.table`. Other tables go on."""
    description: str | None = None
    """Shown in the Dagster UI."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the Dagster asset."""
    check_every: Duration | None = None
    """How often Dagster's sensors probe the table for changes: `30s`, `10m`, `6h`. Default: at every tick (each minute) where
    changes are detected by rowversion or row count; otherwise by what the probe takes: sixty times as long, at most six hours, at
    least a tick. `dltsync run` and Dagster's job for everything probe every table whatever stands here."""
    automation_condition: Annotated[Literal["none", "eager"] | OnCron, BeforeValidator(known_condition)] = "none"
    """Which part of Dagster requests loads of this table (docs/dagster.md). `none`: the sensor that finds a change. `eager`:
    Dagster's declarative automation, as soon as the sensor observed a change of the source. `on_cron`: the automation, at the
    next tick of a cron schedule, of what changed until then. With both the sensor requests what the automation missed."""
    automation_reads: Literal["changes", "everything"] = "changes"
    """What a run that the automation requested reads. `changes`: it probes first, and a partition or table that did not change is
    skipped and reported as such. `everything`: all that was requested."""
    asset: AssetConfig = Field(default_factory=AssetConfig)
    """How the table's asset appears and runs in Dagster."""

    @model_validator(mode="after")
    def _columns_in_or_out(self) -> Self:
        included = {c.casefold() for c in self.include_columns or ()}
        both = sorted(c for c in self.exclude_columns if c.casefold() in included)
        if both:
            raise ValueError(f"include_columns and exclude_columns both name {', '.join(both)}")
        if self.include_columns is not None and not self.include_columns:
            raise ValueError("include_columns is empty; leave it out to load all columns")
        return self

    @model_validator(mode="after")
    def _checked_after_some_time(self) -> Self:
        if self.check_every is not None and self.check_every <= timedelta(0):
            raise ValueError("check_every must be longer than zero")
        return self


class TableConfigBase(TableOptions, NamedTable):
    """A table that the config names."""

    @property
    def name(self) -> TableName:
        """The source table as it was written."""
        return TableName(self.schema_name, self.table_name)

    @property
    def target(self) -> tuple[str | None, str]:
        """(schema, table) in the warehouse; schema None means `destination.dataset_name` (see PipelineConfig.target_of)."""
        return self.target_schema, self.target_table or self.table_name


class PartitionOptions(TableOptions):
    """Fields of partition tables."""

    kind: ClassVar[TableKind] = "partition"

    partition_column: Name | None = None
    """Partitioning column, as a check: the table is refused when the catalogue names another one. Default: the catalogue's."""
    change_detection: Literal["auto", "rowversion", "last_modified", "fingerprint", "row_count"] = "auto"
    """How a changed partition is detected. `auto`: rowversion when the table has one, else `last_modified` when
    `last_modified_column` is given, else fingerprint. `rowversion` compares count, maximum and sum of that column per partition.
    `last_modified` compares count, maximum and a digest of key and column, and the whole content of rows where it is NULL.
    `fingerprint` hashes every row on the server. `row_count` is cheap and weak: it misses an update, and an insert with a delete.
    See docs/changes.md."""
    last_modified_column: Name | None = None
    """Column that every insert and update sets: a date-and-time type. An update that does not set it goes unseen."""
    retention: Retention | None = None
    """How much of the table a warehouse in SQL Server holds: a sliding window over its partitions. What lies before the window is
    removed from the warehouse and not read from the source; the lake keeps it. Default: everything
    (docs/sqlserver_warehouse.md)."""

    @model_validator(mode="after")
    def _last_modified_needs_its_column(self) -> Self:
        if self.change_detection == "last_modified" and self.last_modified_column is None:
            raise ValueError("change_detection last_modified needs last_modified_column")
        return self


class SCDOptions(TableOptions):
    """Fields of scd tables."""

    kind: ClassVar[TableKind] = "scd"

    business_key_columns: Listed[Name] | None = None
    """Columns that identify the thing a version is about, without the effective date. Together with the effective date they are
    unique, and none is NULL. Default: taken from the unique keys that contain the effective date, else the primary key without
    the effective date. Texts that the column's collation takes for equal are one key (docs/validation.md)."""
    last_modified_column: Name
    """Column that grows with every change: a date-and-time type or rowversion."""
    is_latest_column: Name = "IsLatest"
    """Flag of the newest version of a business key."""
    effective_date_column: Name = "EffectiveDate"
    """Start of a version, inclusive."""
    end_date_column: Name = "EndDate"
    """End of a version, exclusive; NULL or the type's maximum while the version is open."""
    lag_seconds: int = Field(default=300, ge=0)
    """Seconds below the watermark that each increment reads again. The digest of all stamps finds changes that commit later
    than that, and then all versions are read (docs/changes.md). Make it longer than your longest write transaction, and longer
    than the clock of the stamps may go back: an hour for local time with summer time. Not used with rowversion."""
    on_count_mismatch: Literal["resync", "fail"] = "resync"
    """Policy for an increment that, with the committed loads, does not make as many versions as the source has (rows were deleted
    there). The count is compared before anything is published. `resync`: all versions are read instead. `fail`: the table stops,
    unchanged, until a run with --full-refresh."""

    @model_validator(mode="after")
    def _keys_are_named_once(self) -> Self:
        keys = self.business_key_columns
        if keys is not None and not keys:
            raise ValueError("business_key_columns is empty; leave it out to detect the keys")
        if keys is not None and len({k.casefold() for k in keys}) != len(keys):
            raise ValueError("business_key_columns names a column twice")
        if self.effective_date_column.casefold() in {k.casefold() for k in keys or ()}:
            raise ValueError(
                f"business_key_columns names {self.effective_date_column}, the effective_date_column: leave it out, the key of a "
                "version is the business key and that date"
            )
        return self


class StaticOptions(TableOptions):
    """Fields of static tables."""

    kind: ClassVar[TableKind] = "static"

    hash_algorithm: Literal["hashbytes_sha256", "hashbytes_md5", "checksum"] = "hashbytes_sha256"
    """Hash that detects a change of content. `checksum` is fast and weak: SQL Server's CHECKSUM family misses some changes
    (swapped columns, rows changed in pairs, most of a long text), so an equal result proves nothing; combine it with
    force_reload_after."""
    load_strategy: Literal["replace", "upsert"] = "replace"
    """`replace`: the load replaces all rows of the warehouse table. `upsert`: rows are merged by key; rows deleted at the source
    stay in the warehouse."""
    key_columns: Listed[Name] | None = None
    """Key of an upsert; default: the primary key. It is unique, and no part is NULL."""
    force_reload_after: Duration | None = None
    """Load again when the last load is older than this, even if the hash is equal: `30m`, `12h`, `7d`, `2w`."""
    quality: Listed[QualityRule] = ()
    """Rules that are checked before the new rows become visible."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.force_reload_after is not None and self.force_reload_after <= timedelta(0):
            raise ValueError("force_reload_after must be longer than zero")
        if self.key_columns is not None and not self.key_columns:
            raise ValueError("key_columns is empty; leave it out to use the primary key")
        if self.key_columns is not None and self.load_strategy != "upsert":
            raise ValueError("key_columns needs load_strategy upsert")
        if self.key_columns is not None and len({k.casefold() for k in self.key_columns}) != len(self.key_columns):
            raise ValueError("key_columns names a column twice")
        return self


class PartitionTableConfig(PartitionOptions, TableConfigBase):
    """A table on a SQL Server partition function. One partition is the unit of change, load and validation."""


class SCDTableConfig(SCDOptions, TableConfigBase):
    """Master data stored as versions (SCD type 2) at the source, read by increments of a last-modified column."""


class StaticTableConfig(StaticOptions, TableConfigBase):
    """Reference data: a hash computed on the server decides whether the table is read."""


class PartitionTablePattern(PartitionOptions, TablePatternBase):
    """All tables on a partition function whose names fit (see `match`); the other fields hold for each of them."""

    def table(self, name: TableName) -> PartitionTableConfig:
        """The entry of one table that fits."""
        return PartitionTableConfig(**self.fields_of(name))


class SCDTablePattern(SCDOptions, TablePatternBase):
    """All tables with the columns of versions whose names fit (see `match`); the other fields hold for each of them."""

    def table(self, name: TableName) -> SCDTableConfig:
        """The entry of one table that fits."""
        return SCDTableConfig(**self.fields_of(name))


class StaticTablePattern(StaticOptions, TablePatternBase):
    """All tables whose names fit (see `match`); the other fields hold for each of them."""

    def table(self, name: TableName) -> StaticTableConfig:
        """The entry of one table that fits."""
        return StaticTableConfig(**self.fields_of(name))


TableConfig: TypeAlias = PartitionTableConfig | SCDTableConfig | StaticTableConfig
TablePattern: TypeAlias = PartitionTablePattern | SCDTablePattern | StaticTablePattern

NAMED, MATCHED = "(table)", "(match)"
"""Tags of the two forms of an entry: pydantic puts them into the paths of errors, where `error_messages` takes them out."""


def _form(entry: Any) -> str:
    has_pattern = "match" in entry if isinstance(entry, dict) else isinstance(entry, TablePatternBase)
    return MATCHED if has_pattern else NAMED


PartitionEntry: TypeAlias = Annotated[
    Annotated[PartitionTableConfig, Tag(NAMED)] | Annotated[PartitionTablePattern, Tag(MATCHED)], Discriminator(_form)
]
SCDEntry: TypeAlias = Annotated[
    Annotated[SCDTableConfig, Tag(NAMED)] | Annotated[SCDTablePattern, Tag(MATCHED)], Discriminator(_form)
]
StaticEntry: TypeAlias = Annotated[
    Annotated[StaticTableConfig, Tag(NAMED)] | Annotated[StaticTablePattern, Tag(MATCHED)], Discriminator(_form)
]

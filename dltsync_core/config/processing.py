"""How the work is done and where things are kept: processing, state, destination, representation of
columns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from dltsync_core.config.dlt_destination import (
    TABLE_FORMATS,
    TESTED,
    UNTESTED,
    Credentials,
    bucket_location,
    check_table_format,
    known_destination,
    known_table_format,
)
from dltsync_core.config.lake_location import LakeLocation, StorageOptions, scheme_of
from dltsync_core.config.memory_budget import MemoryBudget, memory_budget
from dltsync_core.config.model import Spec
from dltsync_core.config.sqlserver_destination import SqlServerWarehouseSettings

if TYPE_CHECKING:
    from typing_extensions import Self


class ProcessingConfig(Spec):
    """Limits of a run: sizes, parallelism, retries, checks."""

    batch_size: int = Field(default=65536, ge=1, le=1_000_000)
    """Rows per Arrow batch, at most. Wide tables get fewer, so that a batch stays near batch_bytes_mb."""
    batch_bytes_mb: int = Field(default=16, ge=1, le=1024)
    """Target size of one Arrow batch in megabytes, estimated from the declared column widths. At most an eighth of a worker's
    share of memory_limit_mb."""
    max_workers: int = Field(default=4, ge=1, le=64)
    """Units (partitions or tables) extracted at the same time, over all tables."""
    memory_limit_mb: int = Field(default=2048, ge=1)
    """Megabytes of the whole process. 384 are its own; a third of the rest is DuckDB's, and the workers share what is left
    (docs/performance.md shows the split). The least is 512 and 96 for each worker. A single row may take more than this: one of
    200 MB about 1.5 GB while it is read and written."""
    retry_attempts: int = Field(default=3, ge=1, le=20)
    """Attempts, the first one included, to query the source or to read a unit while failures are transient (connection lost,
    deadlock, throttling, failover). A permanent failure, such as a wrong password, is never retried."""
    retry_budget_seconds: float = Field(default=300, ge=0)
    """Seconds that one unit may spend waiting between its attempts. Waits grow, with jitter: seconds after a deadlock, 10 and
    more when the server throttles, up to a minute during a failover."""
    run_retry_budget_seconds: float = Field(default=1800, ge=0)
    """Seconds that all units of one run together may spend waiting between attempts. After that every failure is final."""
    statement_rows_limit: int = Field(default=1_000_000, ge=1)
    """Rows that one statement reads, at most: a unit with more is read in slices along its primary key or another unique key.
    Wide rows make slices shorter. Without a usable key one statement reads the whole unit."""
    statement_seconds_limit: int = Field(default=600, ge=1)
    """Seconds that one statement of a unit read in slices may run. The size of slices aims at half of it; a statement that takes
    longer is ended, and reading continues after the last row (under SNAPSHOT isolation). A statement that returns no row for so
    long is cancelled."""
    partition_parallel_limit: int = Field(default=2, ge=1, le=64)
    """Partitions of one table extracted at the same time."""
    row_group_rows: int = Field(default=131072, ge=1, le=10_000_000)
    """Rows per Parquet row group, at most. Wide rows make row groups of fewer: one has at most 64 MB in memory, and at most a
    quarter of a worker's share of memory_limit_mb."""
    compression: Literal["zstd", "snappy", "gzip", "lz4", "none"] = "zstd"
    """Parquet compression."""
    enable_sql_server_partition_switching: bool = True
    """Use ALTER TABLE … SWITCH in a SQL Server warehouse, where nothing stands against it (docs/sqlserver_warehouse.md). False:
    rows are deleted and inserted, or partitions truncated. No effect on any other warehouse."""
    validate_precision_end_to_end: bool = True
    """Compare the exact sums of decimal and money columns: lake and warehouse after each load, source, lake and warehouse in
    `dltsync validate`. False leaves the sums out; types stay exact either way."""
    require_snapshot: bool = False
    """Fail when the database does not allow SNAPSHOT isolation. False: such a database is read under READ COMMITTED with counts
    before and after, and every load reports it."""

    @property
    def memory(self) -> MemoryBudget:
        """How the memory limit is divided."""
        return memory_budget(self.memory_limit_mb, self.max_workers, self.batch_bytes_mb, os.cpu_count() or 1)

    @model_validator(mode="after")
    def _memory_is_enough(self) -> Self:
        _ = self.memory
        return self

    @field_validator("compression", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class StateConfig(Spec):
    """The ledger, the lake, and how long their records are stored."""

    state_directory: Path = Path(".dltsync/state")
    """Directory of the ledger and of working files. Relative to the config file."""
    parquet_directory: LakeLocation = Path(".dltsync/lake")
    """Directory of the Parquet lake, relative to the config file; or the URL of a prefix in an object store (extras `s3`,
    `azure`, `gcs`): `s3://bucket/prefix`, `abfss://container@account.dfs.core.windows.net/prefix`, `az://container/prefix`,
    `gs://bucket/prefix`."""
    storage_options: StorageOptions | None = None
    """Options for the object store's driver (s3fs, adlfs, gcsfs): keys, endpoint, region. All of it is secret. Leave it out where
    the machine has its own credentials (instance role, workload identity, ~/.aws; docs/lake.md)."""
    lake_cache_mb: int = Field(default=4096, ge=0)
    """Megabytes of an object store's files that are cached in state_directory. A load may use more while it runs: the files it
    needs stay cached until it ends."""
    state_url: SecretStr | None = None
    """SQLAlchemy URL of the ledger, when several machines share it; default: an SQLite file in state_directory."""
    enable_self_healing: bool = True
    """Load units again that are committed in the ledger and missing or damaged in lake or warehouse. False: stop with an
    error."""
    state_retention_days: int = Field(default=90, ge=1)
    """Days after which ledger events and backups are deleted. The newest state of every table is never deleted."""
    lease_seconds: float = Field(default=120, ge=1, le=86_400)
    """Seconds without renewal after which the lease on a partition or table expires and another run may take it (the holder was
    killed, paused or cut off). The lease of a run that died on this machine ends at once."""
    lease_wait_seconds: float = Field(default=600, ge=0)
    """Seconds to wait for another run that holds the lease on the same partition or table."""
    ledger_retry_seconds: float = Field(default=60, ge=0)
    """Seconds that a run waits for a ledger that is away for a moment (its server restarts, a connection was cut, the file is
    locked) before a unit fails. `plan` and `status` wait at most 5 seconds. 0: no wait."""
    validate_state_consistency: bool = True
    """Compare the ledger with the lake and the warehouse before a unit counts as unchanged."""
    backup_state_before_run: bool = True
    """Copy the SQLite ledger before each run (state_directory/backups). A ledger on a server (`state_url`) is not copied: its
    administrator backs it up."""
    keep_generations: int = Field(default=1, ge=0, le=1000)
    """Superseded generations of lake files to retain per unit."""

    @model_validator(mode="after")
    def _options_have_a_store(self) -> Self:
        if self.storage_options is not None and scheme_of(self.parquet_directory) is None:
            raise ValueError("storage_options are for an object store; parquet_directory is a directory")
        return self


class DestinationConfig(SqlServerWarehouseSettings):
    """The warehouse that the rows are loaded into: a DuckDB file, a database of a SQL Server, or a database that dlt loads
    (docs/destinations.md)."""

    type: Literal["duckdb", "sqlserver", "dlt"] = "duckdb"
    """`duckdb`: the file `path`. `sqlserver`: the database of `connection`. `dlt`: dlt's `destination`, for instance a PostgreSQL
    database."""
    path: Path = Path(".dltsync/dltsync.duckdb")
    """The DuckDB file. Relative to the config file. DuckDB names the database after the file: when a schema has the same
    name, queries must name its tables in full (`sales.sales.orders`)."""
    destination: Annotated[str, AfterValidator(known_destination)] | None = None
    """With `type: dlt`: dlt's name of the destination. `postgres` (extra `postgres`) and `filesystem` with Delta tables (extra
    `delta`) are tested; ducklake, motherduck, redshift, snowflake and sqlalchemy are not."""
    table_format: Annotated[str, AfterValidator(known_table_format)] | None = None
    """With `destination: filesystem`: `delta`, the format of the tables."""
    bucket_url: Annotated[str, AfterValidator(bucket_location)] | None = None
    """With `destination: filesystem`: the directory (relative to the config file) or the URL (`s3://bucket/prefix`) that the
    tables are stored below. Left out: dlt takes it from its own configuration (`DESTINATION__FILESYSTEM__BUCKET_URL`)."""
    credentials: Credentials | None = None
    """With `type: dlt`: a URL (`postgresql://user:password@host:5432/database`) or a mapping with dlt's field names. All of it is
    secret. Left out: dlt takes them from its own configuration, the environment (`DESTINATION__POSTGRES__CREDENTIALS`) or
    `.dlt/secrets.toml` in the working directory."""
    dataset_name: str = Field(default="warehouse", min_length=1, max_length=128)
    """Schema for tables that name no target_schema."""
    lock_timeout_seconds: float = Field(default=600, gt=0)
    """Seconds to wait while another process has the DuckDB file open, is loading the same table of a SQL Server, or, with
    `type: dlt`, has a lock on the table or commits to the same Delta table."""

    @property
    def name(self) -> str:
        """The warehouse as messages name it: the file, server and database, the tables' directory, or dlt's destination."""
        if self.connection is not None:
            return f"{self.connection.address}/{self.connection.database}"
        return self.bucket_url or self.destination or str(self.path)

    @property
    def database(self) -> str:
        """The warehouse in a name of three parts and in Dagster's pools: the file's name, the database, or dlt's destination."""
        if self.connection is not None:
            return self.connection.database
        return self.destination or self.path.stem

    @property
    def checks_histories(self) -> bool:
        """Whether `dltsync repair` and Dagster's check of version integrity work on this warehouse."""
        return self.type == "duckdb"

    @property
    def system(self) -> str:
        """The database system: duckdb, sqlserver, the format of the tables, or dlt's destination."""
        return self.table_format or self.destination or self.type

    @field_validator("type", mode="before")
    @classmethod
    def _known_type(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lower() in {"mssql", "sql_server"}:
            return "sqlserver"
        if value.lower() in (*TESTED, *TABLE_FORMATS, *UNTESTED):
            raise ValueError(f"write `type: dlt` and `destination: {value.lower()}`")
        return value.lower()

    @model_validator(mode="after")
    def _fields_of_its_type(self) -> Self:
        if self.type == "dlt" and self.destination is None:
            raise ValueError(
                f"`type: dlt` needs `destination`, one of {', '.join((*TESTED, *TABLE_FORMATS, *UNTESTED))}"
            )
        if self.type == "sqlserver" and self.connection is None:
            raise ValueError(
                "type sqlserver needs connection: server, database and a login, as in the section database"
            )
        given = [name for name in ("destination", "credentials") if getattr(self, name) is not None]
        if self.type != "dlt" and given:
            hint = "; a DuckDB file has its `path`" if self.type == "duckdb" else ""
            raise ValueError(f"{' and '.join(given)}: for `type: dlt`{hint}")
        check_table_format(self.destination, self.table_format, self.bucket_url)
        if self.type != "sqlserver" and self.connection is not None:
            raise ValueError("connection is for type sqlserver")
        if self.type == "sqlserver" and "path" in self.model_fields_set:
            raise ValueError("path is for type duckdb")
        return self


class RepresentationConfig(Spec):
    """Form of columns whose type has no single exact counterpart, in all tables; `column_representation` of a table wins. A type
    that is left out has its default. When a choice changes, tables with such columns are loaded again."""

    datetime2: Literal["nanoseconds", "microseconds", "text"] | None = None
    """datetime2(7): `nanoseconds` (the default; 1677 to 2262), `microseconds` (all years; a seventh digit other
    than 0 stops the load) or `text` (every value). Fewer digits are always microseconds. This setting does not change ends of
    periods (`text`) and end dates of scd tables (`open_end`), and their effective dates never become text."""
    time: Literal["text", "microseconds"] | None = None
    """time(7): `text` (the default) or `microseconds` (a seventh digit that is not 0 stops the load). Fewer digits are
    always microseconds."""
    datetimeoffset: Literal["text", "utc"] | None = None
    """`text` (the default, preserves the offset) or `utc` (an instant; loses the offset). For the end date of an scd table
    with seven digits `utc` means `utc_open_end`."""
    uniqueidentifier: Literal["uuid", "text"] | None = None
    """`uuid` (the default, 16 bytes) or `text`, 36 characters in upper case. Both sort differently than in SQL Server."""
    hierarchyid: Literal["text", "bytes"] | None = None
    """`text` (the default, `/1/2.1/`) or `bytes`, the stored form."""
    geometry: Literal["bytes", "wkb", "text"] | None = None
    """`bytes` (the default, the server's own form), `wkb` or `text`; both lose the SRID."""
    geography: Literal["bytes", "wkb", "text"] | None = None
    """As `geometry`."""
    sql_variant: Literal["text"] | None = None
    """Refused unless `text` is set here, which loses declared length, precision, collation and scale."""
    vector: Literal["text"] | None = None
    """Refused unless `text` is set here, which loses digits."""

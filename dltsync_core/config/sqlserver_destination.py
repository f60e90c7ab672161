"""Settings of a warehouse in SQL Server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.model import Spec


class WarehouseConnection(DatabaseConfig):
    """The database that rows are loaded into: the fields of `database`. Nothing is taken from the DLT_SYNC_* variables, which
    are the source's; write `password: ${NAME_OF_A_VARIABLE}`."""

    model_config = SettingsConfigDict(env_prefix="")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class PartitionPlacement(Spec):
    """Where a partitioned table of the warehouse lies. Objects that exist are used; those that do not are made."""

    function: str | None = Field(default=None, min_length=1, max_length=128)
    """Partition function. Default: one for the table alone, with the source's boundaries."""
    scheme: str | None = Field(default=None, min_length=1, max_length=128)
    """Partition scheme on that function. Default: one for the table alone."""
    filegroup: str = Field(default="PRIMARY", min_length=1, max_length=128)
    """Filegroup of a scheme that is made."""


class SqlServerWarehouseSettings(Spec):
    """Settings of `destination` for a warehouse in SQL Server (`type: sqlserver`)."""

    connection: WarehouseConnection | None = None
    """SQL Server: the database that rows are loaded into, with the fields of `database` (docs/sqlserver_warehouse.md)."""
    staging_schema: str = Field(default="_dltsync_staging", min_length=1, max_length=128)
    """SQL Server: schema of the staging tables, which belongs to dltsync alone."""
    partitions: dict[str, PartitionPlacement] = Field(default_factory=dict)
    """SQL Server: partition functions and schemes by target (`schema.table`), where they should not be made by dltsync."""
    allow_referenced_targets: bool = False
    """SQL Server: replace rows of a table that foreign keys reference. Deleting them can fail (547) or cascade."""
    switch_lock_timeout_ms: int = Field(default=3000, ge=100, le=60_000)
    """SQL Server: milliseconds that publishing waits for readers of the table. New readers wait behind it, so keep it short; it
    is tried again with pauses, within lock_timeout_seconds."""
    table_storage: Literal["rowstore", "columnstore"] = "rowstore"
    """SQL Server: storage of tables that are made: rows with the primary key as clustered index, or a clustered columnstore
    index."""
    indexes: Literal["none", "source"] = "none"
    """SQL Server: indexes of tables that are made. `none` makes the clustered one alone; `source` makes the source's nonclustered
    indexes too, on the table's partition scheme. `dltsync plan` names those that are left out, with the reason."""
    changed_types: Literal["refuse", "rebuild"] = "refuse"
    """SQL Server: a wider type where the server does not alter the column. `refuse` stops the load. `rebuild` copies the
    rows of a partitioned table into a new one and puts it in the place of the old one in one transaction; in another table
    it drops keys, indexes and CHECK constraints that depend on the column and makes them again, in the transaction of the
    change."""
    bulk_load: Literal["bulkcopy", "fast_executemany"] = "bulkcopy"
    """SQL Server: how rows get into staging tables. `bulkcopy` streams them by INSERT BULK; `fast_executemany` inserts them by
    pyodbc, slower, for a login without the right to load in bulk or a server that refuses it."""

"""The warehouse that a config names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_core.identity import Target, parsed_name
from dltsync_core.warehouse.delta.warehouse import DeltaWarehouse
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from dltsync_core.warehouse.sqlserver.staging import folded
from dltsync_core.warehouse.sqlserver.store import StoreSettings
from dltsync_core.warehouse.sqlserver.warehouse import SqlServerWarehouse

ConfiguredWarehouse: TypeAlias = DuckDbWarehouse | SqlServerWarehouse | DltWarehouse | DeltaWarehouse


def open_warehouse(config: PipelineConfig, *, on_wait: Callable[[str], None]) -> ConfiguredWarehouse:
    """Opens and creates nothing. `on_wait` gets a sentence when another process holds the warehouse. Raises ConfigError."""
    destination, work = config.destination, config.state.state_directory / "work"
    credentials = destination.credentials.get_secret_value() if destination.credentials is not None else None
    if destination.table_format is not None:
        return DeltaWarehouse(
            destination.bucket_url,
            credentials,
            lock_timeout_seconds=destination.lock_timeout_seconds,
            memory=config.processing.memory.warehouse,
            on_wait=on_wait,
        )
    if destination.destination is not None:
        return DltWarehouse(
            destination.destination,
            credentials,
            dataset_name=destination.dataset_name,
            work_directory=work,
            lock_timeout_seconds=destination.lock_timeout_seconds,
        )
    if destination.connection is None:
        return DuckDbWarehouse(
            destination.path,
            work_directory=work,
            lock_timeout_seconds=destination.lock_timeout_seconds,
            memory=config.processing.memory.warehouse,
            on_wait=on_wait,
        )
    return SqlServerWarehouse(
        destination.connection, work_directory=work, settings=sqlserver_settings(config), on_wait=on_wait
    )


def sqlserver_settings(config: PipelineConfig) -> StoreSettings:
    """What a config says of a warehouse in SQL Server. Raises ConfigError."""
    destination = config.destination
    switching = config.processing.enable_sql_server_partition_switching
    return StoreSettings(
        staging_schema=destination.staging_schema,
        lock_seconds=destination.lock_timeout_seconds,
        switch_lock_timeout_ms=destination.switch_lock_timeout_ms,
        ladder=LadderSettings(switching=switching, referenced_targets=destination.allow_referenced_targets),
        placements={folded(_target(name)): placement for name, placement in destination.partitions.items()},
        columnstore=destination.table_storage == "columnstore",
        bulk_load=destination.bulk_load,
        source_indexes=destination.indexes == "source",
        may_rebuild=destination.changed_types == "rebuild",
    )


def _target(name: str) -> Target:
    found = parsed_name(name)
    if found is None or found[0] is None:
        raise ConfigError(
            f"destination.partitions: {name!r} does not name a table of the warehouse", remedy="write schema.table"
        )
    return found[0], found[1]

"""The warehouse that a config names. Opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dltsync_core.config import DestinationConfig
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse

ConfiguredWarehouse: TypeAlias = "DuckDbWarehouse | DltWarehouse"


def open_warehouse(
    destination: DestinationConfig, work_directory: Path, *, on_wait: Callable[[str], None]
) -> ConfiguredWarehouse:
    """`work_directory` is for working files while a load runs; `on_wait` hears a sentence when a DuckDB file is held by
    others."""
    if destination.type == "duckdb" or destination.destination is None:
        return DuckDbWarehouse(
            destination.path,
            work_directory=work_directory,
            lock_timeout_seconds=destination.lock_timeout_seconds,
            on_wait=on_wait,
        )
    credentials = destination.credentials
    return DltWarehouse(
        destination.destination,
        credentials.get_secret_value() if credentials is not None else None,
        dataset_name=destination.dataset_name,
        work_directory=work_directory,
        lock_timeout_seconds=destination.lock_timeout_seconds,
    )

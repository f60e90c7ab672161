"""What a run does before and after its loads.

Before anything is read the paths of the config are checked: a run that finds out at its end that its warehouse cannot be opened
has read every row for nothing. Before anything changes the ledger is copied and pruned. At the end the files of killed loads are
removed.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from dltsync_core.clock import utc_now
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError, NotWritable, SyncError
from dltsync_core.run.context import RunContext, log
from dltsync_core.state.backup import back_up
from dltsync_core.state.store import BACKUPS


def check_names(config: PipelineConfig) -> None:
    """Pure. Raises ConfigError for a warehouse path that DuckDB cannot open. `config` has its paths made absolute."""
    path = config.destination.path
    if config.destination.type == "duckdb" and "?" in str(path):
        raise ConfigError(
            f"destination.path: {path} holds a `?`, which DuckDB takes for the beginning of options: what it writes beside the "
            "file goes astray",
            remedy="name another directory or file, without a `?`",
        )


def check_places(config: PipelineConfig, *, writing: bool) -> None:
    """Raises NotWritable, which names field and path, when lake, state or warehouse cannot be where the config says; with
    `writing` also when this user may not write there."""
    _check_directory(config.state.state_directory, "state.state_directory", writing=writing)
    if isinstance(config.state.parquet_directory, Path):
        _check_directory(config.state.parquet_directory, "state.parquet_directory", writing=writing)
    if config.destination.type != "duckdb":
        return
    warehouse = config.destination.path
    if warehouse.is_dir():
        raise NotWritable(
            f"destination.path: {warehouse} is a directory, and the warehouse is a file",
            remedy=f"name a file in it: {warehouse / 'dltsync.duckdb'}",
            path=str(warehouse),
        )
    if writing and warehouse.exists() and not os.access(warehouse, os.W_OK):
        raise NotWritable(
            f"destination.path: {warehouse} cannot be written",
            remedy="give this user write access to the file, or name another one",
            path=str(warehouse),
        )
    _check_directory(warehouse.parent, "destination.path", writing=writing)


def _check_directory(path: Path, field: str, *, writing: bool) -> None:
    """Whether a directory is there, or can be made."""
    there = next((place for place in (path, *path.parents) if place.exists() or place.is_symlink()), path)
    if not there.is_dir():
        what = "a link that leads nowhere" if there.is_symlink() and not there.exists() else "a file"
        raise NotWritable(
            f"{field}: {there} is {what}, and a directory is needed there",
            remedy="name another directory, or move away what stands there",
            path=str(there),
        )
    if writing and not os.access(there, os.W_OK | os.X_OK):
        raise NotWritable(
            f"{field}: the directory {there} cannot be written",
            remedy="make it writable for this user, or name another one",
            path=str(there),
        )


def prepare_state(context: RunContext) -> None:
    """The backup first, so that what retention forgets can be found in it. Raises StateError, NotWritable or DiskFull."""
    state, now = context.config.state, utc_now()
    if state.backup_state_before_run:
        directory = state.state_directory / BACKUPS
        back_up(context.ledger.store, directory, now=now, retention_days=state.state_retention_days)
    context.ledger.prune(now - timedelta(days=state.state_retention_days))
    context.lake.sweep(now)


def cleanup_warehouse(context: RunContext) -> None:
    """What a killed load left in the warehouse, where no load of this run came by and removed it. When that fails it is said, and
    costs nothing but the room."""
    try:
        with context.warehouse_turn:
            context.warehouse.cleanup()
    except SyncError as error:
        log.warning("what a killed load left in the warehouse could not be removed: %s", error)

"""What a run does beside its loads: before it changes anything a copy of the state is kept and what is old enough forgotten; at
its end what a killed load left in the warehouse is removed."""

from __future__ import annotations

from datetime import timedelta

from dltsync_core.clock import utc_now
from dltsync_core.errors import SyncError
from dltsync_core.run.context import RunContext, log
from dltsync_core.state.backup import back_up
from dltsync_core.state.store import BACKUPS


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
            context.warehouse.tidy()
    except SyncError as error:
        log.warning("what a killed load left in the warehouse could not be removed: %s", error)

"""What a run does for the state before it changes anything: keep a copy, then forget what is old enough."""

from __future__ import annotations

from datetime import timedelta

from dltsync_core.clock import utc_now
from dltsync_core.run.services import Services
from dltsync_core.state.backup import back_up
from dltsync_core.state.store import BACKUPS


def look_after_state(services: Services) -> None:
    """The backup first, so that what retention forgets can be found in it. Raises StateError, NotWritable or DiskFull."""
    state, now = services.config.state, utc_now()
    if state.backup_state_before_run:
        directory = state.state_directory / BACKUPS
        back_up(services.ledger.store, directory, now=now, retention_days=state.state_retention_days)
    services.ledger.prune(now - timedelta(days=state.state_retention_days))
    services.lake.sweep(now)

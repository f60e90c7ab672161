"""What a run does for the state before it changes anything: forget what is old enough, and keep a copy."""

from __future__ import annotations

from datetime import timedelta

from dltsync_core.clock import utc_now
from dltsync_core.run.services import Services
from dltsync_core.state.backup import back_up


def look_after_state(services: Services) -> None:
    """Retention in the ledger and the lake, then the backup. Raises StateError, NotWritable or DiskFull."""
    state, now = services.config.state, utc_now()
    services.ledger.prune(now - timedelta(days=state.state_retention_days))
    services.lake.sweep(now)
    if state.backup_state_before_run:
        directory = state.state_directory / "backups"
        back_up(services.ledger.store, directory, now=now, retention_days=state.state_retention_days)

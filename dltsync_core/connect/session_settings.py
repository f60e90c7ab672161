"""What every session is set to right after it is opened, and how errors of a configured server are told."""

from __future__ import annotations

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.connection_advice import Way
from dltsync_core.connect.faults import Address
from dltsync_core.redaction import secrets_of

NO_LIMIT = -1
"""SET LOCK_TIMEOUT: wait for as long as it takes."""
CATALOG_LOCK_TIMEOUT_MS = 30_000
"""Catalogue queries wait for schema changes only, which are short; a longer one should be seen, not waited for."""


def session_settings(lock_timeout_ms: int) -> str:
    """XACT_ABORT so that a cancelled statement leaves no open transaction behind; locks are waited for this long."""
    return f"SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT {int(lock_timeout_ms)};"


def address_of(database: DatabaseConfig) -> Address:
    """Where this config leads, for messages, with what must never stand in one."""
    host, _, instance = database.server.partition("\\")
    return Address(
        server=database.address,
        database=database.database,
        secrets=secrets_of(database),
        command_timeout=database.command_timeout,
        way=Way(host, database.port, instance or None, database.encrypt),
    )

"""Settings of every session, and the address of a configured server for error messages."""

from __future__ import annotations

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.connection_advice import Route
from dltsync_core.connect.faults import Address

NO_LIMIT = -1
"""SET LOCK_TIMEOUT: wait without limit."""
CATALOG_LOCK_TIMEOUT_MS = 30_000
"""Catalogue queries wait for schema changes only, which are short; a longer one is an error."""


def session_settings(lock_timeout_ms: int) -> str:
    """XACT_ABORT, so that a cancelled statement leaves no open transaction; statements wait this long for locks."""
    return f"SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT {int(lock_timeout_ms)};"


def address_of(database: DatabaseConfig) -> Address:
    """The server of this config for messages, with the secrets that must not appear in them."""
    secret = database.password.get_secret_value() if database.password is not None else ""
    host, _, instance = database.server.partition("\\")
    return Address(
        server=database.address,
        database=database.database,
        secrets=(secret,) if secret else (),
        command_timeout=database.command_timeout,
        route=Route(host, database.port, instance or None, database.encrypt),
    )

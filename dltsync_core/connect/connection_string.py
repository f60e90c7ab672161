"""What a session is opened with and set to: connection strings, settings, and the address for messages.

In a connection string our security keywords come first, and every value of the config stands in braces. ODBC takes the first of a
repeated keyword, so no value can weaken what stands before it; braces (`}` doubled) keep it from being read as a keyword at all.
"""

from __future__ import annotations

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.access_token import access_tokens, login_advice
from dltsync_core.connect.connection_advice import Route
from dltsync_core.connect.faults import Address
from dltsync_core.redaction import secrets_of


def control_string(database: DatabaseConfig, driver: str) -> str:
    """For pyodbc. `driver` is a path or a registered name. Holds the password: never log it."""
    application = f"APP={braced(database.application_name)}"
    parts = [f"Driver={braced(driver)}", *_security(database), *_server_parts(database), application, *_login(database)]
    return ";".join(parts)


def data_string(database: DatabaseConfig) -> str:
    """For mssql-python, which brings its own driver and names the application itself. Holds the password: never log it."""
    return ";".join([*_security(database), *_server_parts(database), *_login(database)])


def braced(value: str) -> str:
    """A value in braces, so that none of its characters has a meaning in the connection string."""
    return "{" + value.replace("}", "}}") + "}"


def _security(database: DatabaseConfig) -> list[str]:
    trust = "yes" if database.trust_server_certificate else "no"
    parts = [f"Encrypt={database.encrypt}", f"TrustServerCertificate={trust}"]
    if database.host_name_in_certificate is not None:
        parts.append(f"HostnameInCertificate={braced(database.host_name_in_certificate)}")
    return parts


def _server_parts(database: DatabaseConfig) -> list[str]:
    named = "\\" in database.server
    address = f"tcp:{database.server}" if named else f"tcp:{database.server},{database.port}"
    parts = [f"Server={braced(address)}", f"Database={braced(database.database)}"]
    if database.application_intent == "ReadOnly":
        parts.append("ApplicationIntent=ReadOnly")
    if database.multi_subnet_failover:
        parts.append("MultiSubnetFailover=yes")
    # A session that the driver reopens without notice has lost its snapshot and its settings.
    return [*parts, "ConnectRetryCount=0"]


def _login(database: DatabaseConfig) -> list[str]:
    if access_tokens(database) is not None:
        return []  # the drivers refuse a token beside any of these keywords
    parts: list[str] = []
    if database.authentication is not None:
        parts.append(f"Authentication={database.authentication}")
    if database.integrated_security:
        parts.append("Trusted_Connection=yes")
    if database.username is not None:
        parts.append(f"UID={braced(database.username)}")
    if database.password is not None:
        parts.append(f"PWD={braced(database.password.get_secret_value())}")
    return parts


NO_LIMIT = -1
"""SET LOCK_TIMEOUT: wait without limit."""
CATALOG_LOCK_TIMEOUT_MS = 30_000
"""Catalogue queries wait for schema changes only, which are short; a longer one is an error."""


def data_lock_timeout_ms(database: DatabaseConfig) -> int:
    """Milliseconds that a statement for rows waits for locks: a tenth less than it may take. So who waits for a lock all the time
    reads that, not that the statement was cancelled, and keeps the connection."""
    return database.command_timeout * 900 if database.command_timeout else NO_LIMIT


def catalog_lock_timeout_ms(database: DatabaseConfig) -> int:
    """Milliseconds that a statement of a control session waits for locks."""
    limit = data_lock_timeout_ms(database)
    return CATALOG_LOCK_TIMEOUT_MS if limit == NO_LIMIT else min(limit, CATALOG_LOCK_TIMEOUT_MS)


def session_settings(lock_timeout_ms: int) -> str:
    """XACT_ABORT, so that a cancelled statement leaves no open transaction; statements wait this long for locks."""
    return f"SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT {int(lock_timeout_ms)};"


def address_of(database: DatabaseConfig) -> Address:
    """The server of this config for messages, with the secrets that must not appear in them."""
    host, _, instance = database.server.partition("\\")
    tokens = access_tokens(database)
    used = () if tokens is None or (token := tokens.last()) is None else (token.token,)
    return Address(
        server=database.address,
        database=database.database,
        secrets=(*secrets_of(database), *used),
        command_timeout=database.command_timeout,
        route=Route(host, database.port, instance or None, database.encrypt),
        login_advice=login_advice(database),
    )

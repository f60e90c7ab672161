"""Connection strings: security keywords first, every configured value in braces. And how to show one without secrets.

ODBC takes the first of a repeated keyword, so no text inside a value can weaken the keywords before it; braces (`}`
doubled) prevent it from being read as a keyword at all.
"""

from __future__ import annotations

import re

from dltsync_core.config.database import DatabaseConfig

HIDDEN = "***"
_SECRET = re.compile(r"(?i)\b(PWD|Password|AccessToken)\s*=\s*(\{(?:[^}]|\}\})*\}?|[^;]*)")


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


def redacted(connection_string: str) -> str:
    """A connection string without secrets, for messages."""
    return _SECRET.sub(lambda match: f"{match[1]}={HIDDEN}", connection_string)


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

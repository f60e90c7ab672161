"""The ledger in a server's database, which machines share: nobody waits there for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

LOCK_SECONDS = 60
"""How long a transaction waits for another one. They take milliseconds: who takes longer stands still."""

STANDSTILL_SECONDS = 30
"""A transaction in which nothing happens for so long belongs to a process that was paused (a suspended machine, SIGSTOP) or cut
off. The server ends it, so that the others go on before their own patience ends. PostgreSQL only: SQL Server cannot."""

VANISHED_SECONDS = 30
"""A server that was switched off or moved to another address says nothing: its connections are given up after so long, while the
system's own limits are minutes and hours."""

CONNECT_SECONDS = 10
"""How long one attempt to connect may take."""

_LIBPQ: Mapping[str, int] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": VANISHED_SECONDS // 3,
    "keepalives_interval": VANISHED_SECONDS // 6,
    "keepalives_count": 4,
    "tcp_user_timeout": VANISHED_SECONDS * 1000,
}
"""For the drivers on PostgreSQL's own library. What stands in the URL goes first."""

_SETTINGS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "postgresql": lambda: (
        f"SET lock_timeout = '{LOCK_SECONDS}s'",
        f"SET idle_in_transaction_session_timeout = '{STANDSTILL_SECONDS}s'",
    ),
    "mssql": lambda: (f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}",),
}


def open_engine(url: sa.URL) -> sa.Engine:
    """An engine on the server's database. Nothing is connected yet."""
    limits = {name: value for name, value in _connecting(url).items() if name not in url.query}
    engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=limits)
    event.listen(engine, "connect", lambda connection, _: _set_up(connection, settings(engine.dialect.name)))
    return engine


def _connecting(url: sa.URL) -> Mapping[str, int]:
    return _LIBPQ if url.get_driver_name() in ("psycopg", "psycopg2") else {}


def settings(dialect: str) -> tuple[str, ...]:
    """What every connection is told first."""
    return _SETTINGS.get(dialect, tuple)()


def _set_up(connection: Any, statements: tuple[str, ...]) -> None:
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()  # else PostgreSQL takes them back with the transaction that they opened
    except BaseException:
        connection.close()  # nobody else knows of it yet
        raise

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

_SETTINGS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "postgresql": lambda: (
        f"SET lock_timeout = '{LOCK_SECONDS}s'",
        f"SET idle_in_transaction_session_timeout = '{STANDSTILL_SECONDS}s'",
    ),
    "mssql": lambda: (f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}",),
}


def open_engine(url: sa.URL) -> sa.Engine:
    """An engine on the server's database. Nothing is connected yet."""
    engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
    event.listen(engine, "connect", lambda connection, _: _set_up(connection, settings(engine.dialect.name)))
    return engine


def settings(dialect: str) -> tuple[str, ...]:
    """What every connection is told first."""
    return _SETTINGS.get(dialect, tuple)()


def _set_up(connection: Any, statements: tuple[str, ...]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()  # else PostgreSQL takes them back with the transaction that they opened

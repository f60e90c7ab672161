"""The time as the ledger's store has it: one clock for all machines that share it."""

from __future__ import annotations

import time

import sqlalchemy as sa


def store_time(connection: sa.Connection) -> int:
    """Milliseconds since 1970 by the store's clock: one clock for all machines that share it; for SQLite this machine's."""
    statement = CLOCKS.get(connection.dialect.name)
    return time.time_ns() // 1_000_000 if statement is None else int(connection.execute(statement).scalar_one())


CLOCKS = {
    "postgresql": sa.text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)"),
    "mssql": sa.text("SELECT DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())"),
}

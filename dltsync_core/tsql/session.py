"""Opening and ending a read view."""

from __future__ import annotations

from dltsync_core.tsql.fragments import Sql, Statement, sql


def view_facts(*, ceiling: bool) -> Statement:
    """One row: snapshot_state (1: SNAPSHOT transactions are allowed), and with `ceiling` the rowversion ceiling.

    `ceiling` is MIN_ACTIVE_ROWVERSION(): no open transaction will commit a rowversion below it. It is read before the
    snapshot begins, because it ignores isolation: read later it would cover commits the snapshot does not see.
    """
    lowest = sql(",\n  CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) AS ceiling") if ceiling else Sql(())
    return sql(
        "SELECT d.snapshot_isolation_state AS snapshot_state{lowest}\n"
        "FROM sys.databases AS d\n"
        "WHERE d.database_id = DB_ID()",
        lowest=lowest,
    ).render()


def open_transactions() -> Statement:
    """One row per transaction that has written to this database and is still open, oldest first and at most three: session_id
    (NULL without one), login_name, program_name, host_name, since (server local time), seconds. The own one is excluded.

    Needs VIEW SERVER STATE (VIEW SERVER PERFORMANCE STATE from 2022 on, VIEW DATABASE STATE in Azure SQL Database), else error
    300 or 297. `database_transaction_begin_time` is NULL until the transaction writes its first log record
    (sys.dm_tran_database_transactions).
    """
    return sql(
        "SELECT TOP (3) t.session_id, s.login_name, s.program_name, s.host_name,\n"
        "  CONVERT(varchar(30), d.database_transaction_begin_time, 126) AS since,\n"
        "  DATEDIFF(second, d.database_transaction_begin_time, GETDATE()) AS seconds\n"
        "FROM sys.dm_tran_database_transactions AS d\n"
        "LEFT JOIN sys.dm_tran_session_transactions AS t ON t.transaction_id = d.transaction_id\n"
        "LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = t.session_id\n"
        "WHERE d.database_id = DB_ID() AND d.database_transaction_begin_time IS NOT NULL\n"
        "  AND (t.session_id IS NULL OR t.session_id <> @@SPID)\n"
        "ORDER BY d.database_transaction_begin_time"
    ).render()


BEGIN_SNAPSHOT = "SET XACT_ABORT OFF; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION;"
"""The snapshot itself begins with the first table that is read. A statement that fails or is cancelled must not end it:
nothing is written here."""
END_SNAPSHOT = "COMMIT TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET XACT_ABORT ON;"
"""Nothing was written. The session is as it was before `BEGIN_SNAPSHOT`: an isolation level outlives its transaction."""
OPEN_TRANSACTIONS = Statement("SELECT @@TRANCOUNT AS n;")
"""One row: how many transactions are open on this session, nested ones counted."""

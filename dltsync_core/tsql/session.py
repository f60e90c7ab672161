"""Opening and ending a read view."""

from __future__ import annotations

from dltsync_core.tsql.fragments import Statement, sql


def view_facts() -> Statement:
    """One row: snapshot_state (1: SNAPSHOT transactions are allowed), ceiling.

    `ceiling` is MIN_ACTIVE_ROWVERSION(): no transaction still open will commit a rowversion below it. It is read before the
    snapshot begins, because it ignores isolation: read later it would cover commits the snapshot does not see.
    """
    return sql(
        "SELECT d.snapshot_isolation_state AS snapshot_state,\n"
        "  CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) AS ceiling\n"
        "FROM sys.databases AS d\n"
        "WHERE d.database_id = DB_ID()"
    ).render()


BEGIN_SNAPSHOT = "SET XACT_ABORT OFF; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION;"
"""The snapshot itself begins with the first table that is read. A statement that fails or is cancelled must not end it:
nothing is written here, and the connection is closed after the view."""
END_SNAPSHOT = "COMMIT TRANSACTION;"
"""Nothing was written."""
OPEN_TRANSACTIONS = Statement("SELECT @@TRANCOUNT AS n;")
"""One row: how many transactions are open on this session, nested ones counted."""

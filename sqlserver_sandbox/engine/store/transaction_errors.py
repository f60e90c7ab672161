"""Errors of transactions, in SQL Server's words."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError


def only_rollback_is_left() -> SqlError:
    return SqlError(
        3930,
        "The current transaction cannot be committed and cannot support"
        " operations that write to the log file. Roll back the"
        " transaction.",
    )


def no_savepoint_is_left() -> SqlError:
    return SqlError(
        3931,
        "The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the entire"
        " transaction.",
    )


def snapshot_not_allowed(database: str) -> SqlError:
    return SqlError(
        3952,
        f"Snapshot isolation transaction failed accessing database '{database}' because snapshot isolation is not"
        " allowed in this database. Use ALTER DATABASE to allow snapshot isolation.",
    )


def began_in_another_isolation() -> SqlError:
    return SqlError(
        3951,
        "Transaction failed in database because the statement was run under"
        " snapshot isolation but the transaction did not"
        " start in snapshot isolation. You cannot change the isolation level of"
        " the transaction to snapshot after the transaction"
        " has started.",
    )

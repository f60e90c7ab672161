"""The errors of bad days as SQL Server words them and with its severities. 20 and above end the connection."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError

SEVERITIES_AND_TEXTS: dict[int, tuple[int, str]] = {
    601: (12, "Could not continue scan with NOLOCK due to data movement."),
    701: (17, "There is insufficient system memory in resource pool 'default' to run this query."),
    1204: (
        19,
        (
            "The instance of the SQL Server Database Engine cannot obtain a LOCK resource at this time. Rerun your statement when"
            " there are fewer active users. Ask the database administrator to check the lock and memory configuration for this"
            " instance, or to check for long-running transactions."
        ),
    ),
    1205: (
        13,
        (
            "Transaction (Process ID {spid}) was deadlocked on lock resources with another process and has been chosen as the"
            " deadlock victim. Rerun the transaction."
        ),
    ),
    1222: (16, "Lock request time out period exceeded."),
    3960: (
        16,
        (
            "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table"
            " '{table}' directly or indirectly in database '{database}' to update, delete, or insert the row that has been"
            " modified or deleted by another transaction. Retry the transaction or change the isolation level for the"
            " update/delete statement."
        ),
    ),
    3961: (
        16,
        (
            "Snapshot isolation transaction failed in database '{database}' because the object accessed by the statement has been"
            " modified by a DDL statement in another concurrent transaction since the start of this transaction. It is disallowed"
            " because the metadata is not versioned. A concurrent update to metadata can lead to inconsistency if mixed with"
            " snapshot isolation."
        ),
    ),
    3966: (
        17,
        (
            "Transaction is rolled back when accessing version store. It was earlier marked as victim when the version store was"
            " shrunk due to insufficient space in tempdb. This transaction was marked as a victim earlier because it may need the"
            " row version(s) that have already been removed to make space in tempdb. Retry the transaction"
        ),
    ),
    4060: (11, 'Cannot open database "{database}" requested by the login. The login failed.'),
    4221: (
        16,
        (
            "Login to read-secondary failed due to long wait on 'HADR_DATABASE_WAIT_FOR_TRANSITION_TO_VERSIONING'. The replica is"
            " not available for login because row versions are missing for transactions that were in-flight when the replica was"
            " recycled."
        ),
    ),
    8645: (
        17,
        (
            "A timeout occurred while waiting for memory resources to execute the query in resource pool 'default' (2)."
            " Rerun the query."
        ),
    ),
    10928: (
        20,
        (
            "Resource ID : 1. The request limit for the database is 60 and has been reached. See"
            " 'http://go.microsoft.com/fwlink/?LinkId=267637' for assistance."
        ),
    ),
    10929: (
        20,
        (
            "Resource ID: 1. The request minimum guarantee is 0, maximum limit is 60 and the current usage for the database is"
            " 60. However, the server is currently too busy to support requests greater than 0 for this database. Please try"
            " again later."
        ),
    ),
    18401: (
        14,
        (
            "Login failed for user '{login}'. Reason: Server is in script upgrade mode. Only administrator can connect"
            " at this time."
        ),
    ),
    18456: (14, "Login failed for user '{login}'."),
    40197: (17, "The service has encountered an error processing your request. Please try again. Error code 40143."),
    40501: (
        20,
        (
            "The service is currently busy. Retry the request after 10 seconds. Incident ID:"
            " 6A2D3AE5-1B0B-4F60-9B3E-2D0B5E0D1E55. Code: 131075"
        ),
    ),
    40613: (
        17,
        (
            "Database '{database}' on server '{server}' is not currently available. Please retry the connection later. If the"
            " problem persists, contact customer support, and provide them the session tracing ID of"
            " '6A2D3AE5-1B0B-4F60-9B3E-2D0B5E0D1E55'."
        ),
    ),
    49918: (
        16,
        "Cannot process request. Not enough resources to process request. Please retry you request later.",
    ),
}
"""By number: severity and text; `{…}` is filled in where the error happens."""


def sql_error(
    number: int,
    *,
    message: str | None = None,
    severity: int | None = None,
    state: int = 1,
    spid: int = 0,
    login: str = "",
    database: str = "",
    table: str = "",
    server: str = "",
) -> SqlError:
    """The error of that number. `message` and `severity` replace what the number has; an unknown number has neither."""
    known, text = SEVERITIES_AND_TEXTS.get(number, (16, ""))
    if message is None:
        message = text.format(spid=spid, login=login, database=database, table=table, server=server)
    return SqlError(number, message, class_=known if severity is None else severity, state=state)

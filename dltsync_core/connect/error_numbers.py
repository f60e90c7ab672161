"""Engine error numbers as data: their meaning and how each is retried. Microsoft calls its list of transient errors unstable;
so is this one."""

from __future__ import annotations

import re
from enum import Enum

CANNOT_LOG_IN = frozenset({18452, 18456, 18470, 18486, 18487, 18488, 4060, 4064, 916, 40532, 40615})
"""Login refused, or the database does not exist for this login. Never retried: repeating a wrong password locks the account."""

IS_MISSING = frozenset({208, 1088, 4902})
"""No such object, or not visible to this login: the server does not say which."""

IS_REFUSED = frozenset({229, 230, 262, 297, 300})
"""Permission denied."""


class RetryKind(Enum):
    """How a transient failure is retried. The values appear in messages."""

    SAME_CONNECTION = "the statement failed for want of a lock or memory"
    """The connection is good, and so is the transaction unless the server says otherwise."""
    NEW_TRANSACTION = "the server rolled the transaction back"
    """The connection is good; everything read in the transaction is void."""
    NEW_CONNECTION = "the connection broke or was not made"
    THROTTLED = "the server is throttling"
    """An immediate retry makes it worse: the service recommends ten seconds."""
    FAILOVER = "the database is failing over"
    """Takes up to a minute."""
    LOGIN = "the server does not accept logins yet"
    STALLED = "the statement did not end within command_timeout"
    """It hangs, or it is too slow for its limit: one more attempt on a new connection shows which."""


_BY_RETRY_KIND: dict[RetryKind, dict[int, str | None]] = {
    RetryKind.SAME_CONNECTION: {
        1222: r"Lock request time out period exceeded",
        1204: r"cannot obtain a LOCK resource at this time",
        8645: r"timeout occurred while waiting for memory resources to execute the query",
        8651: r"requested memory grant was not available",
        701: r"insufficient system memory in resource pool",
    },
    RetryKind.NEW_TRANSACTION: {
        1205: r"was deadlocked on",
        # Snapshots: update conflict, DDL since it began, version lost, database not recovered or not versioned then.
        3960: r"Snapshot isolation transaction aborted due to update conflict",
        3961: r"Snapshot isolation transaction failed in database .* because the object accessed",
        3966: r"Transaction is rolled back when accessing version store",
        3953: r"Snapshot isolation transaction failed in database .* because the database was not recovered",
        3957: r"Snapshot isolation transaction failed in database .* because the database did not allow",
        # In-memory tables.
        41301: r"took a dependency on (has aborted|.*failed to commit)|A previous transaction that the current transaction",
        41302: r"attempted to update a record that has been updated since",
        41305: r"failed to commit due to a repeatable read validation failure",
        41325: r"failed to commit due to a serializable validation failure",
        41839: r"exceeded the maximum number of commit dependencies",
        # A replica that gave up its readers.
        3947: r"aborted because the secondary compute failed to catch up redo",
        3948: r"terminated because of the availability replica config/state change",
    },
    RetryKind.THROTTLED: {
        10928: r"Resource ID ?: .* limit for the database is",
        10929: r"Resource ID ?: .* minimum guarantee is",
        40501: r"The service is currently busy. Retry the request after",
        49918: r"Not enough resources to process request",
        49919: r"Too many create or update operations in progress",
        49920: r"Too many operations in progress for subscription",
    },
    RetryKind.FAILOVER: {
        40613: r"on server .* is not currently available",
        # 40540 and 40143 have the same sentence: it is read as 40197, which is retried in the same way.
        40197: r"The service has encountered an error processing your request",
        40540: None,
        40143: None,
        615: r"Could not find database ID \d+",
        926: r"cannot be opened. It has been marked SUSPECT by recovery",
        976: r"participating in an availability group and is currently not accessible for queries",
        978: r"in an availability group and is currently accessible for connections when the application intent",
        983: r"Unable to access availability database .* replica is not in the PRIMARY or SECONDARY role",
        6005: r"SHUTDOWN is in progress",
    },
    RetryKind.LOGIN: {
        18401: r"Server is in script upgrade mode",
        4221: r"Login to read-secondary failed due to long wait",
    },
    RetryKind.NEW_CONNECTION: {
        596: r"Cannot continue the execution because the session is in the kill state",
        # The operating system's numbers, as the drivers report them; mssql-python writes them in hexadecimal.
        **dict.fromkeys((20, 64, 121, 233, 997, 10053, 10054, 10060, 10061, 11001)),
    },
}

TRANSIENT = {number: kind for kind, numbers in _BY_RETRY_KIND.items() for number in numbers}
"""Error numbers that may succeed when retried, and the kind of retry."""

UNREACHABLE_STATES = frozenset({"08S01", "08001", "08003", "08006", "08007", "HYT01"})
"""SQLSTATEs of a broken or never made connection."""

_LASTING = {
    208: r"Invalid object name",
    207: r"Invalid column name",
    195: r"is not a recognized (built-in )?function name",
    229: r"permission was denied on the object",
    230: r"permission was denied on the column",
    297: r"The user does not have permission to perform this action",
    300: r"permission was denied on object 'server'",
    601: r"Could not continue scan with NOLOCK due to data movement",
    823: r"operating system returned error .* to SQL Server during",
    824: r"detected a logical consistency-based I/O error",
    916: r"is not able to access the database",
    3952: r"snapshot isolation is not allowed in this database",
    3958: r"aborted when accessing versioned row",
    4060: r"Cannot open database .* requested by the login",
    18452: r"login is from an untrusted domain",
    18486: r"because the account is currently locked out",
    18470: r"Reason: The account is disabled",
    18487: r"Reason: The password of the account has expired",
    18488: r"Reason: The password of the account must be changed",
    18456: r"Login failed for user",
    40549: r"Session is terminated because you have a long-running transaction",
    40551: r"session has been terminated because of excessive tempdb usage",
    40553: r"session has been terminated because of excessive memory usage",
    40615: r"Client with IP address .* is not allowed to access the server",
}

SENTENCES = {
    number: re.compile(sentence, re.IGNORECASE | re.DOTALL)
    # Transient ones first: the server mode of 18401 stands behind the "Login failed for user" of 18456.
    for number, sentence in [
        *((n, s) for numbers in _BY_RETRY_KIND.values() for n, s in numbers.items()),
        *_LASTING.items(),
    ]
    if sentence is not None
}
"""The servers' own English sentences, for a driver that does not report the number. The first match wins."""

REMEDIES = {
    195: "the server lacks a function that dltsync uses: it needs SQL Server 2016 (13.0) or newer, or Azure SQL",
    207: "the table changed since its columns were read; run again",
    601: "do not read with NOLOCK: remove the hint from the view or policy that sets it",
    823: "the server cannot read its disk: run DBCC CHECKDB and look at the server's error log",
    824: "the database is damaged: run DBCC CHECKDB and restore what it names",
    916: "create a user for this login in the database: CREATE USER … FOR LOGIN …",
    2760: "an administrator makes the schema for the login's user: CREATE SCHEMA … AUTHORIZATION …; `dltsync check` names it",
    3958: "the version store is full (tempdb, or the database's own under ADR): enlarge it, or read in smaller units",
    15247: "an administrator grants what the statement needs: for partition functions and schemes GRANT ALTER ANY DATASPACE",
    18452: "the server accepts Windows logins only: use integrated_security, or enable SQL logins on it",
    18470: "the login is disabled: ALTER LOGIN … ENABLE",
    18486: "the login is locked out: have it unlocked (ALTER LOGIN … WITH PASSWORD = … UNLOCK) before trying again",
    18487: "the login's password has expired: change it on the server, then in password or DLT_SYNC_PASSWORD",
    18488: "the login's password must be changed at first use: change it on the server, then in password or DLT_SYNC_PASSWORD",
    40549: "the service ended the session for its long transaction: lower processing.statement_rows_limit, or load less at once",
    40551: "the service ended the session for its use of tempdb: lower processing.statement_rows_limit",
    40553: "the service ended the session for its use of memory: lower processing.statement_rows_limit",
    40615: "the server's firewall refuses this machine's address: add a rule for it",
    4060: "check the name of the database, and that the login has a user in it (CREATE USER … FOR LOGIN …)",
}
"""What to do about permanent errors."""

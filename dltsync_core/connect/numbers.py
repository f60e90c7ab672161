"""Engine error numbers as data: what they mean for us. Microsoft calls its list of transient errors unstable; so is this."""

from __future__ import annotations

import re

CANNOT_LOG_IN = frozenset({18452, 18456, 18470, 18486, 18487, 18488, 4060, 4064, 916, 40532, 40615})
"""Login refused, or the database is not there for this login."""

IS_MISSING = frozenset({208, 1088, 4902})
"""No such object, or not visible to this login: the server does not tell which."""

IS_REFUSED = frozenset({229, 230, 262, 297, 300})
"""Permission denied."""

TRANSIENT = frozenset(
    {
        # The server rolled the transaction back: deadlock, snapshot conflict or DDL under a snapshot, in-memory, replica.
        1205, 3960, 3961, 3966, 3953, 3957, 41301, 41302, 41305, 41325, 41839, 3947, 3948,
        # The statement failed for want of a lock or memory.
        1222, 1204, 8645, 8651, 701,
        # Throttled or busy.
        10928, 10929, 40501, 40540, 40143, 49918, 49919, 49920,
        # Database or replica on its way.
        40613, 40197, 4221, 18401, 615, 926, 976, 978, 983,
        # Transport.
        20, 64, 121, 233, 997, 10053, 10054, 10060, 10061, 11001,
    }
)  # fmt: skip
"""The same thing tried again can succeed."""

UNREACHABLE_STATES = frozenset({"08S01", "08001", "08003", "08006", "08007", "HYT01"})
"""SQLSTATEs of a broken or never made connection."""

SENTENCES = {
    number: re.compile(sentence, re.IGNORECASE)
    for number, sentence in {
        208: r"Invalid object name",
        207: r"Invalid column name",
        229: r"permission was denied on the object",
        230: r"permission was denied on the column",
        1205: r"was deadlocked on",
        1222: r"Lock request time out period exceeded",
        3952: r"snapshot isolation is not allowed in this database",
        3960: r"Snapshot isolation transaction aborted due to update conflict",
        3961: r"Snapshot isolation transaction failed in database .* because the object accessed",
        3966: r"Transaction is rolled back when accessing version store",
        4060: r"Cannot open database .* requested by the login",
        18452: r"login is from an untrusted domain",
        18456: r"Login failed for user",
        40501: r"The service is currently busy",
        40613: r"is not currently available",
        10928: r"Resource ID ?: .* limit for the database is",
    }.items()
}
"""The servers' own English sentences, for a driver that does not hand on the number."""

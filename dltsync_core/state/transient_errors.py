"""Which failures of the ledger's database pass by themselves: SQLSTATEs, SQLite's codes and the drivers' sentences, as data."""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dltsync_core.connect.error_numbers import CANNOT_LOG_IN, TRANSIENT, UNREACHABLE_STATES, RetryKind
from dltsync_core.connect.faults import read_fault
from dltsync_core.connect.retry import Backoff, Policy
from dltsync_core.errors import LedgerUnavailable

SQLSTATES: Final = {
    **dict.fromkeys(UNREACHABLE_STATES, RetryKind.NEW_CONNECTION),
    "08000": RetryKind.NEW_CONNECTION,
    "08004": RetryKind.NEW_CONNECTION,
    "57P01": RetryKind.NEW_CONNECTION,  # terminated by an administrator, or by a server that stops
    "57P02": RetryKind.NEW_CONNECTION,  # another of the server's processes crashed
    "57P03": RetryKind.LOGIN,  # starting up, shutting down
    "57P05": RetryKind.NEW_CONNECTION,  # idle for too long
    "25P03": RetryKind.NEW_CONNECTION,  # idle within a transaction for too long: this process stood still
    "25P04": RetryKind.NEW_CONNECTION,  # a transaction too long for the server's limit
    "53300": RetryKind.THROTTLED,  # no connection is free
    "53200": RetryKind.SAME_CONNECTION,  # out of memory
    "55P03": RetryKind.SAME_CONNECTION,  # a lock was not got
    "57014": RetryKind.NEW_TRANSACTION,  # cancelled by somebody
    "40000": RetryKind.NEW_TRANSACTION,
    "40001": RetryKind.NEW_TRANSACTION,  # serialization failure
    "40003": RetryKind.NEW_TRANSACTION,  # not known whether it was completed
    "40P01": RetryKind.NEW_TRANSACTION,  # deadlock
}
"""PostgreSQL's, and those all servers share."""

SQLITE_CODES: Final = {
    5: RetryKind.SAME_CONNECTION,  # SQLITE_BUSY: another process writes
    6: RetryKind.SAME_CONNECTION,  # SQLITE_LOCKED
    15: RetryKind.SAME_CONNECTION,  # SQLITE_PROTOCOL: many processes opened the file at the same moment
}
"""The lower eight bits: the rest is detail."""

SENTENCES: Final = {
    RetryKind.LOGIN: re.compile(
        r"database system is (starting up|shutting down|in recovery mode|not (yet )?accepting connections)",
        re.IGNORECASE,
    ),
    RetryKind.THROTTLED: re.compile(
        r"too many (clients|connections)|remaining connection slots|no more connections allowed", re.IGNORECASE
    ),
    RetryKind.NEW_CONNECTION: re.compile(
        r"connection refused|connection reset|broken pipe|timeout expired|timed out|network is unreachable|no route to host"
        r"|temporary failure in name resolution|server closed the connection|connection has been closed unexpectedly"
        r"|the connection is (lost|closed)|EOF detected|could not (send data to|receive data from) server"
        r"|terminating connection due to",
        re.IGNORECASE,
    ),
}
"""What PostgreSQL's drivers say of a connection that was not made: they give no SQLSTATE then. A refused login is not in here, in
whatever language the server tells it: repeating a wrong password locks accounts."""


def how_it_passes(error: BaseException) -> RetryKind | None:
    """How what SQLAlchemy or a driver raised is got past; None when it stays, or when that is not known."""
    if isinstance(error, PoolTimeout):  # all connections wait for a lock
        return RetryKind.SAME_CONNECTION
    broken = isinstance(error, DBAPIError) and error.connection_invalidated
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    if type(original).__module__.partition(".")[0] == "pyodbc":
        fault = read_fault(original)
        if fault.number in CANNOT_LOG_IN and fault.number not in TRANSIENT:
            return None
        found = TRANSIENT.get(fault.number or 0) or SQLSTATES.get(fault.state or "")
    else:
        state = sqlstate_of(original)
        found = SQLSTATES.get(state) if state else _of_sentence(str(original))
    return found or (RetryKind.NEW_CONNECTION if broken else None)


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE a PostgreSQL driver gives; empty when it gives none."""
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def _of_sqlite(error: sqlite3.Error) -> RetryKind | None:
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.10 has none
    if isinstance(code, int):
        return SQLITE_CODES.get(code & 0xFF)
    return RetryKind.SAME_CONNECTION if "is locked" in str(error) or "locking protocol" in str(error) else None


def _of_sentence(text: str) -> RetryKind | None:
    return next((recourse for recourse, sentence in SENTENCES.items() if sentence.search(text)), None)


def _recourse_of(error: BaseException) -> RetryKind | None:
    found = error.facts.get("recourse") if isinstance(error, LedgerUnavailable) else None
    return found if isinstance(found, RetryKind) else None


LEDGER: Final = Policy(
    retry_kind_of=_recourse_of,
    backoffs={
        RetryKind.SAME_CONNECTION: Backoff(0.0, 0.5, 5.0),
        RetryKind.NEW_TRANSACTION: Backoff(0.0, 0.2, 2.0),
        RetryKind.NEW_CONNECTION: Backoff(0.1, 0.5, 5.0),
        RetryKind.LOGIN: Backoff(0.2, 0.5, 5.0),
        RetryKind.THROTTLED: Backoff(1.0, 2.0, 10.0),
        RetryKind.FAILOVER: Backoff(1.0, 2.0, 10.0),
        RetryKind.STALLED: Backoff(0.0, 0.5, 5.0),
    },
    counts_attempts=True,
)
"""Shorter pauses than a source server gets: a transaction of the ledger costs nothing, and a run stands still meanwhile."""

"""What drivers say and what we make of it. The texts are as the drivers give them."""

from __future__ import annotations

import mssql_python
import pyodbc
import pytest

from dltsync_core.connect.faults import Address, connect_error, query_error, read_fault
from dltsync_core.errors import (
    CertificateNotTrusted,
    LoginFailed,
    QueryError,
    ServerUnreachable,
    StatementTimeout,
    SyncError,
    TableNotFound,
    TransientQueryError,
)

HERE = Address("db:1433", "shop", ("hunter2;}",), command_timeout=5)
PREFIX = "[Microsoft][ODBC Driver 18 for SQL Server]"


def _odbc(state: str, text: str) -> pyodbc.Error:
    return pyodbc.ProgrammingError(state, f"[{state}] {PREFIX}{text}")


def _mssql(words: str, text: str) -> mssql_python.Error:
    return mssql_python.ProgrammingError(driver_error=words, ddbc_error=f"{PREFIX}{text}")


@pytest.mark.parametrize(
    ("error", "kind", "number", "said"),
    [
        (
            _odbc("28000", "[SQL Server]Login failed for user 'u'. (18456) (SQLDriverConnect)"),
            LoginFailed,
            18456,
            "login to db:1433, database shop failed: Login failed for user 'u'.",
        ),
        (
            _odbc(
                "42000",
                '[SQL Server]Cannot open database "nix" requested by the login. The login failed. (4060) (SQLDriverConnect)',
            ),
            LoginFailed,
            4060,
            "name of the database",
        ),
        (
            _odbc(
                "08001",
                "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate] "
                "(-1) (SQLDriverConnect); "
                f"[08001] {PREFIX}Client unable to establish connection. (-1) (SQLDriverConnect)",
            ),
            CertificateNotTrusted,
            None,
            "trust_server_certificate: true accepts any certificate",
        ),
        (
            _odbc("08001", "SSL Provider: subject name does not match target host name (-1) (SQLDriverConnect)"),
            CertificateNotTrusted,
            None,
            "host_name_in_certificate",
        ),
        (
            _odbc("HYT00", "Login timeout expired (0) (SQLDriverConnect)"),
            ServerUnreachable,
            None,
            "Login timeout expired",
        ),
        (
            _odbc("08001", "TCP Provider: Error code 0x2749 (10061) (SQLDriverConnect)"),
            ServerUnreachable,
            10061,
            "db:1433",
        ),
        (
            _mssql("Invalid authorization specification", "[SQL Server]Login failed for user 'u'."),
            LoginFailed,
            18456,
            "Login failed",
        ),
        (
            _mssql("Client unable to establish connection", "TCP Provider: Error code 0x274D"),
            ServerUnreachable,
            10061,
            "check server and port",
        ),
    ],
)
def test_connecting(error: Exception, kind: type[SyncError], number: int | None, said: str) -> None:
    ours = connect_error(error, HERE)
    assert type(ours) is kind
    assert ours.facts["number"] == number
    assert said in str(ours)


@pytest.mark.parametrize(
    ("error", "kind", "number", "said"),
    [
        (
            _odbc("42S02", "[SQL Server]Invalid object name 'dbo.x'. (208) (SQLExecDirectW)"),
            TableNotFound,
            208,
            "reading dbo.x: not found or not permitted: Invalid object name 'dbo.x'. (error 208)",
        ),
        (_mssql("Base table or view not found", "[SQL Server]Invalid object name 'dbo.x'."), TableNotFound, 208, "208"),
        (
            _mssql("Syntax error", "[SQL Server]The SELECT permission was denied on the object 'x', database 'y'."),
            QueryError,
            229,
            "an administrator grants the login SELECT",
        ),
        (
            _odbc(
                "40001",
                "[SQL Server]Transaction (Process ID 5) was deadlocked on lock resources (1205) (SQLExecDirectW)",
            ),
            TransientQueryError,
            1205,
            "deadlocked",
        ),
        (
            _mssql("Serialization failure", "[SQL Server]Transaction (Process ID 5) was deadlocked on lock resources"),
            TransientQueryError,
            1205,
            "run again",
        ),
        (_mssql("x", "[SQL Server]Lock request time out period exceeded."), TransientQueryError, 1222, "1222"),
        (
            _mssql(
                "x",
                "[SQL Server]Snapshot isolation transaction failed accessing database 'd' "
                "because snapshot isolation is not allowed in this database.",
            ),
            QueryError,
            3952,
            "ALLOW_SNAPSHOT_ISOLATION",
        ),
        (
            _odbc("HYT00", "Query timeout expired (0) (SQLExecDirectW)"),
            StatementTimeout,
            None,
            "after 5 seconds (command_timeout)",
        ),
        (_mssql("Timeout expired", "Query timeout expired"), StatementTimeout, None, "raise command_timeout"),
        (_mssql("Operation canceled", "Operation canceled"), QueryError, None, "reading dbo.x: cancelled"),
        (_odbc("08S01", "Communication link failure (0) (SQLFetch)"), ServerUnreachable, None, "the connection broke"),
        (_mssql("Communication link failure", "TCP Provider: reset"), ServerUnreachable, None, "the connection broke"),
        (
            _odbc("42000", "[SQL Server]Incorrect syntax near 'x'. (102) (SQLExecDirectW)"),
            QueryError,
            102,
            "(error 102)",
        ),
        (RuntimeError("Connection handle not allocated"), QueryError, None, "Connection handle"),
        # mssql-python's bulk copy, which has a TDS client of its own
        (
            RuntimeError("IO error: Connection reset by peer (os error 104)"),
            ServerUnreachable,
            None,
            "connection broke",
        ),
        (
            RuntimeError("Failed to retrieve destination metadata: IO error: Connection reset by peer (os error 104)"),
            ServerUnreachable,
            None,
            "connection broke",
        ),
        (RuntimeError("Connection closed by server while reading TDS packet"), ServerUnreachable, None, "broke"),
        (RuntimeError("Type error: IO error: in the middle"), QueryError, None, "in the middle"),
    ],
)
def test_querying(error: Exception, kind: type[SyncError], number: int | None, said: str) -> None:
    ours = query_error(error, HERE, "reading dbo.x")
    assert type(ours) is kind
    assert ours.facts["number"] == number
    assert said in str(ours)


def test_only_what_can_pass_is_transient() -> None:
    deadlock = _odbc("40001", "[SQL Server]deadlocked (1205) (SQLExecDirectW)")
    syntax = _odbc("42000", "[SQL Server]Incorrect syntax (102) (SQLExecDirectW)")
    assert query_error(deadlock, HERE, "x").is_transient
    assert not query_error(syntax, HERE, "x").is_transient


def test_a_database_of_azure_may_be_moving() -> None:
    """Elsewhere 4060 is a wrong name, and asking again changes nothing."""
    error = _odbc("42000", '[SQL Server]Cannot open database "shop" requested by the login. (4060) (SQLDriverConnect)')
    assert connect_error(error, Address("db.database.windows.net:1433", "shop")).is_transient
    assert not connect_error(error, HERE).is_transient


def test_a_secret_in_a_driver_text_is_hidden() -> None:
    error = _odbc("28000", "[SQL Server]Login failed, password was hunter2;} (18456) (SQLDriverConnect)")
    ours = connect_error(error, HERE)
    assert "hunter2" not in str(ours)
    assert "hunter2" not in repr(ours.facts)


def test_the_first_record_is_the_cause() -> None:
    error = _odbc(
        "42S02",
        "[SQL Server]Invalid object name 'x'. (208) (SQLExecDirectW); "
        f"[42000] {PREFIX}[SQL Server]Statement(s) could not be prepared. (8180)",
    )
    fault = read_fault(error)
    assert (fault.number, fault.state, fault.message) == (208, "42S02", "Invalid object name 'x'.")


def test_a_failure_without_a_reason_leaves_the_outcome_open() -> None:
    """pyodbc's words where the driver's call failed and there is no diagnostic record: whether the statement was executed is
    not known, so that it counts as a connection that broke, and the statement's outcome is asked for on another."""
    found = query_error(pyodbc.Error("HY000", "The driver did not supply an error!"), HERE, "publishing a load")
    assert isinstance(found, ServerUnreachable)
    assert "publishing a load: the driver gave no reason" in str(found)
    assert isinstance(query_error(_odbc("HY000", "something else"), HERE, "publishing a load"), QueryError)

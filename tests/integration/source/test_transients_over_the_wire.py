"""Every error that may pass is recognised as what it is through both drivers, from the server's own words over the wire.

The server here is the sandbox's protocol over canned answers: it says what it is told to, under any number. pyodbc hands on
the number; mssql-python has only the sentence.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.connection_string import CATALOG_LOCK_TIMEOUT_MS, NO_LIMIT, session_settings
from dltsync_core.connect.control import control_session
from dltsync_core.connect.data import open_data_session
from dltsync_core.connect.error_numbers import TRANSIENT, RetryKind
from dltsync_core.connect.retry import retry_kind_of
from dltsync_core.errors import LoginFailed, QueryError, ServerUnreachable, SyncError
from sqlserver_sandbox.model import RowsAffected, SqlError
from sqlserver_sandbox.server import Server
from tests.sandbox.wire.canned import PASSWORD, USER, CannedEngine, CannedSession

SAID = {
    701: "There is insufficient system memory in resource pool 'default' to run this query.",
    1204: "The instance of the SQL Server Database Engine cannot obtain a LOCK resource at this time. Rerun your statement "
    "when there are fewer active users.",
    1222: "Lock request time out period exceeded.",
    8645: "A timeout occurred while waiting for memory resources to execute the query in resource pool 'default' (2). Rerun "
    "the query.",
    8651: "Could not perform the operation because the requested memory grant was not available in resource pool 'x' (2).",
    1205: "Transaction (Process ID 52) was deadlocked on lock resources with another process and has been chosen as the "
    "deadlock victim. Rerun the transaction.",
    3947: "The transaction was aborted because the secondary compute failed to catch up redo. Retry the transaction.",
    3948: "The transaction was terminated because of the availability replica config/state change or because ghost records "
    "are being deleted on the primary and the secondary availability replica that might be needed by queries running "
    "under snapshot isolation. Retry the transaction.",
    3953: "Snapshot isolation transaction failed in database 'shop' because the database was not recovered when the current "
    "transaction was started. Retry the transaction after the database has recovered.",
    3957: "Snapshot isolation transaction failed in database 'shop' because the database did not allow snapshot isolation "
    "when the current transaction started. It may help to retry the transaction.",
    3960: "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table "
    "'dbo.t' directly or indirectly in database 'shop' to update, delete, or insert the row.",
    3961: "Snapshot isolation transaction failed in database 'shop' because the object accessed by the statement has been "
    "modified by a DDL statement in another concurrent transaction since the start of this transaction.",
    3966: "Transaction is rolled back when accessing version store. It was earlier marked as victim when the version store "
    "was shrunk due to insufficient space in tempdb.",
    41301: "A previous transaction that the current transaction took a dependency on has aborted, and the current "
    "transaction can no longer commit.",
    41302: "The current transaction attempted to update a record that has been updated since this transaction started.",
    41305: "The current transaction failed to commit due to a repeatable read validation failure.",
    41325: "The current transaction failed to commit due to a serializable validation failure.",
    41839: "Transaction exceeded the maximum number of commit dependencies and the last statement was aborted.",
    10928: "Resource ID : 1. The request limit for the database is 60 and has been reached.",
    10929: "Resource ID: 1. The request minimum guarantee is 10, maximum limit is 60 and the current usage for the database "
    "is 60. However, the server is currently too busy to support requests greater than 10 for this database.",
    40501: "The service is currently busy. Retry the request after 10 seconds. Incident ID: 1. Code: 2",
    49918: "Cannot process request. Not enough resources to process request. The service is currently busy.",
    49919: "Cannot process create or update request. Too many create or update operations in progress for subscription '1'.",
    49920: "Cannot process request. Too many operations in progress for subscription '1'.",
    40613: "Database 'shop' on server 'x' is not currently available. Please retry the connection later.",
    40197: "The service has encountered an error processing your request. Please try again. Error code 40166.",
    40540: "The service has encountered an error processing your request. Please try again.",
    40143: "The service has encountered an error processing your request. Please try again.",
    615: "Could not find database ID 7, name 'shop'. The database may be offline. Wait a few minutes and try again.",
    926: "Database 'shop' cannot be opened. It has been marked SUSPECT by recovery.",
    976: "The target database, 'shop', is participating in an availability group and is currently not accessible for queries.",
    978: "The target database ('shop') is in an availability group and is currently accessible for connections when the "
    "application intent is set to read only.",
    983: "Unable to access availability database 'shop' because the database replica is not in the PRIMARY or SECONDARY role.",
    6005: "SHUTDOWN is in progress.",
    18401: "Login failed for user 'sa'. Reason: Server is in script upgrade mode. Only administrator can connect at this time.",
    4221: "Login to read-secondary failed due to long wait on 'HADR_DATABASE_WAIT_FOR_TRANSITION_TO_VERSIONING'.",
    596: "Cannot continue the execution because the session is in the kill state.",
}
"""What the engine says under each number."""

TRANSPORT = {20, 64, 121, 233, 997, 10053, 10054, 10060, 10061, 11001}
"""The operating system's: no server says them."""
SAME_WORDS = {40540: 40197, 40143: 40197}
"""Where the sentence alone does not tell: all of them are retried alike."""
ASK = "SELECT answer"
LASTING = {
    229: (
        "The SELECT permission was denied on the object 'Orders', database 'shop', schema 'sales'.",
        "GRANT SELECT ON sales.Orders",
    ),
    230: (
        "The SELECT permission was denied on the column 'Pay' of the object 'Staff', database 'shop', schema 'hr'.",
        "Pay",
    ),
    300: ("VIEW SERVER STATE permission was denied on object 'server', database 'master'.", "administrator"),
    207: ("Invalid column name 'Gone'.", "run again"),
    824: ("SQL Server detected a logical consistency-based I/O error: incorrect checksum.", "DBCC CHECKDB"),
    40551: ("The session has been terminated because of excessive tempdb usage.", "statement_rows_limit"),
}


class RefusingEngine(CannedEngine):
    """Answers logins with an error when it has one."""

    refusal: SqlError | None = None

    def login(
        self, *, user: str, password: str, database: str, application: str, host: str, token: str | None = None
    ) -> CannedSession:
        if self.refusal is not None:
            raise self.refusal
        return super().login(
            user=user, password=password, database=database, application=application, host=host, token=token
        )


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[RefusingEngine, DatabaseConfig]]:
    engine = RefusingEngine()
    for limit in (NO_LIMIT, CATALOG_LOCK_TIMEOUT_MS):
        engine.answer(session_settings(limit), RowsAffected(None))
    server = Server(engine)
    yield (
        engine,
        DatabaseConfig(
            server="127.0.0.1", port=server.port, database="shop", username=USER, password=PASSWORD, encrypt="no"
        ),
    )
    server.stop()


def _by_pyodbc(database: DatabaseConfig) -> None:
    with control_session(database) as session:
        session.query(ASK)


def _by_mssql_python(database: DatabaseConfig) -> None:
    session = open_data_session(database)
    try:
        session.fetch(ASK, (), "reading sales.Orders")
    finally:
        session.close()


BOTH = pytest.mark.parametrize("ask", [_by_pyodbc, _by_mssql_python])
Served = tuple[RefusingEngine, DatabaseConfig]


def test_no_number_of_the_table_is_left_out() -> None:
    assert set(SAID) | TRANSPORT == set(TRANSIENT)


@BOTH
@pytest.mark.parametrize("number", sorted(SAID))
def test_a_statement_refused_for_now(served: Served, ask: object, number: int) -> None:
    engine, database = served
    engine.scripts[ASK] = lambda _session, _parameters: iter([SqlError(number, SAID[number], class_=16)])
    with pytest.raises(SyncError) as caught:
        ask(database)  # type: ignore[operator]
    found = caught.value.facts["number"]
    assert found == number or (ask is _by_mssql_python and found == SAME_WORDS.get(number))
    assert retry_kind_of(caught.value) is TRANSIENT[number]


@BOTH
@pytest.mark.parametrize("number", [40613, 40501, 18401, 4221, 10928, 49918, 976, 983])
def test_a_login_refused_for_now(served: Served, ask: object, number: int) -> None:
    engine, database = served
    engine.refusal = SqlError(number, SAID[number], class_=14)
    try:
        with pytest.raises(ServerUnreachable) as caught:
            ask(database.model_copy(update={"application_name": f"n{number}"}))  # type: ignore[operator]
    finally:
        engine.refusal = None
    ask_again = retry_kind_of(caught.value)
    assert ask_again is TRANSIENT[number]
    engine.scripts[ASK] = lambda _session, _parameters: iter([SqlError(102, "Incorrect syntax.", class_=15)])
    with pytest.raises(QueryError):  # and the circuit stays closed for the next test
        ask(database)  # type: ignore[operator]


@BOTH
@pytest.mark.parametrize("number", [18456, 18470, 18486, 18487, 18488, 18452])
def test_a_login_refused_for_good(served: Served, ask: object, number: int) -> None:
    said = {
        18456: "Login failed for user 'sa'.",
        18470: "Login failed for user 'sa'. Reason: The account is disabled.",
        18486: "Login failed for user 'sa' because the account is currently locked out.",
        18487: "Login failed for user 'sa'.  Reason: The password of the account has expired.",
        18488: "Login failed for user 'sa'.  Reason: The password of the account must be changed.",
        18452: "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.",
    }
    engine, database = served
    engine.refusal = SqlError(number, said[number], class_=14)
    try:
        with pytest.raises(LoginFailed) as caught:
            ask(database)  # type: ignore[operator]
    finally:
        engine.refusal = None
    assert caught.value.facts["number"] == number
    assert retry_kind_of(caught.value) is None
    engine.scripts[ASK] = lambda _session, _parameters: iter([SqlError(102, "Incorrect syntax.", class_=15)])
    with pytest.raises(QueryError):
        ask(database)  # type: ignore[operator]


@BOTH
@pytest.mark.parametrize("number", sorted(LASTING))
def test_an_error_that_stays_says_what_to_do(served: Served, ask: object, number: int) -> None:
    engine, database = served
    sentence, remedy = LASTING[number]
    engine.scripts[ASK] = lambda _session, _parameters: iter([SqlError(number, sentence, class_=14)])
    with pytest.raises(QueryError) as caught:
        ask(database)  # type: ignore[operator]
    assert caught.value.facts["number"] == number
    assert remedy in caught.value.remedy
    assert retry_kind_of(caught.value) is None


def test_recourses_are_all_used() -> None:
    assert set(TRANSIENT.values()) == set(RetryKind) - {RetryKind.STALLED}

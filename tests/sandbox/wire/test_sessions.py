"""Logging in, encryption, transactions, pooled connections, and clients that leave."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytds
import pytest

from sqlserver_sandbox.model import RowsAffected, SqlError, TransactionChange
from sqlserver_sandbox.wire.fields import FieldReader, b_varchar
from sqlserver_sandbox.wire.greeting import Greeting
from sqlserver_sandbox.wire.login import parse_login
from sqlserver_sandbox.wire.transactions import transaction_request
from tests.sandbox.conftest import CannedServer
from tests.sandbox.wire.canned import ENDLESS, INT, PASSWORD, SLOW, USER, CannedEngine, Table
from tests.support.cancelling import cancelled_after

ONE_ROW = Table((INT,), pa.RecordBatch.from_arrays([pa.array([7], pa.int32())], names=["n"]))


def eventually(condition: Callable[[], bool], within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ---- login and encryption --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("connect", [pyodbc.connect, mssql_python.connect], ids=["pyodbc", "mssql-python"])
def test_a_wrong_password_is_told_as_sql_server_tells_it(connect: Any, canned: CannedServer) -> None:
    string = canned.odbc if connect is pyodbc.connect else canned.string
    with pytest.raises(Exception, match=f"Login failed for user '{USER}'") as raised:
        connect(string(password="wrong-secret"))
    assert "wrong-secret" not in str(raised.value)


def test_a_wrong_password_is_told_to_python_tds(canned_plain: CannedServer) -> None:
    with pytest.raises(pytds.Error, match="Login failed"):
        pytds.connect("127.0.0.1", port=canned_plain.server.port, user=USER, password="wrong")


def test_an_unknown_database_is_4060(canned: CannedServer) -> None:
    with pytest.raises(pyodbc.Error, match='Cannot open database "nowhere"'):
        pyodbc.connect(canned.odbc(database="nowhere"))


def test_a_certificate_that_nobody_trusts_is_refused_by_the_client(canned_tls: CannedServer) -> None:
    with pytest.raises(pyodbc.OperationalError, match="certificate verify failed"):
        pyodbc.connect(canned_tls.odbc(TrustServerCertificate="no"))
    with pytest.raises(mssql_python.Error, match="certificate verify failed"):
        mssql_python.connect(canned_tls.string(TrustServerCertificate="no"))


def test_a_client_that_insists_on_encryption_is_told_there_is_none(canned_plain: CannedServer) -> None:
    with pytest.raises(pyodbc.OperationalError, match=r"(?i)encryption not supported"):
        pyodbc.connect(canned_plain.odbc(Encrypt="yes"))


@pytest.mark.parametrize("encrypt", ["no", "optional", "yes", "mandatory"])
def test_a_server_with_tls_serves_clients_as_they_ask(encrypt: str, canned_tls: CannedServer) -> None:
    canned_tls.engine.answer_rows("SELECT 7", ONE_ROW)
    with closing(pyodbc.connect(canned_tls.odbc(Encrypt=encrypt))) as connection:
        assert connection.execute("SELECT 7").fetchval() == 7


def test_windows_authentication_is_refused_in_words(canned_plain: CannedServer) -> None:
    """The drivers need Kerberos to even ask, so the login is made by hand: the flag for integrated security is set."""
    login = bytearray(94)
    login[4:8] = (0x74000004).to_bytes(4, "little")
    login[25] = 0x80
    with pytest.raises(SqlError, match="Integrated") as raised:
        parse_login(bytes(login))
    assert raised.value.number == 18452


@pytest.mark.parametrize(
    ("federated", "said"),
    [
        (
            b"\x04\x01\0\0\0\x01",
            "has no Microsoft Entra ID to send a client to",
        ),  # ADAL, which asks for the directory first
        (b"\x02", "cut short"),
        (b"\x02\x09\0\0\0a\0", "cut short"),
    ],
)
def test_a_token_that_cannot_be_read_is_refused_in_words(federated: bytes, said: str) -> None:
    login = bytearray(94)
    login[4:8] = (0x74000004).to_bytes(4, "little")
    login[27] = 0x10  # it has extensions: their place is at 94, and their list follows it
    login[36 + 4 * 5 : 36 + 4 * 5 + 4] = struct.pack("<HH", 94, 4)
    login += (98).to_bytes(4, "little") + b"\x02" + len(federated).to_bytes(4, "little") + federated + b"\xff"
    with pytest.raises(SqlError, match=said):
        parse_login(bytes(login))


@pytest.mark.parametrize("packet_size", ["512", "4096", "16383", "32767"])
def test_packet_sizes_are_the_clients_to_choose(packet_size: str, canned: CannedServer) -> None:
    rows = Table((INT,), pa.RecordBatch.from_arrays([pa.array(range(20_000), pa.int32())], names=["n"]))
    canned.engine.answer_rows("SELECT n", rows)
    with closing(mssql_python.connect(canned.string(PacketSize=packet_size))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT n")
        assert [row[0] for row in cursor.fetchall()] == list(range(20_000))


def test_noise_instead_of_tds_closes_that_connection_only(canned_plain: CannedServer) -> None:
    with socket.create_connection(("127.0.0.1", canned_plain.server.port), timeout=5) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        assert stranger.recv(100) == b""
    canned_plain.engine.answer_rows("SELECT 7", ONE_ROW)
    with closing(pyodbc.connect(canned_plain.odbc())) as connection:
        assert connection.execute("SELECT 7").fetchval() == 7


def test_the_password_shows_in_no_repr(canned_plain: CannedServer) -> None:
    with closing(pyodbc.connect(canned_plain.odbc())):
        session = canned_plain.engine.sessions[0]
    assert "Pa55" not in repr(session) + repr(Greeting(CannedEngine(), None))


# ---- transactions ----------------------------------------------------------------------------------------------------
def test_commit_and_rollback_reach_the_engine(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    canned.engine.answer("INSERT", RowsAffected(1, 0xC3))
    session = canned.engine.sessions[0]
    by_pyodbc.execute("INSERT")
    assert session.ends == []
    by_pyodbc.commit()
    by_pyodbc.execute("INSERT")
    by_pyodbc.rollback()
    by_pyodbc.execute("INSERT")
    assert session.ends == ["commit", "rollback"]


@pytest.mark.parametrize(
    ("request_bytes", "told"),
    [
        (struct.pack("<H", 9) + b_varchar("save1"), "savepoints"),
        (struct.pack("<HB", 5, 0) + b_varchar("named"), "naming a transaction"),
        (struct.pack("<H", 8) + b_varchar("save1") + b"\0", "by name"),
        (struct.pack("<H", 1), "distributed transactions"),
    ],
    ids=["save", "named-begin", "rollback-to", "distributed"],
)
def test_transaction_requests_that_are_not_supported_are_refused(request_bytes: bytes, told: str) -> None:
    session = CannedEngine().login(user=USER, password=PASSWORD, database="", application="", host="")
    with pytest.raises(SqlError, match=told):
        list(transaction_request(FieldReader(request_bytes), session))


def test_commit_may_begin_the_next_transaction_at_once() -> None:
    session = CannedEngine().login(user=USER, password=PASSWORD, database="", application="", host="")
    list(transaction_request(FieldReader(struct.pack("<HBB", 5, 0, 0)), session))
    commit_and_begin = struct.pack("<HBBBB", 7, 0, 1, 2, 0)
    assert list(transaction_request(FieldReader(commit_and_begin), session)) == [
        TransactionChange("commit", 1),
        TransactionChange("begin", 2),
    ]


# ---- attention -------------------------------------------------------------------------------------------------------
def test_cancel_stops_a_statement_that_computes(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    cursor = by_pyodbc.cursor()
    started = time.monotonic()
    with pytest.raises(pyodbc.Error, match="HY008"), cancelled_after(0.2, cursor.cancel):
        cursor.execute(SLOW)
    assert time.monotonic() - started < 5
    canned.engine.answer_rows("SELECT 7", ONE_ROW)
    assert by_pyodbc.execute("SELECT 7").fetchval() == 7


def test_a_query_timeout_stops_the_statement(canned_plain: CannedServer) -> None:
    """With TLS: tests/sandbox/faults/test_statements.py."""
    with closing(pyodbc.connect(canned_plain.odbc())) as connection:
        connection.timeout = 1
        with pytest.raises(pyodbc.OperationalError, match="HYT00"):
            connection.execute(SLOW)


def test_cancel_in_the_middle_of_rows_leaves_a_usable_connection(
    by_pyodbc: pyodbc.Connection, canned: CannedServer
) -> None:
    canned.engine.answer_rows("SELECT 7", ONE_ROW)
    for _round in range(5):
        cursor = by_pyodbc.execute(ENDLESS)
        assert [row[0] for row in cursor.fetchmany(3)] == [0, 1, 2]
        cursor.cancel()
        cursor.close()
        assert by_pyodbc.execute("SELECT 7").fetchval() == 7


def test_an_arrow_reader_given_up_early_leaves_a_usable_connection(
    by_mssql: mssql_python.Connection, canned: CannedServer
) -> None:
    canned.engine.answer_rows("SELECT 7", ONE_ROW)
    cursor = by_mssql.cursor()
    cursor.execute(ENDLESS)
    reader = cursor.arrow_reader(batch_size=1000)
    assert reader.read_next_batch().num_rows == 1000
    reader.close()
    other = by_mssql.cursor()
    other.execute("SELECT 7")
    assert [tuple(row) for row in other.fetchall()] == [(7,)]


def test_cancel_after_the_end_is_acknowledged_alone(by_pytds: Any, canned_plain: CannedServer) -> None:
    canned_plain.engine.answer_rows("SELECT 7", ONE_ROW)
    cursor = by_pytds.cursor()
    for _round in range(20):
        cursor.execute("SELECT 7")
        cursor.cancel()
        cursor.execute("SELECT 7")
        assert cursor.fetchall() == [(7,)]


def test_a_client_that_leaves_stops_its_statement(canned: CannedServer) -> None:
    connection = pyodbc.connect(canned.odbc())
    cursor = connection.execute(ENDLESS)
    cursor.fetchone()
    session = canned.engine.sessions[-1]
    connection.close()
    assert eventually(lambda: session.closed)


def test_a_client_that_vanishes_while_the_engine_computes_stops_it(canned_plain: CannedServer) -> None:
    connection = pytds.connect("127.0.0.1", port=canned_plain.server.port, user=USER, password=PASSWORD, timeout=1)
    with closing(connection), pytest.raises(Exception, match=r"(?i)time"):
        connection.cursor().execute(SLOW)
    assert eventually(lambda: all(session.closed for session in canned_plain.engine.sessions))


# ---- several at once -------------------------------------------------------------------------------------------------
def test_eight_connections_do_not_mix_their_rows(canned: CannedServer) -> None:
    for number in range(8):
        values = pa.array([number] * 5_000, pa.int32())
        canned.engine.answer_rows(f"SELECT {number}", Table((INT,), pa.RecordBatch.from_arrays([values], names=["n"])))
    wrong: list[object] = []

    def work(number: int) -> None:
        with closing(pyodbc.connect(canned.odbc())) as connection:
            for _round in range(3):
                found = {row[0] for row in connection.execute(f"SELECT {number}").fetchall()}
                if found != {number}:
                    wrong.append((number, found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert len(canned.engine.sessions) == 8


def test_stopping_the_server_ends_every_thread(canned: CannedServer) -> None:
    connections = [pyodbc.connect(canned.odbc()) for _number in range(3)]
    cursor = connections[0].execute(ENDLESS)
    cursor.fetchone()
    canned.server.stop()
    assert not [thread.name for thread in threading.enumerate() if re.match("tds-", thread.name)]
    for connection in connections:
        connection.close()


def test_a_pooled_connection_is_reset_before_it_is_used_again(canned_plain: CannedServer) -> None:
    canned_plain.engine.answer("INSERT", RowsAffected(1, 0xC3))
    asked = {"port": canned_plain.server.port, "user": USER, "password": PASSWORD, "pooling": True}
    with closing(pytds.connect("127.0.0.1", **asked)) as connection:
        connection.cursor().execute("INSERT")
    with closing(pytds.connect("127.0.0.1", **asked)) as connection:
        connection.cursor().execute("INSERT")
    (session,) = canned_plain.engine.sessions
    assert session.resets >= 1
    assert session.ends[0] == "rollback"

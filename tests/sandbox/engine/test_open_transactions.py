"""The views that say which transactions have written and are still open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.engine.client import Client

Connect = Callable[..., Client]

WRITERS = (
    "SELECT t.session_id, DATEDIFF(second, d.database_transaction_begin_time, GETDATE()) AS seconds "
    "FROM sys.dm_tran_database_transactions AS d "
    "JOIN sys.dm_tran_session_transactions AS t ON t.transaction_id = d.transaction_id "
    "WHERE d.database_id = DB_ID() ORDER BY d.database_transaction_begin_time"
)


@pytest.fixture
def two(connect: Connect) -> tuple[Client, Client]:
    first, second = connect(), connect()
    first.do("CREATE DATABASE d", "USE d")
    second.do("USE d")
    return first, second


def test_a_transaction_is_listed_from_its_first_write_to_its_end(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("CREATE TABLE t (a int)", "BEGIN TRAN")
    spid = first.value("@@SPID")
    assert second.rows(WRITERS) == []
    assert second.rows("SELECT session_id FROM sys.dm_tran_session_transactions") == [(spid,)]
    first.do("INSERT t VALUES (1)")
    ((session, seconds),) = second.rows(WRITERS)
    assert session == spid
    assert 0 <= seconds < 3600
    first.do("COMMIT")
    assert second.rows(WRITERS) == []
    first.do("BEGIN TRAN", "INSERT t VALUES (2)", "ROLLBACK")
    assert second.rows(WRITERS) == []


def test_transactions_of_several_sessions_are_told_apart_oldest_first(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("CREATE TABLE a (a int)", "CREATE TABLE b (a int)")
    second.do("BEGIN TRAN", "INSERT b VALUES (1)")
    first.do("BEGIN TRAN", "INSERT a VALUES (1)")
    assert sorted(row[0] for row in first.rows(WRITERS)) == sorted([first.value("@@SPID"), second.value("@@SPID")])
    numbers = first.rows("SELECT transaction_id FROM sys.dm_tran_session_transactions")
    assert len(set(numbers)) == 2

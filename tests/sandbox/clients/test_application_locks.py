"""sp_getapplock and sp_releaseapplock: codes, owners, databases, deadlocks, and what releases a lock."""

from __future__ import annotations

from contextlib import closing

import pyodbc
import pytds
import pytest

from tests.sandbox.clients.background import Background
from tests.sandbox.clients.warehouse import Warehouse, rows, run, take


def test_application_locks_answer_with_codes(filled: Warehouse, other: pyodbc.Connection) -> None:
    own = filled.connection
    assert take(own, owner="Transaction") == -999
    assert take(own, mode="Strong") == -999
    assert take(own) == 0
    assert take(other, timeout=20) == -1
    assert take(other, name="R") == 0
    assert take(other, mode="Shared", timeout=0) == -1
    waiting = Background(lambda: take(other, timeout=20_000))
    assert waiting.is_waiting()
    filled.run("EXEC sp_releaseapplock @Resource = N'r', @LockOwner = 'Session'")
    assert waiting.result() == 1
    assert filled.number("EXEC sp_releaseapplock @Resource = N'r', @LockOwner = 'Session'") == 1223


def test_a_lock_is_released_as_often_as_it_was_taken(filled: Warehouse, other: pyodbc.Connection) -> None:
    assert (take(filled.connection), take(filled.connection)) == (0, 0)
    release = "EXEC sp_releaseapplock @Resource = N'r', @LockOwner = 'Session'"
    filled.run(release)
    assert take(other) == -1
    filled.run(release)
    assert take(other) == 0


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_transactions_lock_ends_with_it(filled: Warehouse, other: pyodbc.Connection, end: str) -> None:
    filled.run("BEGIN TRAN")
    assert take(filled.connection, owner="Transaction") == 0
    assert filled.rows("SELECT APPLOCK_MODE('public', 'r', 'Transaction'), APPLOCK_MODE('public', 'r', 'Session')") == [
        ("Exclusive", "NoLock")
    ]
    filled.run("SELECT COUNT(*) FROM dbo.t")
    assert take(other) == -1
    assert rows(other, "SELECT APPLOCK_TEST('public', 'r', 'Shared', 'Session')") == [(0,)]
    filled.run(end)
    assert take(other) == 0


def test_shared_locks_go_together_and_other_databases_do_not_matter(
    filled: Warehouse, other: pyodbc.Connection
) -> None:
    assert take(filled.connection, mode="Shared") == 0
    assert take(other, mode="Shared") == 0
    assert take(other, mode="Exclusive") == -1
    run(other, "USE master")
    assert take(other, mode="Exclusive") == 0


def test_a_sessions_lock_ends_with_its_connection(filled: Warehouse, other: pyodbc.Connection) -> None:
    with closing(filled.connect()) as leaving:
        assert take(leaving) == 0
    assert take(other, timeout=20_000) in (0, 1)


def test_application_locks_take_part_in_deadlocks(filled: Warehouse, other: pyodbc.Connection) -> None:
    assert (take(filled.connection, "a"), take(other, "b")) == (0, 0)
    waiting = Background(lambda: take(filled.connection, "b", timeout=20_000))
    assert waiting.is_waiting()
    assert take(other, "a", timeout=20_000) == -3
    run(other, "EXEC sp_releaseapplock @Resource = N'b', @LockOwner = 'Session'")
    assert waiting.result() == 1


def test_a_call_by_name_has_the_return_code(filled: Warehouse, other: pyodbc.Connection) -> None:
    assert take(other) == 0
    server = filled.server
    with closing(
        pytds.connect(server.host, filled.database, server.user, server.password, port=server.port, autocommit=True)
    ) as called:
        cursor = called.cursor()
        cursor.callproc("sp_getapplock", ("r", "Exclusive", "Session", 10))
        assert cursor.get_proc_return_status() == -1

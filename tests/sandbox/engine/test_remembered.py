"""Catalogues and bound queries are remembered: what another session, a parameter or the time of day changes is seen all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sqlserver_sandbox.engine.execution.catalogue_view import StatementCatalogue
from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.catalogue import Database
from tests.sandbox.engine.client import Client, parameter

Connect = Callable[..., Client]
COLUMNS = "SELECT c.name FROM sys.columns AS c WHERE c.object_id = OBJECT_ID(N't') ORDER BY c.column_id"


@pytest.fixture
def two(connect: Connect) -> tuple[Client, Client]:
    first, second = connect(), connect()
    first.do("CREATE DATABASE d", "USE d", "CREATE TABLE t (k int PRIMARY KEY, v int)", "INSERT t VALUES (1, 10)")
    second.do("USE d")
    return first, second


def test_definitions_of_another_session_are_in_the_next_answer(two: tuple[Client, Client]) -> None:
    first, second = two
    assert first.rows(COLUMNS) == second.rows(COLUMNS) == [("k",), ("v",)]
    second.do("ALTER TABLE t ADD w int")
    assert first.rows(COLUMNS) == [("k",), ("v",), ("w",)]
    assert first.rows("SELECT * FROM t") == [(1, 10, None)]
    second.do("ALTER TABLE t DROP COLUMN w", "ALTER TABLE t ADD x int")
    assert first.rows(COLUMNS) == [("k",), ("v",), ("x",)]


def test_definitions_that_are_not_committed_are_the_own_sessions(two: tuple[Client, Client]) -> None:
    first, second = two
    first.rows(COLUMNS)
    first.do("BEGIN TRAN", "CREATE TABLE u (a int)")
    tables = "SELECT name FROM sys.tables ORDER BY name"
    assert first.rows(tables) == [("t",), ("u",)]
    assert second.rows(tables) == [("t",)]
    first.do("ROLLBACK")
    assert first.rows(tables) == [("t",)]
    first.do("BEGIN TRAN", "CREATE TABLE u (b int)")
    assert first.rows("SELECT b FROM u") == []
    first.do("COMMIT")
    assert second.rows(tables) == [("t",), ("u",)]


def test_databases_that_come_and_go_are_listed(two: tuple[Client, Client]) -> None:
    first, second = two
    listed = "SELECT name FROM sys.databases ORDER BY database_id"
    before = first.rows(listed)
    second.do("CREATE DATABASE other")
    assert first.rows(listed) == [*before, ("other",)]
    assert first.rows("SELECT name FROM other.sys.tables") == []
    second.do("DROP DATABASE other")
    assert first.rows(listed) == before
    first.error("SELECT name FROM other.sys.tables")


def test_counted_rows_and_the_sessions_state_are_not_remembered(two: tuple[Client, Client]) -> None:
    first, second = two
    counted = "SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = OBJECT_ID(N't')"
    assert first.rows(counted) == [(1,)]
    second.do("INSERT t VALUES (2, 20), (3, 30)")
    assert first.rows(counted) == [(3,)]
    state = "SELECT @@TRANCOUNT, @@ROWCOUNT"
    first.rows("SELECT k FROM t")
    assert first.rows(state) == [(0, 3)]
    first.do("BEGIN TRAN")
    assert first.rows("SELECT @@TRANCOUNT") == [(1,)]
    first.do("COMMIT")
    assert first.rows("SELECT @@TRANCOUNT") == [(0,)]
    assert first.rows("SELECT NEWID()") != first.rows("SELECT NEWID()")


def test_parameters_that_compare_as_equal_are_told_apart(client: Client) -> None:
    real = SqlType("float")
    negative = [str(client.rows("SELECT @p", p=parameter(value, real))[0][0]) for value in (0.0, -0.0, 0.0)]
    assert negative == ["0.0", "-0.0", "0.0"]
    number, bit = SqlType("int"), SqlType("bit")
    assert client.rows("SELECT @p", p=parameter(1, number)) == [(1,)]
    assert client.rows("SELECT @p", p=parameter(True, bit)) == [(True,)]


@pytest.mark.parametrize(
    "change", ["ALTER TABLE t ADD w int", "CREATE TABLE another (a int)", "INSERT t VALUES (2, 20)"]
)
def test_a_commit_between_the_catalogue_and_the_rows_is_no_error(
    two: tuple[Client, Client], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    looked = StatementCatalogue.by_id
    changes = [change]

    def by_id(self: StatementCatalogue, database_id: int) -> Database:
        found = looked(self, database_id)
        if changes:
            second.do(changes.pop())
        return found

    monkeypatch.setattr(StatementCatalogue, "by_id", by_id)
    rows = first.rows("SELECT * FROM t WHERE k < 100 ORDER BY k")
    assert not changes
    assert rows == second.rows("SELECT * FROM t ORDER BY k")

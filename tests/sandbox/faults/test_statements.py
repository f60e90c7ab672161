"""What the real drivers report when a statement meets a fault, and what became of the transaction."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pyodbc
import pytest

from dltsync_core.connect.faults import read_fault
from sqlserver_sandbox.faults.messages import SEVERITIES_AND_TEXTS
from sqlserver_sandbox.faults.plan import Drip, Drop, Fail, Failover, Fault, Stall, Tear, Where
from tests.sandbox.faults.conftest import ERRORS, Open
from tests.sandbox.faults.statements import SELECT, failing, ids
from tests.support.cancelling import cancelled_after
from tests.support.fault_control import FaultControl

STATES = {1205: "40001"}
ENDS_TRANSACTION = [1205, 3960, 3961]


@pytest.mark.parametrize("number", sorted(SEVERITIES_AND_TEXTS))
def test_a_number_reaches_the_client_with_its_text(
    number: int, faults: FaultControl, table: str, open_client: Open
) -> None:
    faults.plan(Fault(Fail(number), SELECT))
    connection = open_client()
    error = failing(connection, f"SELECT id FROM {table}")
    fault = read_fault(error)
    assert fault.message.startswith(SEVERITIES_AND_TEXTS[number][1].split("{")[0].split("'")[0].strip())
    if isinstance(error, pyodbc.Error):
        assert fault.number == number
        assert fault.state == ("28000" if number == 18456 else STATES.get(number, fault.state))
    if SEVERITIES_AND_TEXTS[number][0] < 20:
        assert ids(connection, table) == [1, 2, 3, 4, 5, 6]
    else:
        failing(connection, f"SELECT id FROM {table}")
    assert faults.clear() == ["fail"]


@pytest.mark.parametrize("number", [*ENDS_TRANSACTION, 1222, 40501])
@pytest.mark.parametrize("rows", [None, 2], ids=["before rows", "among rows"])
def test_what_an_error_does_to_the_transaction(
    number: int, rows: int | None, faults: FaultControl, table: str, steady: pyodbc.Connection, open_client: Open
) -> None:
    """Deadlocks and snapshot conflicts roll back, a lock timeout ends its statement only, severity 20 takes all with it."""
    steady.execute(f"CREATE TABLE {table}_written (id int NOT NULL)")
    faults.plan(Fault(Fail(number, rows=rows), SELECT))
    connection = open_client(autocommit=False)
    cursor = connection.cursor()
    cursor.execute(f"INSERT INTO {table}_written VALUES (1)")
    failing(connection, f"SELECT id, name FROM {table}")
    if number != 40501:
        connection.commit()
    kept = steady.execute(f"SELECT COUNT(*) FROM {table}_written").fetchval()
    assert kept == (1 if number == 1222 else 0)


def test_xact_abort_makes_a_lock_timeout_roll_back(
    faults: FaultControl, table: str, steady: pyodbc.Connection, open_client: Open
) -> None:
    connection = open_client(autocommit=False)
    cursor = connection.cursor()
    cursor.execute("SET XACT_ABORT ON")
    cursor.execute(f"DELETE FROM {table} WHERE id = 1")
    faults.plan(Fault(Fail(1222), SELECT))
    failing(connection, f"SELECT id FROM {table}")
    assert ids(steady, table) == [1, 2, 3, 4, 5, 6]


def test_any_number_with_a_text_of_ones_own(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Fail(9002, "The transaction log is full.", severity=17), SELECT))
    assert "The transaction log is full." in str(failing(open_client(), f"SELECT id FROM {table}"))


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize(
    ("rows", "when"), [(None, "before"), (None, "after"), (0, "before"), (2, "before"), (99, "before")]
)
def test_a_dropped_connection_is_never_taken_for_an_end(
    how: str, rows: int | None, when: str, faults: FaultControl, table: str, open_client: Open
) -> None:
    faults.plan(Fault(Drop(when, rows=rows, how=how), SELECT))
    connection = open_client()
    arrived: list[int] = []
    cursor = connection.cursor()

    def read() -> None:
        cursor.execute(f"SELECT id, name FROM {table} ORDER BY id")
        arrived.extend(row[0] for row in iter(cursor.fetchone, None))

    with pytest.raises(ERRORS) as caught:
        read()
    assert len(arrived) <= (rows or 0)
    if isinstance(caught.value, pyodbc.Error):
        assert read_fault(caught.value).state == "08S01"
    failing(connection, "SELECT 1")
    assert faults.clear() == ["drop"]


def test_rows_before_the_break_arrive(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Drop(rows=4), SELECT))
    cursor = open_client().cursor()
    cursor.execute(f"SELECT id, name FROM {table} ORDER BY id")
    assert [cursor.fetchone()[0] for _ in range(2)] == [1, 2]


def test_bytes_are_counted(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Drop(bytes=5_000), SELECT))
    with pytest.raises(ERRORS):
        ids(open_client(), table)
    faults.plan(Fault(Drop(bytes=1_000_000), SELECT))
    assert ids(open_client(), table) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("when", "kept"), [("before", [1, 2, 3, 4, 5, 6]), ("after", [2, 3, 4, 5, 6])])
def test_around_a_commit_the_client_knows_as_little_as_in_life(
    when: str, kept: list[int], faults: FaultControl, table: str, steady: pyodbc.Connection, open_client: Open
) -> None:
    faults.plan(Fault(Drop(when), Where(kind="commit")))
    connection = open_client(autocommit=False)
    connection.cursor().execute(f"DELETE FROM {table} WHERE id = 1")
    with pytest.raises(ERRORS):
        connection.commit()
    faults.clear()
    steady.execute("SET LOCK_TIMEOUT 5000")
    steady.execute(f"UPDATE {table} SET name = name WHERE id = 2")  # waits for the broken connection's end
    assert ids(steady, table) == kept


def test_an_autocommitted_statement_may_take_effect_without_an_answer(
    faults: FaultControl, table: str, steady: pyodbc.Connection, open_client: Open
) -> None:
    faults.plan(Fault(Drop("after"), Where(kind="delete")))
    failing(open_client(), f"DELETE FROM {table} WHERE id = 1")
    assert ids(steady, table) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("rows", [None, 2])
def test_a_stall_passes(rows: int | None, faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Stall(0.1, rows=rows), SELECT))
    assert ids(open_client(), table) == [1, 2, 3, 4, 5, 6]
    assert faults.clear() == ["stall"]


def test_a_stall_ends_when_the_client_cancels(faults: FaultControl, table: str, faulty_odbc: pyodbc.Connection) -> None:
    faults.plan(Fault(Stall(), SELECT))
    cursor = faulty_odbc.cursor()
    with pytest.raises(pyodbc.Error, match="HY008"), cancelled_after(0.2, cursor.cancel):
        cursor.execute(f"SELECT id FROM {table}")
    assert ids(faulty_odbc, table) == [1, 2, 3, 4, 5, 6]


def test_a_query_timeout_ends_a_stall(faults: FaultControl, table: str, open_client: Open) -> None:
    connection = open_client()
    connection.timeout = 1
    faults.plan(Fault(Stall(), SELECT))
    assert "imeout" in str(failing(connection, f"SELECT id FROM {table}"))


def test_a_deaf_stall_is_let_go_with_the_plan(faults: FaultControl, table: str, faulty_odbc: pyodbc.Connection) -> None:
    faults.plan(Fault(Stall(deaf=True), SELECT))
    with cancelled_after(0.1, faults.clear):
        assert ids(faulty_odbc, table) == [1, 2, 3, 4, 5, 6]


def test_a_dripping_answer_is_whole(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Drip(60_000), SELECT))
    assert ids(open_client(), table) == [1, 2, 3, 4, 5, 6]


def test_a_failover_breaks_everyone_and_is_not_ready_at_once(
    faults: FaultControl, table: str, open_client: Open
) -> None:
    faults.plan(Fault(Failover(logins=2), SELECT))
    idle, working = open_client(), open_client()
    failing(working, f"SELECT id FROM {table}")
    failing(idle, "SELECT 1")
    for _ in range(2):
        with pytest.raises(ERRORS, match="is not currently available"):
            open_client()
    assert ids(open_client(), table) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("rows", "seen"), [(-1, [2, 3, 4, 5, 6]), (1, [1, 1, 2, 3, 4, 5, 6]), (-9, [])])
def test_a_torn_answer_differs_from_its_count(
    rows: int, seen: list[int], faults: FaultControl, table: str, open_client: Open
) -> None:
    faults.plan(Fault(Tear(rows), Where(pattern="name FROM", table="faulty")))
    connection = open_client()
    cursor = connection.cursor()
    cursor.execute(f"SELECT COUNT_BIG(*) FROM {table}")
    assert cursor.fetchone()[0] == 6
    assert ids(connection, table) == seen


@pytest.fixture
def faulty_odbc(faults: FaultControl) -> Any:
    with closing(pyodbc.connect(faults.server.odbc(), autocommit=True, timeout=10)) as opened:
        yield opened

"""Transactions: what survives an error, what another session sees, SNAPSHOT and its conflicts, waiting writers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from sqlserver_sandbox.model import Cancelled, ResultSet, TransactionChange
from tests.sandbox.engine.client import Client
from tests.support.cancelling import cancelled_after

Connect = Callable[..., Client]


@pytest.fixture
def two(connect: Connect) -> tuple[Client, Client]:
    first, second = connect(), connect()
    first.do(
        "CREATE DATABASE d",
        "USE d",
        "CREATE TABLE t (k int PRIMARY KEY, v int)",
        "INSERT t VALUES (1, 10), (2, 20)",
        "CREATE TABLE u (k int)",
    )
    second.do("USE d")
    return first, second


def test_commit_and_rollback_are_announced_with_one_descriptor(client: Client) -> None:
    client.do("CREATE TABLE t (a int)")
    answer = client.run(
        "BEGIN TRAN; BEGIN TRAN; INSERT t VALUES (1); COMMIT; SELECT @@TRANCOUNT; COMMIT; SELECT @@TRANCOUNT, a FROM t"
    )
    assert [o.kind for o in answer.others if isinstance(o, TransactionChange)] == ["begin", "commit"]
    assert len({o.descriptor for o in answer.others if isinstance(o, TransactionChange)} | {0}) == 2
    assert answer.results == [[(1,)], [(0, 1)]]
    assert client.number("COMMIT") == 3902
    assert client.number("ROLLBACK") == 3903


def test_what_drivers_send_to_end_a_transaction_works(client: Client) -> None:
    client.do(
        "CREATE TABLE t (a int)",
        "BEGIN TRANSACTION",
        "INSERT t VALUES (1)",
        "IF @@TRANCOUNT > 0 ROLLBACK TRAN",
        "IF @@TRANCOUNT > 0 COMMIT TRAN",
    )
    assert client.value("COUNT(*) FROM t") == 0


def test_an_uncommitted_row_is_seen_by_nobody_else(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN", "INSERT t VALUES (3, 30)")
    assert first.value("COUNT(*) FROM t") == 3
    assert second.value("COUNT(*) FROM t") == 2
    first.do("COMMIT")
    assert second.value("COUNT(*) FROM t") == 3


def test_read_committed_sees_the_newest_rows_at_each_statement(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN")
    assert first.value("SUM(v) FROM t") == 30
    second.do("UPDATE t SET v = 100 WHERE k = 1")
    assert first.value("SUM(v) FROM t") == 120
    first.do("INSERT u VALUES (1)")
    second.do("UPDATE t SET v = 200 WHERE k = 1")
    assert first.value("SUM(v) FROM t") == 220
    assert first.number("SELECT COUNT(*) FROM t JOIN u ON t.k = u.k") == 40517
    first.do("COMMIT")
    assert first.value("COUNT(*) FROM t JOIN u ON t.k = u.k") == 1


def test_a_failed_statement_leaves_the_transaction(two: tuple[Client, Client]) -> None:
    first, _ = two
    first.do("BEGIN TRAN", "INSERT t VALUES (3, 30)")
    assert first.number("INSERT t VALUES (4, 40), (1, 1)") == 2627
    assert first.number("INSERT t VALUES (NULL, 1)") == 515
    assert first.number("SELECT nope FROM t") == 207
    assert first.value("@@TRANCOUNT") == 1
    first.do("COMMIT")
    assert [r[0] for r in first.rows("SELECT k FROM t ORDER BY k")] == [1, 2, 3]


def test_the_batch_goes_on_after_a_failed_statement_unless_xact_abort(two: tuple[Client, Client]) -> None:
    first, _ = two
    answer = first.run("INSERT t VALUES (1, 1); INSERT t VALUES (5, 5)")
    assert ([e.number for e in answer.errors], answer.counts) == ([2627], [1])
    answer = first.run(
        "SET XACT_ABORT ON; BEGIN TRAN; INSERT t VALUES (6, 6); INSERT t VALUES (1, 1); INSERT t VALUES (7, 7)"
    )
    assert [e.number for e in answer.errors] == [2627]
    assert [o.kind for o in answer.others if isinstance(o, TransactionChange)] == ["begin", "rollback"]
    assert first.value("@@TRANCOUNT") == 0
    assert [r[0] for r in first.rows("SELECT k FROM t ORDER BY k")] == [1, 2, 5]


def test_a_conversion_error_ends_batch_and_transaction(two: tuple[Client, Client]) -> None:
    first, _ = two
    answer = first.run("BEGIN TRAN; INSERT t VALUES (3, 'x'); INSERT t VALUES (4, 4)")
    assert [e.number for e in answer.errors] == [245]
    assert first.value("@@TRANCOUNT") == 0
    assert first.value("COUNT(*) FROM t") == 2


def test_an_error_inside_duckdb_after_a_change_costs_the_transaction_and_says_so(two: tuple[Client, Client]) -> None:
    """The one place where XACT_ABORT OFF cannot be kept: DuckDB does not undo a single statement."""
    first, _ = two
    answer = first.run("BEGIN TRAN; INSERT t VALUES (3, 30); SELECT 1 / (k - k) FROM t")
    assert [e.number for e in answer.errors] == [8134]
    assert [o.kind for o in answer.others if isinstance(o, TransactionChange)] == ["begin", "rollback"]
    answer = first.run("BEGIN TRAN; SELECT 1 / (k - k) FROM t; SELECT @@TRANCOUNT; ROLLBACK")
    assert answer.results[-1] == [(1,)]


def test_snapshot_must_be_allowed_and_then_stands_still(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    assert first.number("SELECT * FROM t") == 3952
    assert first.value("snapshot_isolation_state FROM sys.databases WHERE name = 'd'") == 0
    second.do("ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON")
    assert first.value("snapshot_isolation_state_desc FROM sys.databases WHERE name = 'd'") == "ON"
    first.do("BEGIN TRAN")
    second.do("UPDATE t SET v = 11 WHERE k = 1")
    assert first.value("SUM(v) FROM t") == 31
    second.do("UPDATE t SET v = 1000", "INSERT t VALUES (9, 9)")
    assert first.rows("SELECT COUNT(*), SUM(v) FROM t") == [(2, 31)]
    first.do("COMMIT")
    assert first.value("COUNT(*) FROM t") == 3


def test_the_second_of_two_snapshot_writers_fails_and_is_rolled_back(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do(
        "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON", "SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRAN"
    )
    assert first.value("v FROM t WHERE k = 1") == 10
    second.do("UPDATE t SET v = v + 1 WHERE k = 1")
    answer = first.run("UPDATE t SET v = v + 1 WHERE k = 1")
    assert [e.number for e in answer.errors] == [3960]
    assert [o.kind for o in answer.others if isinstance(o, TransactionChange)] == ["rollback"]
    assert first.value("@@TRANCOUNT") == 0
    assert first.value("v FROM t WHERE k = 1") == 11


def test_ddl_is_refused_in_a_snapshot_transaction(two: tuple[Client, Client]) -> None:
    first, _ = two
    first.do(
        "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON", "SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRAN"
    )
    assert first.number("CREATE TABLE x (a int)") == 3964


@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_levels_that_promise_locks_are_refused(client: Client, level: str) -> None:
    assert client.number(f"SET TRANSACTION ISOLATION LEVEL {level}") == 40517


def test_a_writer_waits_for_the_writer_before_it(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN", "UPDATE t SET v = v + 1 WHERE k = 1")
    second.do("SET LOCK_TIMEOUT 50")
    assert second.number("UPDATE t SET v = v + 1 WHERE k = 2") == 1222
    second.do("SET LOCK_TIMEOUT -1")
    thread = threading.Thread(target=lambda: second.do("UPDATE t SET v = v * 2 WHERE k = 1"))
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    first.do("COMMIT")
    thread.join(10)
    assert first.value("v FROM t WHERE k = 1") == 22


def test_two_writers_that_wait_for_each_other_are_a_deadlock(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN", "UPDATE t SET v = 1")
    second.do("BEGIN TRAN", "INSERT u VALUES (1)")
    numbers: list[int] = []

    def wait() -> None:
        numbers.extend(e.number for e in first.run("INSERT u VALUES (2)").errors)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    error = second.error("UPDATE t SET v = 2")
    assert error.number == 1205
    thread.join(10)
    assert numbers == []
    assert second.value("@@TRANCOUNT") == 0
    first.do("COMMIT")
    assert second.value("COUNT(*) FROM u") == 1


def test_many_sessions_count_up_without_losing_one(connect: Connect) -> None:
    connect().do("CREATE TABLE n (v int)", "INSERT n VALUES (0)", "CREATE TABLE log (id int IDENTITY, rv rowversion)")
    failures: list[str] = []

    def work() -> None:
        own = connect()
        for _ in range(10):
            for sql in ("UPDATE n SET v = v + 1", "INSERT log DEFAULT VALUES"):
                failures.extend(e.message for e in own.run(sql).errors)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = connect()
    assert not failures
    assert last.value("v FROM n") == 40
    assert last.rows("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id), COUNT(DISTINCT rv) FROM log") == [(40, 40, 40, 40)]


def test_an_uncommitted_rowversion_holds_back_min_active_rowversion(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("CREATE TABLE r (a int, rv rowversion)", "CREATE TABLE r2 (a int, rv rowversion)")
    first.do("BEGIN TRAN", "INSERT r (a) VALUES (1)")
    mine = first.value("rv FROM r")
    second.do("INSERT r2 (a) VALUES (1)")
    assert second.value("rv FROM r2") > mine
    assert second.value("MIN_ACTIVE_ROWVERSION()") == mine
    first.do("COMMIT")
    assert second.value("MIN_ACTIVE_ROWVERSION()") > second.value("rv FROM r2")


def test_implicit_transactions_begin_with_the_first_statement_on_a_table(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("SET IMPLICIT_TRANSACTIONS ON")
    assert first.value("@@TRANCOUNT") == 0
    assert first.run("INSERT t VALUES (3, 3)").others == [TransactionChange("begin", 1)]
    assert second.value("COUNT(*) FROM t") == 2
    first.do("IF @@TRANCOUNT > 0 COMMIT TRAN")
    assert second.value("COUNT(*) FROM t") == 3


def test_a_closed_session_rolls_back(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN", "DELETE t")
    first.session.close()
    second.do("UPDATE t SET v = 1")
    assert second.value("COUNT(*) FROM t") == 2


def test_reset_rolls_back_and_forgets_options(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("SET NOCOUNT ON", "BEGIN TRAN", "DELETE t")
    list(first.session.reset(keep_transaction=False))
    assert first.session.database == "master"
    assert first.value("@@TRANCOUNT") == 0
    assert second.value("COUNT(*) FROM t") == 2
    assert first.run("USE d; DELETE t WHERE k = 1").counts == [1]


def test_an_attention_stops_a_running_query_and_keeps_the_transaction(two: tuple[Client, Client]) -> None:
    first, _ = two
    numbers = ", ".join(f"({i})" for i in range(100))
    first.do("BEGIN TRAN", "CREATE TABLE n (x int)", f"INSERT n VALUES {numbers}", "COMMIT", "BEGIN TRAN")
    slow = "SELECT COUNT_BIG(*) FROM n a, n b, n c, n d, n e WHERE a.x + b.x * c.x + d.x + e.x > 1000000"
    begun = time.monotonic()
    with pytest.raises(Cancelled), cancelled_after(0.3, first.session.cancel):  # noqa: PT012 - consumed for it to run
        for outcome in first.session.execute(slow, {}):
            assert isinstance(outcome, ResultSet)
            list(outcome.batches)
    assert time.monotonic() - begun < 10
    assert first.value("@@TRANCOUNT") == 1
    assert first.value("COUNT(*) FROM n") == 100


def test_an_attention_wakes_a_waiting_writer(two: tuple[Client, Client]) -> None:
    first, second = two
    first.do("BEGIN TRAN", "DELETE t")
    with pytest.raises(Cancelled), cancelled_after(0.2, second.session.cancel):
        list(second.session.execute("DELETE t", {}))
    first.do("ROLLBACK")
    assert second.value("COUNT(*) FROM t") == 2


def test_a_result_left_in_the_middle_leaves_the_session_usable(client: Client) -> None:
    client.do("CREATE TABLE n (x int)", "INSERT n VALUES " + ", ".join(f"({i})" for i in range(500)))
    outcomes = client.session.execute("SELECT a.x FROM n a CROSS JOIN n b; SELECT 1", {})
    result = next(outcomes)
    assert isinstance(result, ResultSet)
    next(result.batches)
    outcomes.close()  # type: ignore[attr-defined]
    assert client.value("COUNT(*) FROM n") == 500

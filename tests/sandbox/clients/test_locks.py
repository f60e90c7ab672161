"""Who waits for whom: DDL and readers, row versions and locks, application locks, sessions that go away."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pyodbc
import pytds
import pytest

from tests.sandbox.clients.warehouse import Warehouse, number, publish_batch, rows, run

SWITCH_OUT = "ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_out PARTITION 2"


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    warehouse.publishable()
    return warehouse


@pytest.fixture
def other(filled: Warehouse) -> Iterator[pyodbc.Connection]:
    with closing(filled.connect()) as opened:
        yield opened


class Background:
    """A call in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._outcome: object = None
        self._error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's own thread
            self._error = error

    def is_waiting(self) -> bool:
        self._thread.join(0.3)
        return self._thread.is_alive()

    def result(self) -> object:
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._outcome


@pytest.mark.parametrize(
    "statement",
    [
        SWITCH_OUT,
        "TRUNCATE TABLE dbo.t WITH (PARTITIONS (2))",
        "ALTER TABLE dbo.t ADD w int NULL",
        "CREATE INDEX ix ON dbo.t (v)",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE ('20240401')",
    ],
)
def test_a_reader_waits_for_ddl_until_its_transaction_ends(
    filled: Warehouse, other: pyodbc.Connection, statement: str
) -> None:
    filled.run("BEGIN TRAN", statement)
    run(other, "SET LOCK_TIMEOUT 50")
    assert number(other, "SELECT COUNT(*) FROM dbo.t") == 1222
    run(other, "SET LOCK_TIMEOUT -1")
    reader = Background(lambda: rows(other, "SELECT COUNT(*) FROM dbo.t"))
    assert reader.is_waiting()
    filled.run("ROLLBACK")
    assert reader.result() == [(4,)]


def test_a_reader_that_waited_sees_what_was_committed(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("BEGIN TRAN", SWITCH_OUT)
    readers = [
        Background(lambda: rows(other, "SELECT k FROM dbo.t ORDER BY k")),
    ]
    assert readers[0].is_waiting()
    filled.run("ALTER TABLE stg.t_in SWITCH PARTITION 2 TO dbo.t PARTITION 2", "COMMIT")
    assert readers[0].result() == [(1,), (4,), (12,), (13,)]


def test_a_statement_that_changes_rows_waits_for_ddl_on_what_it_reads(
    filled: Warehouse, other: pyodbc.Connection
) -> None:
    filled.run("CREATE TABLE dbo.copy (k int NOT NULL)", "BEGIN TRAN", SWITCH_OUT)
    copying = Background(lambda: run(other, "INSERT dbo.copy SELECT k FROM dbo.t"))
    assert copying.is_waiting()
    filled.run("COMMIT")
    copying.result()
    assert filled.keys("dbo.copy") == [1, 4]


def test_a_table_that_was_dropped_meanwhile_is_not_found(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("BEGIN TRAN", "DROP TABLE dbo.marker")
    reader = Background(lambda: number(other, "SELECT * FROM dbo.marker"))
    assert reader.is_waiting()
    filled.run("COMMIT")
    assert reader.result() == 208


def test_ddl_waits_for_a_reader_in_the_middle_of_its_rows(filled: Warehouse, other: pyodbc.Connection) -> None:
    many = " CROSS JOIN ".join(f"(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS {a}(n)" for a in "abcdef")
    cursor = other.cursor()
    cursor.execute(f"SELECT t.k, '{'x' * 500}' FROM dbo.t AS t CROSS JOIN {many}")
    assert cursor.fetchone() is not None
    filled.run("SET LOCK_TIMEOUT 50")
    assert filled.number(SWITCH_OUT) == 1222
    cursor.close()
    filled.run("SET LOCK_TIMEOUT 5000", SWITCH_OUT)


def test_new_readers_queue_behind_ddl_that_waits(filled: Warehouse, other: pyodbc.Connection) -> None:
    run(other, "BEGIN TRAN; UPDATE dbo.t SET v = N'z' WHERE k = 4")
    switching = Background(lambda: run(filled.connection, SWITCH_OUT))
    assert switching.is_waiting()
    with closing(filled.connect()) as third:
        run(third, "SET LOCK_TIMEOUT 50")
        assert number(third, "SELECT COUNT(*) FROM dbo.t") == 1222
        run(other, "COMMIT")
        switching.result()
        assert rows(third, "SELECT COUNT(*) FROM dbo.t") == [(2,)]


def test_a_switch_that_waits_at_low_priority_lets_readers_pass(filled: Warehouse, other: pyodbc.Connection) -> None:
    run(other, "BEGIN TRAN; UPDATE dbo.t SET v = N'z' WHERE k = 4")
    polite = f"{SWITCH_OUT} WITH (WAIT_AT_LOW_PRIORITY (MAX_DURATION = 5 MINUTES, ABORT_AFTER_WAIT = SELF))"
    switching = Background(lambda: run(filled.connection, polite))
    assert switching.is_waiting()
    with closing(filled.connect()) as third:
        run(third, "SET LOCK_TIMEOUT 0")
        assert rows(third, "SELECT COUNT(*) FROM dbo.t") == [(4,)]
        assert number(third, polite.replace("SELF", "BLOCKERS")) == 40517
        assert number(third, polite.replace("5 MINUTES", "0")) == 1222
    run(other, "COMMIT")
    switching.result()
    assert filled.keys("dbo.t") == [1, 4]


def test_row_versions_let_readers_pass_a_writer(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("BEGIN TRAN", "DELETE dbo.t WHERE $PARTITION.pf(day) = 2")
    filled.run("INSERT dbo.t SELECT k, day, v FROM stg.t_in")
    run(other, "SET LOCK_TIMEOUT 0")
    assert [row[0] for row in rows(other, "SELECT k FROM dbo.t ORDER BY k")] == [1, 2, 3, 4]
    filled.run("COMMIT")
    assert [row[0] for row in rows(other, "SELECT k FROM dbo.t ORDER BY k")] == [1, 4, 12, 13]


def test_without_row_versions_readers_wait_for_writers(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT OFF")
    assert filled.rows("SELECT is_read_committed_snapshot_on FROM sys.databases WHERE database_id = DB_ID()") == [
        (False,)
    ]
    filled.run("BEGIN TRAN", "DELETE dbo.t WHERE k < 4")
    reader = Background(lambda: rows(other, "SELECT COUNT(*) FROM dbo.t"))
    assert reader.is_waiting()
    filled.run("COMMIT")
    assert reader.result() == [(1,)]
    filled.run("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON", "BEGIN TRAN", "DELETE dbo.t")
    assert rows(other, "SELECT COUNT(*) FROM dbo.t") == [(1,)]


def test_a_snapshot_transaction_that_meets_ddl_fails(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON")
    run(other, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT COUNT(*) FROM dbo.marker")
    filled.run("UPDATE dbo.t SET v = N'z' WHERE k = 4")
    assert rows(other, "SELECT v FROM dbo.t WHERE k = 4") == [("d",)]
    filled.run(SWITCH_OUT)
    assert number(other, "SELECT COUNT(*) FROM dbo.t") == 3961
    assert rows(other, "SELECT @@TRANCOUNT, (SELECT COUNT(*) FROM dbo.t)") == [(0, 2)]
    assert number(other, "BEGIN TRAN; ALTER TABLE stg.t_out SWITCH PARTITION 2 TO dbo.t PARTITION 2") == 3964


def test_exclusive_hints_lock_to_the_end_of_the_transaction(filled: Warehouse, other: pyodbc.Connection) -> None:
    filled.run("BEGIN TRAN", "SELECT TOP (1) 1 FROM dbo.t WITH (TABLOCKX, HOLDLOCK)")
    run(other, "SET LOCK_TIMEOUT 50")
    assert number(other, "SELECT k FROM dbo.t WITH (UPDLOCK, HOLDLOCK)") == 1222
    assert number(other, "DELETE dbo.t") == 1222
    assert rows(other, "SELECT COUNT(*) FROM dbo.t") == [(4,)]
    filled.run("COMMIT")
    assert rows(other, "SELECT COUNT(*) FROM dbo.t WITH (UPDLOCK)") == [(4,)]


def test_a_lock_timeout_in_a_switch_ends_it_and_the_batch_can_be_sent_again(
    filled: Warehouse, other: pyodbc.Connection
) -> None:
    run(other, "BEGIN TRAN; UPDATE dbo.t SET v = N'z' WHERE k = 4")
    batch = publish_batch(1).replace("LOCK_TIMEOUT 3000", "LOCK_TIMEOUT 50")
    assert number(filled.connection, batch) == 1222
    assert filled.rows("SELECT @@TRANCOUNT, (SELECT COUNT(*) FROM dbo.marker)") == [(0, 0)]
    run(other, "ROLLBACK")
    assert rows(filled.connection, batch) == [(2, 0, 0)]


def test_a_publisher_goes_on_after_it_waited_for_a_writer(filled: Warehouse, other: pyodbc.Connection) -> None:
    """What the writer committed is there, and what the publisher wrote before it waited as well."""
    run(other, "BEGIN TRAN; UPDATE dbo.t SET v = N'z'; INSERT dbo.t VALUES (5, '20240103', N'e')")
    publishing = Background(
        lambda: run(filled.connection, publish_batch(1).replace("LOCK_TIMEOUT 3000", "LOCK_TIMEOUT -1"))
    )
    assert publishing.is_waiting()
    run(other, "COMMIT")
    assert publishing.result() == [[(2, 0, 0)]]
    assert filled.rows("SELECT k, v FROM dbo.t ORDER BY k") == [(1, "z"), (4, "z"), (12, "B"), (13, "C")]
    assert filled.rows("SELECT k, v FROM stg.t_out ORDER BY k") == [(2, "z"), (3, "z"), (5, "e")]
    assert filled.rows("SELECT run FROM dbo.marker") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE dbo.t ADD w int NULL",
        "CREATE INDEX ix ON dbo.t (v)",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE ('20240401')",
        "TRUNCATE TABLE dbo.t",
        "UPDATE dbo.t SET v = v + N'x'",
    ],
)
def test_a_statement_that_waited_for_a_writer_works_on_what_it_committed(
    filled: Warehouse, other: pyodbc.Connection, statement: str
) -> None:
    run(other, "BEGIN TRAN; UPDATE dbo.t SET v = N'z'; INSERT dbo.t VALUES (5, '20240405', N'e')")
    waiting = Background(lambda: run(filled.connection, statement))
    assert waiting.is_waiting()
    run(other, "COMMIT")
    waiting.result()
    expected = {"TRUNCATE TABLE dbo.t": [], "UPDATE dbo.t SET v = v + N'x'": [("ex",), ("zx",)]}
    assert filled.rows("SELECT DISTINCT v FROM dbo.t ORDER BY v") == expected.get(statement, [("e",), ("z",)])


def test_a_reader_that_polls_sees_the_old_month_or_the_new_one(filled: Warehouse) -> None:
    old, new = {2, 3}, {12, 13}
    seen: list[frozenset[int]] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def poll() -> None:
        try:
            with closing(filled.connect()) as own:
                while not stop.is_set():
                    found = rows(own, "SELECT k FROM dbo.t WHERE day >= '20240101' AND day < '20240201'")
                    seen.append(frozenset(row[0] for row in found))
        except BaseException as error:  # noqa: BLE001 - it is asserted on in the test's own thread
            failures.append(error)

    readers = [threading.Thread(target=poll) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for marker in range(10):
            run(filled.connection, publish_batch(marker))
            # Back into staging, for the next round: what is out comes in again.
            run(filled.connection, "ALTER TABLE stg.t_out SWITCH PARTITION 2 TO stg.t_in PARTITION 2")
    finally:
        stop.set()
        for reader in readers:
            reader.join(30)
    assert not failures
    assert set(seen) <= {frozenset(old), frozenset(new)}
    assert seen


# ---- application locks -------------------------------------------------------------------------------------------
GET = (
    "SET NOCOUNT ON; DECLARE @rc int; EXEC @rc = sys.sp_getapplock @Resource = N'{name}', @LockMode = '{mode}',"
    " @LockOwner = '{owner}', @LockTimeout = {timeout}; SELECT @rc;"
)


def take(
    connection: pyodbc.Connection, name: str = "r", *, mode: str = "Exclusive", owner: str = "Session", timeout: int = 0
) -> int:
    return int(rows(connection, GET.format(name=name, mode=mode, owner=owner, timeout=timeout))[0][0])


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


# ---- sessions that go away ---------------------------------------------------------------------------------------
_KILLED = """
import sys, time, pyodbc
connection = pyodbc.connect(sys.argv[1], autocommit=True)
cursor = connection.cursor()
cursor.execute(sys.argv[2])
while cursor.nextset():
    pass
print("ready", flush=True)
time.sleep(600)
"""


def test_a_killed_process_rolls_back_and_releases_its_locks(filled: Warehouse, other: pyodbc.Connection) -> None:
    batch = publish_batch(1).split("COMMIT;")[0]
    command = [sys.executable, "-c", _KILLED, filled.server.odbc(database=filled.database), batch]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            run(other, "SET LOCK_TIMEOUT 0")
            assert number(other, "SELECT COUNT(*) FROM dbo.t") == 1222
        finally:
            process.send_signal(signal.SIGKILL)
    run(other, "SET LOCK_TIMEOUT 20000")
    assert [row[0] for row in rows(other, "SELECT k FROM dbo.t ORDER BY k")] == [1, 2, 3, 4]
    deadline = time.monotonic() + 20
    while take(other, "publish") != 0:
        assert time.monotonic() < deadline
    assert rows(other, "SELECT COUNT(*) FROM dbo.marker") == [(0,)]


def test_a_call_by_name_has_the_return_code(filled: Warehouse, other: pyodbc.Connection) -> None:
    assert take(other) == 0
    server = filled.server
    with closing(
        pytds.connect(server.host, filled.database, server.user, server.password, port=server.port, autocommit=True)
    ) as called:
        cursor = called.cursor()
        cursor.callproc("sp_getapplock", ("r", "Exclusive", "Session", 10))
        assert cursor.get_proc_return_status() == -1

"""Who waits for whom: DDL and readers, row versions and locks, application locks, sessions that go away."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pyodbc
import pytest

from tests.sandbox.clients.background import Background
from tests.sandbox.clients.warehouse import Warehouse, number, publish_batch, rows, run, take

SWITCH_OUT = "ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_out PARTITION 2"


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

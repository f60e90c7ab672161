"""Errors, transactions and cancelling, from the driver's side of the real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pyodbc
import pytest

from tests.support.cancelling import cancelled_after
from tests.support.sandbox_server import SandboxServer


@pytest.fixture
def filled(connection: pyodbc.Connection, schema: str) -> str:
    """A table with the rows 1 and 2."""
    connection.execute(f"CREATE TABLE {schema}.t (id int NOT NULL PRIMARY KEY, name nvarchar(5) NOT NULL)")
    connection.execute(f"INSERT INTO {schema}.t VALUES (1, N'one'), (2, N'two')")
    return f"{schema}.t"


@pytest.fixture
def other(sandbox: SandboxServer) -> Iterator[pyodbc.Connection]:
    """A second connection, without autocommit."""
    with closing(pyodbc.connect(sandbox.odbc(), timeout=10)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "number", "sqlstate"),
    [
        ("SELECT * FROM {t}_missing", 208, "42S02"),
        ("SELECT nothing FROM {t}", 207, "42S22"),
        ("SELECT 1 +", 102, "42000"),
        ("INSERT INTO {t} VALUES (1, N'again')", 2627, "23000"),
        ("INSERT INTO {t} (id, name) VALUES (3, NULL)", 515, "23000"),
        ("INSERT INTO {t} VALUES (3, N'too long')", 2628, "42000"),
        ("SELECT 1 / 0", 8134, "22012"),
        ("SELECT CAST(N'x' AS int)", 245, "22018"),
        ("CREATE TABLE {t} (id int)", 2714, "42S01"),
        ("DROP TABLE {t}_missing", 3701, "42S02"),
        ("EXEC sp_nonsense", 2812, "42000"),
    ],
)
def test_errors_carry_sql_servers_number_and_state(
    sql: str, number: int, sqlstate: str, filled: str, connection: pyodbc.Connection
) -> None:
    with pytest.raises(pyodbc.Error) as raised:
        connection.execute(sql.format(t=filled)).fetchall()
    assert f"({number})" in raised.value.args[1]
    assert raised.value.args[0] == sqlstate
    assert connection.execute(f"SELECT COUNT(*) FROM {filled}").fetchval() == 2


def test_what_is_not_committed_is_rolled_back_when_the_client_leaves(
    filled: str, connection: pyodbc.Connection, sandbox: SandboxServer
) -> None:
    with closing(pyodbc.connect(sandbox.odbc())) as leaving:
        leaving.execute(f"DELETE FROM {filled}")
    deadline = time.monotonic() + 5
    while connection.execute(f"SELECT COUNT(*) FROM {filled}").fetchval() != 2:
        assert time.monotonic() < deadline
    assert connection.execute(f"SELECT COUNT(*) FROM {filled}").fetchval() == 2


def test_commit_and_rollback(filled: str, other: pyodbc.Connection, connection: pyodbc.Connection) -> None:
    other.execute(f"INSERT INTO {filled} VALUES (3, N'three')")
    other.rollback()
    other.execute(f"INSERT INTO {filled} VALUES (4, N'four')")
    other.commit()
    assert [row.id for row in connection.execute(f"SELECT id FROM {filled} ORDER BY id")] == [1, 2, 4]


def test_an_error_leaves_the_transaction_open(
    filled: str, other: pyodbc.Connection, connection: pyodbc.Connection
) -> None:
    """XACT_ABORT is off: a duplicate key ends its statement, not the transaction."""
    other.execute(f"INSERT INTO {filled} VALUES (3, N'three')")
    with pytest.raises(pyodbc.IntegrityError):
        other.execute(f"INSERT INTO {filled} VALUES (3, N'again')")
    assert other.execute("SELECT @@TRANCOUNT").fetchval() == 1
    other.commit()
    assert [row.id for row in connection.execute(f"SELECT id FROM {filled} ORDER BY id")] == [1, 2, 3]


def test_a_computing_statement_stops_when_cancelled(connection: pyodbc.Connection) -> None:
    numbers = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS {}(n)"
    crossed = " CROSS JOIN ".join(numbers.format(name) for name in "abcdefghijkl")
    cursor = connection.cursor()
    started = time.monotonic()
    with pytest.raises(pyodbc.Error, match="HY008"), cancelled_after(0.5, cursor.cancel):
        cursor.execute(f"SELECT COUNT_BIG(*) FROM {crossed} WHERE a.n + b.n * c.n + d.n + e.n + f.n > l.n + 1000")
    assert time.monotonic() - started < 10
    assert connection.execute("SELECT 7").fetchval() == 7


def test_metadata_shows_declared_types(connection: pyodbc.Connection, schema: str) -> None:
    connection.execute(
        f"CREATE TABLE {schema}.t (a nvarchar(50) NOT NULL, b decimal(38,10) NULL, c datetime2(3) NULL, d money NULL, "
        "e uniqueidentifier NULL, f rowversion NOT NULL)"
    )
    cursor = connection.execute(f"SELECT a, b, c, d, e, f FROM {schema}.t")
    assert [(column[0], column[3], column[4], column[5], column[6]) for column in cursor.description] == [
        ("a", 50, 50, 0, False),
        ("b", 38, 38, 10, True),
        ("c", 23, 23, 3, True),
        ("d", 19, 19, 4, True),
        ("e", 36, 36, 0, True),
        ("f", 8, 8, 0, False),
    ]
    columns = connection.cursor().columns(table="t", schema=schema).fetchall()
    assert [(row.column_name, row.type_name) for row in columns] == [
        ("a", "nvarchar"),
        ("b", "decimal"),
        ("c", "datetime2"),
        ("d", "money"),
        ("e", "uniqueidentifier"),
        ("f", "timestamp"),
    ]


def test_eight_clients_at_once(sandbox: SandboxServer, connection: pyodbc.Connection, schema: str) -> None:
    connection.execute(f"CREATE TABLE {schema}.t (client int NOT NULL, n int NOT NULL, PRIMARY KEY (client, n))")
    failures: list[BaseException] = []

    def work(client: int) -> None:
        try:
            with closing(pyodbc.connect(sandbox.odbc(), autocommit=True, timeout=20)) as own:
                for n in range(10):
                    own.execute(f"INSERT INTO {schema}.t VALUES (?, ?)", client, n)
                assert own.execute(f"SELECT COUNT(*) FROM {schema}.t WHERE client = ?", client).fetchval() == 10
        except BaseException as error:  # noqa: BLE001 - it is asserted on in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert connection.execute(f"SELECT COUNT(*) FROM {schema}.t").fetchval() == 80

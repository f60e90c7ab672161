"""Values written by one client and read by another through the real engine are the values that were written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytds
import pytest

from tests.sandbox.wire.fast_client import insert
from tests.support.sandbox_server import SandboxServer

MANY = 60_000
EMOJI = "naïve 😀 Łódź"
NINES = "9" * 38

# declared type, value as a Python parameter, value as every client reads it
VALUES: tuple[tuple[str, Any, Any], ...] = (
    ("bit", True, True),
    ("tinyint", 255, 255),
    ("smallint", -32768, -32768),
    ("int", 2147483647, 2147483647),
    ("bigint", -9223372036854775808, -9223372036854775808),
    (
        "decimal(38,10)",
        Decimal("-1234567890123456789012345678.0123456789"),
        Decimal("-1234567890123456789012345678.0123456789"),
    ),
    ("decimal(38,0)", Decimal(NINES), Decimal(NINES)),
    ("money", Decimal("-922337203685477.5808"), Decimal("-922337203685477.5808")),
    ("smallmoney", Decimal("214748.3647"), Decimal("214748.3647")),
    ("float", 0.1, 0.1),
    ("real", 1.5, 1.5),
    ("date", date(1, 1, 1), date(1, 1, 1)),
    ("datetime2(7)", datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("datetime2(3)", datetime(2024, 1, 31, 12, 0, 0, 123000), datetime(2024, 1, 31, 12, 0, 0, 123000)),
    ("datetime2(6)", datetime(2024, 1, 31, 12, 0, 0, 123456), datetime(2024, 1, 31, 12, 0, 0, 123456)),
    ("datetime", datetime(2024, 1, 31, 12, 0, 0, 7000), datetime(2024, 1, 31, 12, 0, 0, 7000)),
    ("smalldatetime", datetime(2024, 1, 31, 12, 34), datetime(2024, 1, 31, 12, 34)),
    ("nvarchar(50)", EMOJI, EMOJI),
    ("nvarchar(50)", "", ""),
    ("nvarchar(max)", EMOJI * 10_000, EMOJI * 10_000),
    ("varchar(20)", "5 € – ÿ", "5 € – ÿ"),
    ("char(5)", "ab", "ab   "),
    ("nchar(5)", "Ł", "Ł    "),
    ("varbinary(20)", b"\0\xff", b"\0\xff"),
    ("varbinary(max)", bytes(range(256)) * 100, bytes(range(256)) * 100),
    ("binary(4)", b"\1\2", b"\1\2\0\0"),
    ("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
)


def plain(value: Any) -> Any:
    return str(value).upper() if type(value).__name__ == "UUID" else value


@pytest.fixture
def mssql(sandbox: SandboxServer) -> Iterator[mssql_python.Connection]:
    with closing(mssql_python.connect(sandbox.connection_string(), autocommit=True)) as opened:
        yield opened


@pytest.mark.parametrize(("declared", "given", "seen"), VALUES, ids=[case[0] for case in VALUES])
def test_a_parameter_comes_back_from_a_column_of_its_type(
    declared: str, given: Any, seen: Any, connection: pyodbc.Connection, schema: str, sandbox: SandboxServer
) -> None:
    connection.execute(f"CREATE TABLE {schema}.t (id int NOT NULL PRIMARY KEY, v {declared} NULL)")
    connection.execute(f"INSERT INTO {schema}.t (id, v) VALUES (1, ?)", given)
    connection.execute(f"INSERT INTO {schema}.t (id, v) VALUES (2, NULL)")
    sql = f"SELECT v FROM {schema}.t ORDER BY id"
    assert [row[0] for row in connection.execute(sql).fetchall()] == [seen, None]
    with closing(mssql_python.connect(sandbox.connection_string())) as other, closing(other.cursor()) as cursor:
        cursor.execute(sql)
        assert [plain(row[0]) for row in cursor.fetchall()] == [seen, None]
    login = {"user": sandbox.user, "password": sandbox.password, "port": sandbox.port}
    with closing(pytds.connect(sandbox.host, **login)) as third:
        cursor = third.cursor()
        cursor.execute(sql)
        assert [plain(row[0]) for row in cursor.fetchall()] == [seen, None]


def test_bulk_copied_rows_read_back_equal_and_whole(
    mssql: mssql_python.Connection, connection: pyodbc.Connection, schema: str
) -> None:
    connection.execute(
        f"CREATE TABLE {schema}.t (id int NOT NULL PRIMARY KEY, name nvarchar(40) NULL, amount decimal(19,4) NULL, "
        "at datetime2(6) NOT NULL, notes nvarchar(max) NULL)"
    )
    start = datetime(2024, 1, 1)
    table = pa.table(
        {
            "id": pa.array(range(MANY), pa.int32()),
            "name": pa.array([None if n % 5 == 0 else f"nömber {n}" for n in range(MANY)]),
            "amount": pa.array([Decimal(n) / 4 for n in range(MANY)], pa.decimal128(19, 4)),
            "at": pa.array([start + timedelta(seconds=n, microseconds=1) for n in range(MANY)], pa.timestamp("us")),
            "notes": pa.array(["x" * (n % 50) for n in range(MANY)]),
        }
    )
    told = mssql.cursor().bulkcopy_arrow(f"{schema}.t", table, timeout=120)
    assert told["rows_copied"] == MANY
    cursor = mssql.cursor()
    cursor.execute(f"SELECT id, name, amount, at, notes FROM {schema}.t ORDER BY id")
    reader = cursor.arrow_reader(batch_size=50_000)
    read = pa.Table.from_batches(list(reader))
    reader.close()
    assert read.cast(table.schema).equals(table)


def test_a_bulk_copy_that_breaks_a_key_stores_nothing(
    mssql: mssql_python.Connection, connection: pyodbc.Connection, schema: str
) -> None:
    connection.execute(f"CREATE TABLE {schema}.t (id int NOT NULL PRIMARY KEY)")
    with pytest.raises(Exception, match="PRIMARY KEY"):
        mssql.cursor().bulkcopy_arrow(f"{schema}.t", pa.table({"id": pa.array([1, 2, 2], pa.int32())}))
    assert connection.execute(f"SELECT COUNT(*) FROM {schema}.t").fetchval() == 0


def test_fast_executemany_keeps_microseconds(
    sandbox: SandboxServer, connection: pyodbc.Connection, schema: str
) -> None:
    connection.execute(f"CREATE TABLE {schema}.t (at datetime2(7) NOT NULL)")
    moments = [
        (datetime(2024, 1, 1) + timedelta(days=n, microseconds=n)).isoformat(timespec="microseconds")
        for n in range(300)
    ]
    assert insert(sandbox.odbc(), f"INSERT INTO {schema}.t (at) VALUES (?)", moments, moments=True) == ""
    read = connection.execute(f"SELECT at FROM {schema}.t ORDER BY at").fetchall()
    assert [row[0].isoformat(timespec="microseconds") for row in read] == moments


def test_time_keeps_its_seventh_digit_as_text(connection: pyodbc.Connection) -> None:
    row = connection.execute("SELECT CONVERT(varchar(30), CAST('23:59:59.1234567' AS time(7)))").fetchone()
    assert row[0] == "23:59:59.1234567"
    assert connection.execute("SELECT CAST('01:02:03.004005' AS time(6))").fetchval() == time(1, 2, 3, 4005)

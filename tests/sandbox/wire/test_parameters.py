"""Parameters arrive at the engine as the declared type, exactly, from each client's own way of sending them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytest

from sqlserver_sandbox.model import (
    Column,
    Outcome,
    Parameter,
    ResultSet,
    RowsAffected,
    SqlError,
    SqlType,
)
from sqlserver_sandbox.wire.binding import conform
from sqlserver_sandbox.wire.codec.values import array_of, arrow_form
from sqlserver_sandbox.wire.declarations import Declaration, parse_declarations
from tests.sandbox.conftest import CannedServer
from tests.sandbox.wire.canned import CannedSession
from tests.sandbox.wire.fast_client import insert

ONE = "INSERT INTO t VALUES (?)"
ONE_NAMED = "INSERT INTO t VALUES (@P1)"
TYPE_INFO_COLUMNS = (
    ("TYPE_NAME", "sysname"), ("DATA_TYPE", "smallint"), ("PRECISION", "int"), ("LITERAL_PREFIX", "nvarchar"),
    ("LITERAL_SUFFIX", "nvarchar"), ("CREATE_PARAMS", "nvarchar"), ("NULLABLE", "smallint"), ("CASE_SENSITIVE", "smallint"),
    ("SEARCHABLE", "smallint"), ("UNSIGNED_ATTRIBUTE", "smallint"), ("MONEY", "smallint"), ("AUTO_INCREMENT", "smallint"),
    ("LOCAL_TYPE_NAME", "sysname"), ("MINIMUM_SCALE", "smallint"), ("MAXIMUM_SCALE", "smallint"),
    ("SQL_DATA_TYPE", "smallint"), ("SQL_DATETIME_SUB", "smallint"), ("NUM_PREC_RADIX", "int"),
    ("INTERVAL_PRECISION", "smallint"), ("USERTYPE", "smallint"),
)  # fmt: skip
TYPE_INFO_ROWS = {
    -3: (
        "varbinary",
        -3,
        8000,
        "0x",
        None,
        "max length",
        1,
        0,
        2,
        None,
        0,
        None,
        "varbinary",
        None,
        None,
        -3,
        *(None,) * 3,
        0,
    ),
    -9: (
        "nvarchar",
        -9,
        4000,
        "N'",
        "'",
        "max length",
        1,
        0,
        3,
        None,
        0,
        None,
        "nvarchar",
        None,
        None,
        -9,
        *(None,) * 3,
        0,
    ),
    12: (
        "varchar",
        12,
        8000,
        "'",
        "'",
        "max length",
        1,
        0,
        3,
        None,
        0,
        None,
        "varchar",
        None,
        None,
        12,
        *(None,) * 3,
        0,
    ),
    93: ("datetime2", 93, 27, "'", "'", "scale", 1, 0, 3, None, 0, None, "datetime2", 0, 7, 9, 3, None, None, 0),
}
"""What SQLGetTypeInfo answers. Without the row for 93 pyodbc drops fractions of a second, without the others it has no
idea how long a text may be."""


def type_info(name: str) -> SqlType:
    return SqlType(name, length=32 if name == "nvarchar" else 0)


@pytest.fixture
def accepting(canned: CannedServer) -> CannedServer:
    """A server that takes ONE, suggests datetime2(7) for its parameter, and tells drivers about types."""
    columns = tuple(Column(name, type_info(kind)) for name, kind in TYPE_INFO_COLUMNS)

    def describe_type(_session: CannedSession, arguments: Mapping[str, Parameter]) -> Iterator[Outcome]:
        row = TYPE_INFO_ROWS[arguments[""].value[0].as_py()]
        arrays = [pa.array([value], arrow_form(column.type)) for value, column in zip(row, columns, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
        yield ResultSet(columns, iter((batch,)))

    canned.engine.procedures["sp_datatype_info_100"] = describe_type
    for sql in (ONE, ONE_NAMED):
        canned.engine.answer(sql, RowsAffected(1, 0xC3))
        canned.engine.suggested[sql] = [("P1", SqlType("datetime2", scale=7))]
    return canned


def received(server: CannedServer) -> Parameter:
    found = server.engine.seen[-1]
    assert list(found) == ["p1"]
    return found["p1"]


DATETIME_TICKS = 638423247789876540  # 2024-01-31 19:06:18.987654


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1, 1),
        (-(2**63), -(2**63)),
        (True, True),
        (1.25, 1.25),
        ("", ""),
        ("naïve 😀 Ł", "naïve 😀 Ł"),
        ("x" * 10_000 + "😀", "x" * 10_000 + "😀"),
        (b"\0\xff", b"\0\xff"),
        (Decimal("-9" * 1 + "9" * 37), Decimal("-" + "9" * 38)),
        (Decimal("0." + "1" * 38), Decimal("0." + "1" * 38)),
        (Decimal("123.4500"), Decimal("123.4500")),
        (date(1, 1, 1), date(1, 1, 1)),
        (datetime(2024, 1, 31, 19, 6, 18, 987654), DATETIME_TICKS),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), 3155378975999999990),
        (uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff"), "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_pyodbc_parameters_arrive_exactly(
    value: Any, stored: Any, accepting: CannedServer, by_pyodbc: pyodbc.Connection
) -> None:
    by_pyodbc.execute(ONE, value)
    assert received(accepting).value.to_pylist() == [stored]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (7, 7),
        ("naïve 😀 Ł", "naïve 😀 Ł"),
        (Decimal("12345678901234567890.123456789"), Decimal("12345678901234567890.123456789")),
        (date(9999, 12, 31), date(9999, 12, 31)),
        (datetime(2024, 1, 31, 19, 6, 18, 987654), DATETIME_TICKS),
        (b"\0\1", b"\0\1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_mssql_python_parameters_arrive_exactly(
    value: Any, stored: Any, accepting: CannedServer, by_mssql: mssql_python.Connection
) -> None:
    by_mssql.cursor().execute(ONE, (value,))
    assert received(accepting).value.to_pylist() == [stored]


def test_a_null_is_null(accepting: CannedServer, by_pyodbc: pyodbc.Connection) -> None:
    by_pyodbc.execute(ONE, None)
    assert received(accepting).value.to_pylist() == [None]


def test_many_rows_in_one_message_run_one_by_one(accepting: CannedServer) -> None:
    """fast_executemany: hundreds of calls in a message, and the microseconds stay."""
    start = datetime(2024, 1, 1, 0, 0, 0, 1)
    moments = [(start + timedelta(days=day)).isoformat() for day in range(500)]
    assert insert(accepting.odbc(), ONE, moments, moments=True) == ""
    inserted = [seen["p1"] for seen in accepting.engine.seen if "p1" in seen]
    assert len(inserted) == 500
    assert {parameter.type.name for parameter in inserted} == {"datetime2"}
    assert inserted[0].value.to_pylist() == [638396640000000010]
    assert inserted[-1].value.to_pylist() == [638396640000000010 + 499 * 864_000_000_000]


def test_one_failing_call_does_not_stop_the_others(accepting: CannedServer) -> None:
    calls: list[int] = []

    def second_fails(_session: CannedSession, parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        calls.append(parameters["p1"].value[0].as_py())
        if len(calls) == 2:
            raise SqlError(2627, "Violation of PRIMARY KEY constraint", class_=14)
        yield RowsAffected(1, 0xC3)

    for sql in (ONE, ONE_NAMED):
        accepting.engine.scripts[sql] = second_fails
        accepting.engine.suggested[sql] = [("P1", SqlType("int"))]
    assert "(2627)" in insert(accepting.odbc(), ONE, [1, 2, 3])
    assert calls == [1, 2, 3]


def test_a_prepared_statement_runs_again_with_new_values(accepting: CannedServer, by_pyodbc: pyodbc.Connection) -> None:
    cursor = by_pyodbc.cursor()
    for number in range(5):
        cursor.execute(ONE, number)
    assert [seen["p1"].value[0].as_py() for seen in accepting.engine.seen if "p1" in seen] == [0, 1, 2, 3, 4]


def test_python_tds_parameters_arrive_exactly(by_pytds: Any, canned_plain: CannedServer) -> None:
    canned_plain.engine.answer("SELECT @P1, @P2", RowsAffected(None))
    by_pytds.cursor().execute("SELECT %s, %s", (2**40, "Ł😀"))
    seen = canned_plain.engine.seen[-1]
    assert {name: parameter.value[0].as_py() for name, parameter in seen.items()} == {
        "p1": 2**40,
        "p2": "Ł😀",
    }


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(SqlError, match="not well-formed utf-16-le"):
        array_of([b"a\0\x3d\xd8"], SqlType("nvarchar", length=10))
    with pytest.raises(SqlError, match="not well-formed utf-16-le"):
        array_of([b"\x3d\xd8", b"\x00\xde"], SqlType("nvarchar", length=10))


@pytest.mark.parametrize(
    ("declared", "raw"),
    [
        (SqlType("time", scale=7), (864_000_000_000).to_bytes(5, "little")),
        (SqlType("date"), (3_652_059).to_bytes(3, "little")),
        (SqlType("decimal", precision=4), b"\1" + (10_000).to_bytes(4, "little")),
        (SqlType("int"), b"\1\2"),
        (SqlType("datetime"), struct.pack("<iI", 0, 25_920_000)),
        (SqlType("datetimeoffset", scale=0), bytes(6) + struct.pack("<h", 841)),
    ],
    ids=str,
)
def test_a_value_its_type_cannot_hold_is_refused_with_8023(declared: SqlType, raw: bytes) -> None:
    with pytest.raises(SqlError) as raised:
        array_of([raw], declared)
    assert raised.value.number == 8023


def test_a_datetimeoffset_keeps_its_offset(accepting: CannedServer, by_mssql: mssql_python.Connection) -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    by_mssql.cursor().execute(ONE, (datetime(2024, 1, 31, 15, 36, 18, 987654, tzinfo=zone),))
    assert received(accepting).type.name == "datetimeoffset"
    assert received(accepting).value.to_pylist() == [{"ticks": DATETIME_TICKS, "offset": -210}]


def test_declarations_name_every_type() -> None:
    text = (
        "@P1 nvarchar(10),@P2 decimal(38, 10), @p3 NVARCHAR(MAX),@P4 datetime2,@P5 float(24),@P6 [varchar],"
        "@P7 timestamp, @P8 time ( 3 ), @P9 numeric"
    )
    assert parse_declarations(text) == (
        Declaration("p1", SqlType("nvarchar", length=10)),
        Declaration("p2", SqlType("decimal", precision=38, scale=10)),
        Declaration("p3", SqlType("nvarchar", length=-1)),
        Declaration("p4", SqlType("datetime2", scale=7)),
        Declaration("p5", SqlType("real")),
        Declaration("p6", SqlType("varchar", length=1)),
        Declaration("p7", SqlType("rowversion")),
        Declaration("p8", SqlType("time", scale=3)),
        Declaration("p9", SqlType("numeric", precision=18)),
    )


@pytest.mark.parametrize(
    "text", ["@P1", "@P1 nvarchar(5000)", "@P1 int OUTPUT", "@P1 int @P2 int", "@P1 geography", "P1 int"]
)
def test_other_declarations_are_refused(text: str) -> None:
    with pytest.raises(SqlError):
        parse_declarations(text)


def test_a_value_that_does_not_fit_its_declaration_is_refused_not_cut() -> None:
    sent = Parameter("P1", SqlType("nvarchar", length=5), pa.array(["abcde"]))
    with pytest.raises(SqlError, match="cannot hold unchanged"):
        conform(sent, Declaration("p1", SqlType("nvarchar", length=3)))
    padded = conform(sent, Declaration("p1", SqlType("nchar", length=7)))
    assert padded.value.to_pylist() == ["abcde  "]
    precise = Parameter("P1", SqlType("time", scale=7), pa.array([1], pa.int64()))
    with pytest.raises(SqlError, match="cannot hold unchanged"):
        conform(precise, Declaration("p1", SqlType("time", scale=3)))


def test_time_without_a_declared_scale_keeps_its_fraction(
    accepting: CannedServer, by_mssql: mssql_python.Connection
) -> None:
    by_mssql.cursor().execute(ONE, (time(1, 2, 3, 4),))
    assert received(accepting).value.to_pylist()[0] in (37230000040, "01:02:03.000004")

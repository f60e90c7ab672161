"""Rows, counts, messages and errors: what a statement answers, and what the client makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytest

from sqlserver_sandbox.model import (
    Column,
    Info,
    Outcome,
    Parameter,
    ResultSet,
    RowsAffected,
    SqlError,
    SqlType,
)
from tests.sandbox.conftest import CannedServer
from tests.sandbox.wire.canned import CannedSession, Table

MANY = 200_000


def numbers(rows: int) -> Table:
    """n, its text, and a decimal that is null in every third row."""
    columns = (
        Column("n", SqlType("int"), nullable=False),
        Column("label", SqlType("nvarchar", length=30)),
        Column("third", SqlType("bigint")),
    )
    arrays: list[pa.Array[Any]] = [
        pa.array(range(rows), pa.int32()),
        pa.array([f"row {n} é" for n in range(rows)]),
        pa.array([None if n % 3 == 0 else n * 10 for n in range(rows)], pa.int64()),
    ]
    return Table(columns, pa.RecordBatch.from_arrays(arrays, names=["n", "label", "third"]))


def test_many_rows_arrive_in_order_and_whole(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    canned.engine.answer_rows("SELECT many", numbers(MANY))
    rows = by_pyodbc.execute("SELECT many").fetchall()
    assert len(rows) == MANY
    assert sum(row.n for row in rows) == 19_999_900_000
    assert tuple(rows[123_456]) == (123_456, "row 123456 é", None)
    assert tuple(rows[-1]) == (199_999, "row 199999 é", 1_999_990)


def test_arrow_batches_carry_types_and_nullability(by_mssql: mssql_python.Connection, canned: CannedServer) -> None:
    canned.engine.answer_rows("SELECT many", numbers(50_000))
    cursor = by_mssql.cursor()
    cursor.execute("SELECT many")
    reader = cursor.arrow_reader(batch_size=8192)
    table = pa.Table.from_batches(list(reader))
    assert table.num_rows == 50_000
    assert [(field.name, field.type, field.nullable) for field in table.schema] == [
        ("n", pa.int32(), False),
        ("label", pa.large_string(), True),
        ("third", pa.int64(), True),
    ]
    assert table.column("third").null_count == 16_667
    assert table.column("label")[49_999].as_py() == "row 49999 é"
    reader.close()


def test_nulls_of_seventeen_columns_stay_in_their_columns(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    """Seventeen columns need a bitmap of three bytes; row k has its only null in column k."""
    columns = tuple(Column(f"c{place}", SqlType("smallint")) for place in range(17))
    arrays = [pa.array([None if row == place else row for row in range(18)], pa.int16()) for place in range(17)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
    canned.engine.answer_rows("SELECT wide", Table(columns, batch))
    rows = [tuple(row) for row in by_pyodbc.execute("SELECT wide").fetchall()]
    assert rows == [tuple(None if row == place else row for place in range(17)) for row in range(18)]


def test_a_result_without_rows_still_has_columns(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    canned.engine.answer_rows("SELECT none", numbers(0))
    cursor = by_pyodbc.execute("SELECT none")
    assert [column[0] for column in cursor.description] == ["n", "label", "third"]
    assert cursor.fetchall() == []


def test_counts_and_results_come_in_order(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    table = numbers(2)
    canned.engine.scripts["batch"] = lambda _session, _parameters: iter(
        (
            RowsAffected(3, 0xC3),
            ResultSet(table.columns, iter((table.batch,))),
            RowsAffected(0, 0xC4),
            RowsAffected(None),
            ResultSet(table.columns, iter(())),
        )
    )
    cursor = by_pyodbc.execute("batch")
    assert cursor.rowcount == 3
    assert cursor.nextset()
    assert [row.n for row in cursor.fetchall()] == [0, 1]
    assert cursor.nextset()
    assert cursor.rowcount == 0
    assert cursor.nextset()
    assert cursor.fetchall() == []
    assert not cursor.nextset()


def test_messages_reach_the_client(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    canned.engine.answer("PRINT", Info(0, "half way é"), RowsAffected(None))
    cursor = by_pyodbc.cursor()
    cursor.execute("PRINT")
    assert [text for _state, text in cursor.messages] == [
        "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]half way é"
    ]


@pytest.mark.parametrize(
    ("number", "class_", "sqlstate"),
    [
        (102, 15, "42000"),
        (207, 16, "42S22"),
        (208, 16, "42S02"),
        (515, 16, "23000"),
        (547, 16, "23000"),
        (1205, 13, "40001"),
        (2627, 14, "23000"),
        (2714, 16, "42S01"),
        (8134, 16, "22012"),
        (8152, 16, "22001"),
    ],
)
def test_an_error_keeps_its_number_and_gets_its_sqlstate(
    number: int, class_: int, sqlstate: str, by_pyodbc: pyodbc.Connection, canned: CannedServer
) -> None:
    def fail(_session: CannedSession, _parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        raise SqlError(number, "what went wrong: ünïcode", class_=class_, line=7)

    canned.engine.scripts["fail"] = fail
    with pytest.raises(pyodbc.Error, match="what went wrong: ünïcode") as raised:
        by_pyodbc.execute("fail")
    assert raised.value.args[0] == sqlstate
    assert f"({number})" in raised.value.args[1]


def test_python_tds_sees_number_severity_and_line(by_pytds: Any, canned_plain: CannedServer) -> None:
    def fail(_session: CannedSession, _parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        raise SqlError(2627, "duplicate", class_=14, state=3, line=42)

    canned_plain.engine.scripts["fail"] = fail
    cursor = by_pytds.cursor()
    with pytest.raises(Exception, match="duplicate") as raised:
        cursor.execute("fail")
    found = raised.value
    assert (found.msg_no, found.severity, found.state, found.line) == (2627, 14, 3, 42)  # type: ignore[attr-defined]


def test_an_error_after_rows_is_raised_while_fetching(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    table = numbers(10)

    def batches() -> Iterator[pa.RecordBatch]:
        yield table.batch
        raise SqlError(8134, "Divide by zero error encountered.")

    canned.engine.scripts["late"] = lambda _session, _parameters: iter((ResultSet(table.columns, batches()),))
    cursor = by_pyodbc.execute("late")
    with pytest.raises(pyodbc.Error, match="Divide by zero"):
        cursor.fetchall()
    canned.engine.answer_rows("SELECT after", numbers(1))
    assert len(by_pyodbc.execute("SELECT after").fetchall()) == 1


def test_a_severe_error_ends_the_connection(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    def fail(_session: CannedSession, _parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        raise SqlError(50001, "the end", class_=20)

    canned.engine.scripts["severe"] = fail
    with pytest.raises(pyodbc.Error, match="the end"):
        by_pyodbc.execute("severe")
    with pytest.raises(pyodbc.Error, match="08S01"):
        by_pyodbc.execute("severe")


def test_a_bug_in_the_engine_is_told_to_client_and_operator(
    by_pyodbc: pyodbc.Connection, canned: CannedServer, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_session: CannedSession, _parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        raise KeyError("lost")

    canned.engine.scripts["broken"] = broken
    with pytest.raises(pyodbc.Error, match="sandbox internal error: KeyError"):
        by_pyodbc.execute("broken")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("column", "array", "told"),
    [
        (
            Column("c", SqlType("int"), nullable=False),
            pa.array([None], pa.int32()),
            "a null in a column declared NOT NULL",
        ),
        (Column("c", SqlType("int")), pa.array([1], pa.int64()), "expected int32, got int64"),
        (Column("c", SqlType("datetime2", scale=3)), pa.array([1], pa.int64()), "more than the 3 digits"),
    ],
)
def test_a_value_that_breaks_the_contract_is_an_internal_error_never_a_wrong_value(
    column: Column,
    array: pa.Array[Any],
    told: str,
    by_pyodbc: pyodbc.Connection,
    canned: CannedServer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    canned.engine.answer_rows("SELECT wrong", Table((column,), pa.RecordBatch.from_arrays([array], names=["c"])))
    with pytest.raises(pyodbc.Error, match=told):
        by_pyodbc.execute("SELECT wrong").fetchall()
    assert "WrongForm" in capfd.readouterr().err


def test_a_character_outside_the_code_page_is_refused(by_pyodbc: pyodbc.Connection, canned: CannedServer) -> None:
    table = Table(
        (Column("c", SqlType("varchar", length=10)),),
        pa.RecordBatch.from_arrays([pa.array(["ok", "Łódź"])], names=["c"]),
    )
    canned.engine.answer_rows("SELECT narrow", table)
    with pytest.raises(pyodbc.Error, match=r"cannot send U\+0141 as varchar"):
        by_pyodbc.execute("SELECT narrow").fetchall()

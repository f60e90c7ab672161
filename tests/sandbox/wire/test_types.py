"""Every declared type, with its extreme values, as three unrelated clients see it."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytds
import pytest

from sqlserver_sandbox.model import Column
from sqlserver_sandbox.wire.codec.values import arrow_form
from tests.sandbox.conftest import CannedServer
from tests.sandbox.wire.canned import Table
from tests.sandbox.wire.type_cases import CASES, Case

SQL = "SELECT v FROM t"


def tables(case: Case) -> tuple[Table, Table]:
    """The values with a null in every second row in a nullable column, and without nulls in one declared NOT NULL."""
    with_nulls: list[Any] = [value for stored in case.stored for value in (stored, None)]
    return _table(case, with_nulls, nullable=True), _table(case, list(case.stored), nullable=False)


def _table(case: Case, values: list[Any], *, nullable: bool) -> Table:
    batch = pa.RecordBatch.from_arrays([pa.array(values, arrow_form(case.type))], names=["v"])
    return Table((Column("v", case.type, nullable=nullable),), batch)


def plain(value: Any) -> Any:
    """What clients only spell differently, spelt alike."""
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    return bytes(value) if isinstance(value, bytearray) else value


def offset_from_odbc(raw: bytes) -> datetime:
    """SQL_SS_TIMESTAMPOFFSET: the wall clock, nanoseconds, and the offset in hours and minutes."""
    year, month, day, hour, minute, second, nanos, hours, minutes = struct.unpack("<hHHHHHIhh", raw)
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    return datetime(year, month, day, hour, minute, second, nanos // 1000, tzinfo=zone)


def expected(case: Case) -> tuple[list[Any], list[Any]]:
    return [value for seen in case.seen for value in (seen, None)], list(case.seen)


def read(cursor: Any) -> tuple[list[Any], list[Any]]:
    """Both results of SQL."""
    cursor.execute(SQL)
    first = [plain(row[0]) for row in cursor.fetchall()]
    assert cursor.nextset()
    return first, [plain(row[0]) for row in cursor.fetchall()]


def assert_identical(seen: Sequence[Any], wanted: Sequence[Any]) -> None:
    assert seen == wanted
    assert [type(value) for value in seen] == [type(value) for value in wanted]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_pyodbc_reads_what_was_stored(case: Case, canned_plain: CannedServer) -> None:
    canned_plain.engine.answer_rows(SQL, *tables(case))
    connection = pyodbc.connect(canned_plain.odbc(), timeout=10)
    try:
        connection.add_output_converter(-155, offset_from_odbc)
        for seen, wanted in zip(read(connection.cursor()), expected(case), strict=True):
            assert_identical(seen, wanted)
    finally:
        connection.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_mssql_python_reads_what_was_stored(case: Case, canned_plain: CannedServer) -> None:
    canned_plain.engine.answer_rows(SQL, *tables(case))
    connection = mssql_python.connect(canned_plain.string())
    try:
        for seen, wanted in zip(read(connection.cursor()), expected(case), strict=True):
            assert_identical(seen, wanted)
    finally:
        connection.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_python_tds_reads_what_was_stored(case: Case, by_pytds: Any, canned_plain: CannedServer) -> None:
    canned_plain.engine.answer_rows(SQL, *tables(case))
    if case.type.collation is not None and case.type.collation.endswith("UTF8"):
        with pytest.raises(pytds.OperationalError, match="for a client without UTF-8"):
            by_pytds.cursor().execute(SQL)
        return
    for seen, wanted in zip(read(by_pytds.cursor()), expected(case), strict=True):
        assert seen == wanted

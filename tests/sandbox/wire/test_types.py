"""Every declared type, with its extreme values, as three unrelated clients see it."""

from __future__ import annotations

import struct
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc
import pytds
import pytest

from tests.sandbox.conftest import CannedServer
from tests.sandbox.wire.canned import PASSWORD, USER
from tests.sandbox.wire.type_cases import CASES, Case, tables
from tests.support.sandbox_server import braced

SQL = "SELECT v FROM t"


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


@pytest.fixture(scope="module")
def distant() -> Iterator[int]:
    """The port of a server in another process, with every case under its name: mssql-python's Arrow path holds the
    interpreter's lock while it waits for the rest of a large value, which a server in this process could not send then."""
    command = [sys.executable, "-m", "tests.sandbox.wire.canned_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_arrow_reads_what_was_stored(case: Case, distant: int) -> None:
    """The same values through mssql-python's Arrow path, which decodes in compiled code of its own."""
    login = f"SERVER=127.0.0.1,{distant};UID={USER};PWD={braced(PASSWORD)};Encrypt=no"
    with closing(mssql_python.connect(login)) as connection:
        cursor = connection.cursor()
        cursor.execute(str(case))
        reader = cursor.arrow_reader(batch_size=100)
        table = pa.Table.from_batches(list(reader))
        reader.close()
    assert table.column(0).to_pylist() == expected(case)[0]

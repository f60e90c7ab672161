"""Bulk data, as two independent clients send it, arrives in the Arrow forms of the target's columns."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import mssql_python
import pyarrow as pa
import pytds
import pytest

from sqlserver_sandbox.model import MAX, BulkTarget, Cancelled, Column, SqlError, SqlType
from sqlserver_sandbox.wire.bulk import bulk_batches
from sqlserver_sandbox.wire.bulkcopy_probe import probed_table
from sqlserver_sandbox.wire.codec.values import arrow_form
from tests.sandbox.conftest import CannedServer

COLUMNS = (
    Column("id", SqlType("int"), nullable=False),
    Column("tiny", SqlType("tinyint")),
    Column("big", SqlType("bigint")),
    Column("flag", SqlType("bit")),
    Column("price", SqlType("decimal", precision=38, scale=10)),
    Column("cash", SqlType("money")),
    Column("ratio", SqlType("float")),
    Column("day", SqlType("date")),
    Column("at", SqlType("datetime2", scale=7)),
    Column("old", SqlType("datetime")),
    Column("clock", SqlType("time", scale=6)),
    Column("offset", SqlType("datetimeoffset", scale=7)),
    Column("name", SqlType("nvarchar", length=50)),
    Column("narrow", SqlType("varchar", length=50)),
    Column("notes", SqlType("nvarchar", length=MAX)),
    Column("raw", SqlType("varbinary", length=20)),
    Column("blob", SqlType("varbinary", length=MAX)),
    Column("guid", SqlType("uniqueidentifier")),
)
TARGET = BulkTarget("dbo", "t", COLUMNS)
LONG = "0123456789é😀" * 20_000
GUID = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
EXTREMES = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "tiny": pa.array([255, None, 0], pa.uint8()),
        "big": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "flag": pa.array([True, None, False]),
        "price": pa.array(
            [Decimal("-" + "9" * 28 + "." + "9" * 10), None, Decimal("0.0000000001")], pa.decimal128(38, 10)
        ),
        "cash": pa.array([Decimal("-922337203685477.5808"), None, Decimal("0.0001")], pa.decimal128(19, 4)),
        "ratio": pa.array([-1.7976931348623157e308, None, 0.1]),
        "day": pa.array([date(1, 1, 1), None, date(9999, 12, 31)]),
        "at": pa.array(
            [datetime(1, 1, 1, 0, 0, 0, 1), None, datetime(9999, 12, 31, 23, 59, 59, 999999)], pa.timestamp("us")
        ),
        "old": pa.array([datetime(1753, 1, 1), None, datetime(2024, 1, 1, 0, 0, 0, 10000)], pa.timestamp("us")),
        "clock": pa.array([time(0), None, time(23, 59, 59, 999999)], pa.time64("us")),
        "offset": pa.array([datetime(2024, 1, 1, tzinfo=timezone.utc), None, datetime(1, 1, 2, tzinfo=timezone.utc)]),
        "name": pa.array(["naïve 😀 Łódź", None, ""]),
        "narrow": pa.array(["5 €", None, ""]),
        "notes": pa.array([LONG, None, ""]),
        "raw": pa.array([b"\0\xff", None, b""]),
        "blob": pa.array([bytes(range(256)) * 500, None, b""]),
        "guid": pa.array([GUID, None, "00000000-0000-0000-0000-000000000001"]),
    }
)
STORED: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "tiny": [255, None, 0],
    "big": [-(2**63), 2**63 - 1, None],
    "flag": [True, None, False],
    "price": [Decimal("-" + "9" * 28 + "." + "9" * 10), None, Decimal("0.0000000001")],
    "cash": [Decimal("-922337203685477.5808"), None, Decimal("0.0001")],
    "ratio": [-1.7976931348623157e308, None, 0.1],
    "day": [date(1, 1, 1), None, date(9999, 12, 31)],
    "at": [10, None, 3155378975999999990],
    "old": [-53690 * 25920000, None, 45290 * 25920000 + 3],
    "clock": [0, None, 863999999990],
    "offset": [{"ticks": 638396640000000000, "offset": 0}, None, {"ticks": 864000000000, "offset": 0}],
    "name": ["naïve 😀 Łódź", None, ""],
    "narrow": ["5 €", None, ""],
    "notes": [LONG, None, ""],
    "raw": [b"\0\xff", None, b""],
    "blob": [bytes(range(256)) * 500, None, b""],
    "guid": [GUID, None, "00000000-0000-0000-0000-000000000001"],
}


@pytest.fixture
def target(canned: CannedServer) -> CannedServer:
    canned.engine.bulk_targets["t"] = TARGET
    return canned


def test_every_type_survives_mssql_pythons_bulk_copy(target: CannedServer, by_mssql: mssql_python.Connection) -> None:
    told = by_mssql.cursor().bulkcopy_arrow("dbo.t", EXTREMES)
    assert told["rows_copied"] == 3
    (stored,) = target.engine.stored
    assert stored.schema.types == [arrow_form(column.type) for column in COLUMNS]
    assert stored.to_pydict() == STORED


def test_many_rows_come_in_many_batches_and_none_is_lost(
    target: CannedServer, by_mssql: mssql_python.Connection
) -> None:
    rows = 100_000
    target.engine.bulk_targets["t"] = BulkTarget("dbo", "t", (COLUMNS[0], COLUMNS[12]))
    table = pa.table(
        {
            "id": pa.array(range(rows), pa.int32()),
            "name": pa.array([None if n % 7 == 0 else f"nömber {n}" for n in range(rows)]),
        }
    )
    by_mssql.cursor().bulkcopy_arrow("dbo.t", table)
    (stored,) = target.engine.stored
    assert stored.equals(table)


def test_an_empty_bulk_copy_stores_nothing(target: CannedServer, by_mssql: mssql_python.Connection) -> None:
    told = by_mssql.cursor().bulkcopy_arrow("dbo.t", EXTREMES.slice(0, 0))
    assert told["rows_copied"] == 0
    assert sum(table.num_rows for table in target.engine.stored) == 0


def test_an_unknown_table_is_208(target: CannedServer, by_mssql: mssql_python.Connection) -> None:
    with pytest.raises(Exception, match="Invalid object name 'missing'"):
        by_mssql.cursor().bulkcopy_arrow("dbo.missing", EXTREMES)


def test_python_tds_bulk_copies_too(by_pytds: Any, canned_plain: CannedServer) -> None:
    columns = (
        Column("a", SqlType("int")),
        Column("b", SqlType("nvarchar", length=20)),
        Column("c", SqlType("datetime2", scale=6)),
    )
    canned_plain.engine.bulk_targets["t"] = BulkTarget("dbo", "t", columns)
    rows = [(1, "Ł😀", datetime(2024, 1, 1, 0, 0, 0, 5)), (None, None, None)]
    types = pytds.tds_types
    by_pytds.cursor().copy_to(
        data=rows,
        table_or_view="t",
        columns=[
            pytds.Column("a", type=types.IntType()),
            pytds.Column("b", type=types.NVarCharType(size=20)),
            pytds.Column("c", type=types.DateTime2Type(precision=6)),
        ],
    )
    (stored,) = canned_plain.engine.stored
    assert stored.to_pydict() == {"a": [1, None], "b": ["Ł😀", None], "c": [638396640000000050, None]}


# ---- bytes by hand ---------------------------------------------------------------------------------------------------
INT_META = b"\x81\1\0" + bytes(6) + b"\x38" + b"\1a\0"
PLP_META = b"\x81\1\0" + bytes(6) + b"\xa5\xff\xff" + b"\1a\0"
DONE = b"\xfd" + bytes(12)


def batches(data: bytes, column: SqlType, *, pieces: int) -> list[Any]:
    """The values that the message holds when it arrives in packets of `pieces` bytes."""
    packets: Iterator[bytes] = (data[start : start + pieces] for start in range(0, len(data), pieces))
    target = BulkTarget("dbo", "t", (Column("a", column),))
    return [value for batch in bulk_batches(packets, target) for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize("pieces", [1, 3, 7, 1000])
def test_packets_may_end_anywhere(pieces: int) -> None:
    rows = b"".join(b"\xd1" + struct.pack("<i", number) for number in (-1, 0, 209, 2**31 - 1))
    assert batches(INT_META + rows + DONE, SqlType("int"), pieces=pieces) == [-1, 0, 209, 2**31 - 1]


@pytest.mark.parametrize("pieces", [1, 5, 1000])
def test_a_large_value_may_come_in_pieces_of_unknown_total(pieces: int) -> None:
    unknown = (2**64 - 2).to_bytes(8, "little")
    value = unknown + struct.pack("<I", 3) + b"abc" + struct.pack("<I", 2) + b"de" + bytes(4)
    known = struct.pack("<QI", 2, 2) + b"xy" + bytes(4)
    rows = b"\xd1" + value + b"\xd1" + b"\xff" * 8 + b"\xd1" + known + b"\xd2\1"
    assert batches(PLP_META + rows + DONE, SqlType("varbinary", length=MAX), pieces=pieces) == [
        b"abcde",
        None,
        b"xy",
        None,
    ]


def test_data_that_ends_inside_a_row_is_refused() -> None:
    with pytest.raises(SqlError, match="ends inside a row"):
        batches(INT_META + b"\xd1\1\2", SqlType("int"), pieces=100)


def test_noise_where_a_row_should_be_is_refused() -> None:
    with pytest.raises(SqlError, match="token 0x42"):
        batches(INT_META + b"\x42" * 20, SqlType("int"), pieces=100)


def test_a_column_of_another_type_than_declared_is_4816() -> None:
    with pytest.raises(SqlError, match="int was sent for a, declared nvarchar") as raised:
        batches(INT_META + DONE, SqlType("nvarchar", length=5), pieces=100)
    assert raised.value.number == 4816


def test_an_attention_while_rows_are_awaited_ends_the_insert() -> None:
    def given_up() -> Iterator[bytes]:
        yield INT_META + b"\xd1\1\0\0\0"
        raise Cancelled

    target = BulkTarget("dbo", "t", (Column("a", SqlType("int")),))
    with pytest.raises(Cancelled):
        list(bulk_batches(given_up(), target))


def test_only_the_known_metadata_batch_is_recognised() -> None:
    assert probed_table("SELECT @@TRANCOUNT;") is None
    assert probed_table("SELECT @@TRANCOUNT;\n\nDECLARE @Column_Names NVARCHAR(MAX) = NULL;\n") is None


def test_rows_at_the_same_minute_keep_their_order(target: CannedServer, by_mssql: mssql_python.Connection) -> None:
    """smalldatetime and timestamps with an offset: the driver converts, the server must not."""
    target.engine.bulk_targets["t"] = BulkTarget(
        "dbo", "t", (Column("m", SqlType("smalldatetime")), Column("o", SqlType("datetimeoffset", scale=3)))
    )
    zone = timezone(timedelta(hours=2))
    table = pa.table(
        {
            "m": pa.array([datetime(2079, 6, 6, 23, 59), datetime(1900, 1, 1)], pa.timestamp("us")),
            "o": pa.array([datetime(2024, 1, 1, 2, 0, 0, 1000, tzinfo=zone)] * 2, pa.timestamp("us", "+02:00")),
        }
    )
    by_mssql.cursor().bulkcopy_arrow("dbo.t", table)
    (stored,) = target.engine.stored
    assert stored.column("m").to_pylist() == [65535 * 1440 + 1439, 0]
    assert [value and value["ticks"] for value in stored.column("o").to_pylist()] == [638396640000010000] * 2

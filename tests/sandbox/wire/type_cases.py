"""One case per declared type: values in their Arrow form, and what a client has to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sqlserver_sandbox.model import MAX, Column, SqlType
from sqlserver_sandbox.wire.codec.values import arrow_form
from tests.sandbox.wire.canned import Table

EMOJI = "naïve 😀 Łódź \U0010ffff end"
NARROW = "Grüße, 5 € – ÿ"
LONG = "0123456789é😀" * 20_000
BLOB = bytes(range(256)) * 300
INDIA = timezone(timedelta(hours=5, minutes=30))


@dataclass(frozen=True)
class Case:
    """`stored[i]` reads as `seen[i]`."""

    type: SqlType
    stored: tuple[Any, ...]
    seen: tuple[Any, ...]

    def __str__(self) -> str:
        declared = self.type
        extra = [str(part) for part in (declared.length, declared.precision, declared.scale) if part]
        return "-".join([declared.name, *extra, *([declared.collation] if declared.collation else [])])


def same(declared: SqlType, *values: Any) -> Case:
    return Case(declared, values, values)


def _decimal(precision: int, scale: int, *texts: str) -> Case:
    return same(SqlType("decimal", precision=precision, scale=scale), *map(Decimal, texts))


NINES = "9" * 38

CASES = (
    same(SqlType("bit"), True, False),
    same(SqlType("tinyint"), 0, 255),
    same(SqlType("smallint"), -32768, 32767),
    same(SqlType("int"), -2147483648, 2147483647, 0),
    same(SqlType("bigint"), -9223372036854775808, 9223372036854775807),
    _decimal(1, 0, "-9", "0", "9"),
    _decimal(9, 2, "-9999999.99", "0.01"),
    _decimal(19, 4, "-999999999999999.9999", "1.5"),
    _decimal(28, 10, "-999999999999999999.9999999999", "1"),
    _decimal(38, 0, "-" + NINES, NINES, "0"),
    _decimal(38, 38, "-0." + NINES, "0." + "0" * 37 + "1"),
    same(SqlType("numeric", precision=12, scale=3), Decimal("-999999999.999"), Decimal("0.001")),
    same(SqlType("money"), Decimal("-922337203685477.5808"), Decimal("922337203685477.5807"), Decimal("0.0001")),
    same(SqlType("smallmoney"), Decimal("-214748.3648"), Decimal("214748.3647")),
    same(SqlType("float"), -1.7976931348623157e308, 2.2250738585072014e-308, 0.1),
    same(SqlType("real"), -1.5, 3.4028234663852886e38),
    same(SqlType("date"), date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)),
    Case(SqlType("time", scale=0), (0, 86399_0000000), (time(0), time(23, 59, 59))),
    Case(SqlType("time", scale=3), (0, 863999990000), (time(0), time(23, 59, 59, 999000))),
    Case(SqlType("time", scale=7), (10, 863999999990), (time(0, 0, 0, 1), time(23, 59, 59, 999999))),
    Case(
        SqlType("datetime2", scale=0),
        (0, 3155378975990000000),
        (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)),
    ),
    Case(
        SqlType("datetime2", scale=3),
        (638396640001230000, 0),
        (datetime(2024, 1, 1, 0, 0, 0, 123000), datetime(1, 1, 1)),
    ),
    Case(
        SqlType("datetime2", scale=7),
        (10, 3155378975999999990),
        (datetime(1, 1, 1, 0, 0, 0, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ),
    Case(
        SqlType("datetime"),
        (-53690 * 25920000, 2958463 * 25920000 + 25919999, 1),
        (datetime(1753, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 997000), datetime(1900, 1, 1, 0, 0, 0, 3000)),
    ),
    Case(
        SqlType("smalldatetime"),
        (0, 65535 * 1440 + 1439),
        (datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59)),
    ),
    Case(
        SqlType("datetimeoffset", scale=7),
        ({"ticks": 638396640000000010, "offset": 330}, {"ticks": 638396640000000000, "offset": -840}),
        (
            datetime(2024, 1, 1, 5, 30, 0, 1, tzinfo=INDIA),
            datetime(2023, 12, 31, 10, 0, tzinfo=timezone(timedelta(hours=-14))),
        ),
    ),
    same(SqlType("varchar", length=40), "", NARROW, "ascii"),
    same(SqlType("varchar", length=8000), "é" * 8000),
    same(SqlType("varchar", length=MAX), "", "é€" * 50_000),
    same(SqlType("varchar", length=60, collation="Latin1_General_100_CI_AS_SC_UTF8"), EMOJI, ""),
    same(SqlType("varchar", length=9, collation="Latin1_General_BIN2"), "a", "É"),
    same(SqlType("char", length=5), "ab   ", "é    "),
    same(SqlType("nvarchar", length=50), "", EMOJI),
    same(SqlType("nvarchar", length=4000), "Ł" * 4000),
    same(SqlType("nvarchar", length=MAX), "", LONG),
    same(SqlType("nchar", length=10), "😀        ", "Łódź      "),
    same(SqlType("sysname"), "Orders"),
    same(SqlType("text"), NARROW, ""),
    same(SqlType("ntext"), EMOJI, LONG),
    same(SqlType("xml"), "<a>é😀</a>"),
    same(SqlType("binary", length=8), b"\0\1\2\3\4\5\6\xff"),
    same(SqlType("varbinary", length=10), b"", b"\0\xff"),
    same(SqlType("varbinary", length=8000), b"\xab" * 8000),
    same(SqlType("varbinary", length=MAX), b"", BLOB),
    same(SqlType("image"), BLOB, b"\0"),
    same(SqlType("rowversion"), b"\0\0\0\0\0\0\x07\xd1"),
    same(SqlType("uniqueidentifier"), "6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000001"),
)


def tables(case: Case) -> tuple[Table, Table]:
    """The values with a null in every second row in a nullable column, and without nulls in one declared NOT NULL."""
    with_nulls: list[Any] = [value for stored in case.stored for value in (stored, None)]
    return _table(case, with_nulls, nullable=True), _table(case, list(case.stored), nullable=False)


def _table(case: Case, values: list[Any], *, nullable: bool) -> Table:
    batch = pa.RecordBatch.from_arrays([pa.array(values, arrow_form(case.type))], names=["v"])
    return Table((Column("v", case.type, nullable=nullable),), batch)

# ruff: noqa: E501 - a fact is read in one line
"""The matrix as literal facts: for each declared type its cells, each with the literal that stores a value and what a reader
of the lake and of the warehouse must find. Nothing here is worked out by the code under test.

`shown` says how DuckDB shows a value for the comparison: as text, as the bits of a float, as bytes, or a text's UTF-8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TEXT = "CAST({c} AS VARCHAR)"
UTF8 = "hex(encode({c}))"
BYTES = "hex({c})"
BITS = "BITS"


@dataclass(frozen=True)
class Column:
    """A column of the matrix. `cells`: case -> (T-SQL literal, what is found). NULL is a cell of every column."""

    name: str
    declared: str
    warehouse: str
    cells: dict[str, tuple[str, str]]
    shown: str = TEXT
    representation: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def _same(**cells: str) -> dict[str, tuple[str, str]]:
    return {case: (value, value) for case, value in cells.items()}


def _quoted(**cells: tuple[str, str] | str) -> dict[str, tuple[str, str]]:
    """Literals in quotes; a single text is found as it was stored."""
    pairs = {case: (cell, cell) if isinstance(cell, str) else cell for case, cell in cells.items()}
    return {case: (f"'{stored}'", found) for case, (stored, found) in pairs.items()}


def _unicode(**cells: str) -> dict[str, tuple[str, str]]:
    return {case: ("N'" + text.replace("'", "''") + "'", text.encode().hex().upper()) for case, text in cells.items()}


NINES = "9" * 38
NUMBERS = (
    Column("a_bit", "bit", "BOOLEAN", {"minimum": ("0", "false"), "maximum": ("1", "true")}),
    Column("a_tinyint", "tinyint", "SMALLINT", _same(minimum="0", maximum="255", middle="127", signed_edge="128")),
    Column("a_smallint", "smallint", "SMALLINT", _same(minimum="-32768", maximum="32767", zero="0")),
    Column("an_int", "int", "INTEGER", _same(minimum="-2147483648", maximum="2147483647", zero="0")),
    Column(
        "a_bigint", "bigint", "BIGINT", _same(minimum="-9223372036854775808", maximum="9223372036854775807", zero="0")
    ),
    Column(
        "d38_0",
        "decimal(38,0)",
        "DECIMAL(38,0)",
        _same(minimum=f"-{NINES}", maximum=NINES, zero="0", extreme=f"1{'0' * 37}"),
    ),
    Column(
        "d38_38",
        "decimal(38,38)",
        "DECIMAL(38,38)",
        {
            "minimum": (f"-0.{NINES}", f"-.{NINES}"),
            "maximum": (f"0.{NINES}", f".{NINES}"),
            "zero": ("0", f".{'0' * 38}"),
            "extreme": (f"0.{'0' * 37}1", f".{'0' * 37}1"),
        },
    ),
    Column(
        "d38_10",
        "decimal(38,10)",
        "DECIMAL(38,10)",
        {
            "minimum": ("-9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"),
            "maximum": ("9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"),
            "zero": ("0", "0.0000000000"),
            "extreme": ("20130.0000000001", "20130.0000000001"),
            "trailing": ("1.5", "1.5000000000"),
        },
    ),
    Column(
        "n5_2",
        "numeric(5,2)",
        "DECIMAL(5,2)",
        {"minimum": ("-999.99", "-999.99"), "maximum": ("999.99", "999.99"), "zero": ("0", "0.00")},
    ),
    Column("n1_0", "numeric(1,0)", "DECIMAL(1,0)", _same(minimum="-9", maximum="9", zero="0")),
    Column(
        "a_money",
        "money",
        "DECIMAL(19,4)",
        {
            "minimum": ("-922337203685477.5808", "-922337203685477.5808"),
            "maximum": ("922337203685477.5807", "922337203685477.5807"),
            "zero": ("0", "0.0000"),
            "extreme": ("0.0001", "0.0001"),
        },
    ),
    Column(
        "a_smallmoney",
        "smallmoney",
        "DECIMAL(10,4)",
        {
            "minimum": ("-214748.3648", "-214748.3648"),
            "maximum": ("214748.3647", "214748.3647"),
            "zero": ("0", "0.0000"),
        },
    ),
    Column(
        "a_float",
        "float",
        "DOUBLE",
        {
            "minimum": ("-1.7976931348623157e308", "ffefffffffffffff"),
            "maximum": ("1.7976931348623157e308", "7fefffffffffffff"),
            "zero": ("0e0", "0000000000000000"),
            "minus_zero": ("CAST('-0' AS float)", "8000000000000000"),
            "subnormal": ("5e-324", "0000000000000001"),
            "extreme": ("0.1", "3fb999999999999a"),
            "third": ("0.30000000000000004", "3fd3333333333334"),
        },
        shown=BITS,
    ),
    Column(
        "a_real",
        "real",
        "DOUBLE",
        {
            "minimum": ("-3.4028234663852886e38", "c7efffffe0000000"),
            "maximum": ("3.4028234663852886e38", "47efffffe0000000"),
            "zero": ("0", "0000000000000000"),
            "minus_zero": ("CAST(CAST('-0' AS float) AS real)", "8000000000000000"),
            "subnormal": ("1.401298464324817e-45", "36a0000000000000"),
            "extreme": ("0.1", "3fb99999a0000000"),
        },
        shown=BITS,
    ),
)

MOMENTS = (
    Column("a_date", "date", "DATE", _quoted(minimum="0001-01-01", maximum="9999-12-31", leap="2024-02-29")),
    Column("time0", "time(0)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59")),
    Column("time1", "time(1)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.9")),
    Column("time2", "time(2)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.99")),
    Column("time3", "time(3)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.999")),
    Column("time4", "time(4)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.9999")),
    Column("time5", "time(5)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.99999")),
    Column("time6", "time(6)", "TIME", _quoted(minimum="00:00:00", maximum="23:59:59.999999")),
    Column(
        "time7", "time(7)", "VARCHAR", _quoted(minimum=("00:00:00", "00:00:00.0000000"), maximum="23:59:59.9999999")
    ),
    Column(
        "time7us",
        "time(7)",
        "TIME",
        _quoted(minimum="00:00:00", maximum="23:59:59.999999"),
        representation="microseconds",
    ),
    Column(
        "a_smalldatetime",
        "smalldatetime",
        "TIMESTAMP_MS",
        _quoted(
            minimum=("1900-01-01T00:00:00", "1900-01-01 00:00:00"),
            maximum=("2079-06-06T23:59:00", "2079-06-06 23:59:00"),
        ),
    ),
    Column(
        "a_datetime",
        "datetime",
        "TIMESTAMP_MS",
        _quoted(
            minimum=("1753-01-01T00:00:00", "1753-01-01 00:00:00"),
            maximum=("9999-12-31T23:59:59.997", "9999-12-31 23:59:59.997"),
            extreme=("2024-01-01T00:00:00.003", "2024-01-01 00:00:00.003"),
        ),
    ),
    *(
        Column(
            f"datetime2_{scale}",
            f"datetime2({scale})",
            "TIMESTAMP",
            _quoted(
                minimum=("0001-01-01T00:00:00", "0001-01-01 00:00:00"),
                maximum=(f"9999-12-31T23:59:59{fraction}", f"9999-12-31 23:59:59{fraction}"),
            ),
        )
        for scale, fraction in enumerate(("", ".9", ".99", ".999", ".9999", ".99999", ".999999"))
    ),
    Column(
        "datetime2_7",
        "datetime2(7)",
        "TIMESTAMP_NS",
        _quoted(
            minimum=("1677-09-22T00:00:00", "1677-09-22 00:00:00"),
            maximum=("2262-04-11T23:47:16.8547758", "2262-04-11 23:47:16.8547758"),
            extreme=("1969-12-31T23:59:59.0000001", "1969-12-31 23:59:59.0000001"),
        ),
    ),
    Column(
        "datetime2_7us",
        "datetime2(7)",
        "TIMESTAMP",
        _quoted(
            minimum=("0001-01-01T00:00:00", "0001-01-01 00:00:00"),
            maximum=("9999-12-31T23:59:59.999999", "9999-12-31 23:59:59.999999"),
        ),
        representation="microseconds",
    ),
    Column(
        "datetime2_7text",
        "datetime2(7)",
        "VARCHAR",
        _quoted(
            minimum=("0001-01-01T00:00:00", "0001-01-01 00:00:00.0000000"),
            maximum=("9999-12-31T23:59:59.9999999", "9999-12-31 23:59:59.9999999"),
        ),
        representation="text",
    ),
    Column(
        "offset0",
        "datetimeoffset(0)",
        "VARCHAR",
        _quoted(minimum="0001-01-01 00:00:00+00:00", maximum="9999-12-31 23:59:59+00:00"),
    ),
    Column(
        "offset3",
        "datetimeoffset(3)",
        "VARCHAR",
        _quoted(minimum="0001-01-01 14:00:00.000+14:00", maximum="9999-12-31 09:59:59.999-14:00"),
    ),
    Column(
        "offset7",
        "datetimeoffset(7)",
        "VARCHAR",
        _quoted(
            minimum="0001-01-01 00:00:00.0000000+00:00",
            maximum="9999-12-31 23:59:59.9999999+00:00",
            extreme="2024-03-31 02:30:00.1234567+05:45",
        ),
    ),
    Column(
        "offset7utc",
        "datetimeoffset(7)",
        "TIMESTAMP WITH TIME ZONE",
        _quoted(extreme=("2024-01-01 00:30:00.123456 +05:30", "2023-12-31 19:00:00.123456+00")),
        representation="utc",
    ),
)

_EVERY_TEXT = {"empty": "", "ascii": "abc", "trailing": "ab  ", "quote": "it's", "control": "a\tb\r\nc"}
TEXTS = (
    Column("v10", "varchar(10)", "VARCHAR", _unicode(**_EVERY_TEXT, non_ascii="Zürich €"), shown=UTF8),
    Column("v8000", "varchar(8000)", "VARCHAR", _unicode(empty="", maximum="x" * 8000), shown=UTF8),
    Column(
        "vutf8",
        "varchar(40) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
        "VARCHAR",
        _unicode(**_EVERY_TEXT, non_ascii="Łódź 日本", emoji="👩‍🚀😀"),
        shown=UTF8,
    ),
    Column(
        "c5", "char(5)", "VARCHAR", {"empty": ("''", "2020202020"), "trailing": ("'ab '", "6162202020")}, shown=UTF8
    ),
    Column(
        "nc5",
        "nchar(5)",
        "VARCHAR",
        {"empty": ("N''", "2020202020"), "non_ascii": ("N'ł'", "C58220202020")},
        shown=UTF8,
    ),
    Column(
        "nv20",
        "nvarchar(20)",
        "VARCHAR",
        _unicode(
            **_EVERY_TEXT,
            non_ascii="Łódź 日本 عربى",
            emoji="😀👍🏽",
            combining="e\u0301",
            replacement="a\ufffdb",
            edge="\uffff\u0001",
        ),
        shown=UTF8,
    ),
    Column(
        "nv4000", "nvarchar(4000)", "VARCHAR", _unicode(empty="", maximum="ł" * 4000, emoji="😀" * 2000), shown=UTF8
    ),
    Column("vmax", "varchar(max)", "VARCHAR", _unicode(**_EVERY_TEXT, non_ascii="Zürich €"), shown=UTF8),
    Column("nvmax", "nvarchar(max)", "VARCHAR", _unicode(**_EVERY_TEXT, non_ascii="日本", emoji="😀"), shown=UTF8),
    Column("a_text", "text", "VARCHAR", _unicode(**_EVERY_TEXT, non_ascii="Zürich €"), shown=UTF8),
    Column("an_ntext", "ntext", "VARCHAR", _unicode(**_EVERY_TEXT, non_ascii="日本", emoji="😀"), shown=UTF8),
    Column(
        "nvbytes",
        "nvarchar(20)",
        "BLOB",
        {"empty": ("N''", ""), "emoji": ("N'a😀'", "61003DD800DE")},
        shown=BYTES,
        representation="bytes",
    ),
)

OCTETS = (
    Column("b4", "binary(4)", "BLOB", {"minimum": ("0x", "00000000"), "maximum": ("0xFFFFFFFF", "FFFFFFFF"), "trailing": ("0x0102", "01020000")}, shown=BYTES),
    Column("vb8", "varbinary(8)", "BLOB", {"empty": ("0x", ""), "maximum": ("0xFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF"), "trailing": ("0xFF00", "FF00")}, shown=BYTES),
    Column("vbmax", "varbinary(max)", "BLOB", {"empty": ("0x", ""), "trailing": ("0xDEADBEEF00", "DEADBEEF00")}, shown=BYTES),
    Column("an_image", "image", "BLOB", {"empty": ("0x", ""), "trailing": ("0xDEADBEEF00", "DEADBEEF00")}, shown=BYTES),
    Column(
        "a_guid",
        "uniqueidentifier",
        "UUID",
        {
            "minimum": ("'00000000-0000-0000-0000-000000000000'", "0" * 32),
            "maximum": ("'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'", "F" * 32),
            "extreme": ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "6F9619FF8B86D011B42D00C04FC964FF"),
            # The bytes as the server stores them, the first three groups reversed.
            "stored": ("CAST(0xFF19966F868B11D0B42D00C04FC964FF AS uniqueidentifier)", "6F9619FF8B86D011B42D00C04FC964FF"),
        },
        shown="replace(upper(CAST({c} AS VARCHAR)), '-', '')",
    ),
    Column(
        "a_guid_text",
        "uniqueidentifier",
        "VARCHAR",
        _quoted(
            minimum="00000000-0000-0000-0000-000000000000",
            maximum="FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            extreme=("6f9619ff-8b86-d011-b42d-00c04fc964ff", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        ),
        representation="text",
    ),
    Column("no_xml", "xml", "VARCHAR", {}),
)  # fmt: skip

MATRIX = {"numbers": NUMBERS, "moments": MOMENTS, "texts": TEXTS, "octets": OCTETS}

"""Every supported type arrives as it was stored: edges, NULLs, and the refusals."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import FidelityError
from tests.integration.source.source_tables import SourceTables

CASES: list[tuple[str, list[str], pa.DataType, list[Any]]] = [
    ("bit", ["1", "0"], pa.bool_(), [True, False]),
    ("tinyint", ["0", "255"], pa.int16(), [0, 255]),
    ("smallint", ["-32768", "32767"], pa.int16(), [-32768, 32767]),
    ("int", ["-2147483648", "2147483647"], pa.int32(), [-(2**31), 2**31 - 1]),
    ("bigint", ["-9223372036854775808", "9223372036854775807"], pa.int64(), [-(2**63), 2**63 - 1]),
    (
        "decimal(38,10)",
        ["9999999999999999999999999999.9999999999", "-0.0000000001"],
        pa.decimal128(38, 10),
        [Decimal("9999999999999999999999999999.9999999999"), Decimal("-0.0000000001")],
    ),
    ("numeric(5,0)", ["99999"], pa.decimal128(5, 0), [Decimal(99999)]),
    (
        "money",
        ["922337203685477.5807", "-922337203685477.5808"],
        pa.decimal128(19, 4),
        [Decimal("922337203685477.5807"), Decimal("-922337203685477.5808")],
    ),
    ("smallmoney", ["-214748.3648"], pa.decimal128(10, 4), [Decimal("-214748.3648")]),
    ("float", ["1.7976931348623157e308", "0.1", "5e-324"], pa.float64(), [1.7976931348623157e308, 0.1, 5e-324]),
    ("real", ["0.25"], pa.float32(), [0.25]),
    ("date", ["'0001-01-01'", "'9999-12-31'"], pa.string(), ["0001-01-01", "9999-12-31"]),
    ("time(3)", ["'23:59:59.999'"], pa.string(), ["23:59:59.999000"]),
    ("time(7)", ["'23:59:59.9999999'"], pa.string(), ["23:59:59.9999999"]),
    ("smalldatetime", ["'2079-06-06T23:59:00'"], pa.string(), ["2079-06-06 23:59:00.000"]),
    (
        "datetime",
        ["'1753-01-01T00:00:00'", "'9999-12-31T23:59:59.997'", "'2024-01-01T00:00:00.003'"],
        pa.string(),
        ["1753-01-01 00:00:00.000", "9999-12-31 23:59:59.997", "2024-01-01 00:00:00.003"],
    ),
    (
        "datetime2(6)",
        ["'0001-01-01T00:00:00'", "'9999-12-31T23:59:59.999999'"],
        pa.string(),
        ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"],
    ),
    (
        "datetime2(7)",
        ["'1900-01-01T00:00:00.0000001'", "'2024-02-29T12:34:56.7654321'"],
        pa.string(),
        ["1900-01-01 00:00:00.000000100", "2024-02-29 12:34:56.765432100"],
    ),
    (
        "datetimeoffset(7)",
        ["'2024-01-01T00:00:00.1234567+05:30'", "'0001-01-01T00:00:00Z'"],
        pa.string(),
        ["2024-01-01 00:00:00.1234567+05:30", "0001-01-01 00:00:00.0000000+00:00"],
    ),
    ("char(5)", ["'ab'"], pa.string(), ["ab   "]),
    ("varchar(10)", ["''", "'a '"], pa.string(), ["", "a "]),
    ("nchar(3)", ["N'ł'"], pa.string(), ["ł  "]),
    ("nvarchar(20)", ["N'Łódź 😀'", "N' '"], pa.string(), ["Łódź 😀", " "]),
    ("nvarchar(max)", ["N'日本'"], pa.large_string(), ["日本"]),
    ("varchar(max)", ["'x'"], pa.large_string(), ["x"]),
    ("binary(4)", ["0x0102"], pa.binary(), [b"\x01\x02\x00\x00"]),
    ("varbinary(8)", ["0x", "0xFF00"], pa.binary(), [b"", b"\xff\x00"]),
    ("varbinary(max)", ["0xDEADBEEF"], pa.large_binary(), [b"\xde\xad\xbe\xef"]),
    (
        "uniqueidentifier",
        ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "CAST(0xFF19966F868B11D0B42D00C04FC964FF AS uniqueidentifier)"],
        pa.uuid(),
        [uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"), uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")],
    ),
]


@pytest.mark.parametrize(("declared", "literals", "shown_as", "expected"), CASES, ids=[c[0] for c in CASES])
def test_values_arrive_as_they_were_stored(
    tables: SourceTables, declared: str, literals: list[str], shown_as: pa.DataType, expected: list[Any]
) -> None:
    """Moments are compared as text, which shows every digit they have."""
    tables.table("t", f"id int NOT NULL PRIMARY KEY, c {declared} NULL")
    for position, literal in enumerate(literals):
        tables.run(f"INSERT INTO {{s}}.t (id, c) VALUES ({position}, {literal})")
    tables.run(f"INSERT INTO {{s}}.t (id, c) VALUES ({len(literals)}, NULL)")
    rows, report = tables.read(StaticTableConfig(table_name="t", schema_name=tables.schema))
    assert (report.rows, report.counted_rows) == (len(expected) + 1, len(expected) + 1)
    values = rows.sort_by("id").column("c").combine_chunks()
    if pa.types.is_string(shown_as):
        values = values.cast(pa.string())
    assert values.type == shown_as
    assert values.to_pylist() == [*expected, None]


def test_a_rowversion_is_eight_bytes_that_grow(tables: SourceTables) -> None:
    tables.table("t", "id int NOT NULL PRIMARY KEY, rv rowversion")
    tables.run("INSERT INTO {s}.t (id) VALUES (1)")
    tables.run("INSERT INTO {s}.t (id) VALUES (2)")
    rows, _ = tables.read(StaticTableConfig(table_name="t", schema_name=tables.schema))
    first, second = rows.sort_by("id").column("rv").to_pylist()
    assert first is not None
    assert second is not None
    assert len(first) == 8
    assert first < second


@pytest.mark.parametrize(
    ("representation", "value", "proposed"),
    [
        ("nanoseconds", "9999-12-31T23:59:59.9999999", "open_end"),
        ("nanoseconds", "9999-12-31T23:59:59.9999998", "text"),
        ("microseconds", "2024-01-01T00:00:00.0000001", "nanoseconds"),
    ],
)
def test_a_value_that_does_not_fit_stops_the_load_and_text_takes_it(
    tables: SourceTables, representation: str, value: str, proposed: str
) -> None:
    tables.table("t", "id int NOT NULL PRIMARY KEY, at datetime2(7) NOT NULL")
    tables.run("INSERT INTO {s}.t VALUES (1, '2024-01-01')")
    tables.run(f"INSERT INTO {{s}}.t VALUES (77, '{value}')")

    def config(kept: str) -> StaticTableConfig:
        return StaticTableConfig(table_name="t", schema_name=tables.schema, column_representation={"at": kept})

    with pytest.raises(FidelityError) as caught:
        tables.read(config(representation))
    assert "column at holds" in str(caught.value)
    assert "row id = 77" in str(caught.value)
    assert f"holds {value.replace('T', ' ')}" in str(caught.value)
    assert f"column_representation: {{at: {proposed}}}" in str(caught.value)
    assert tables.read(config(proposed))[0].num_rows == 2
    rows, _ = tables.read(config("text"))
    assert rows.sort_by("id").column("at").to_pylist()[1] == value.replace("T", " ")


def test_an_instant_in_utc_is_the_same_instant(tables: SourceTables) -> None:
    tables.table("t", "id int NOT NULL PRIMARY KEY, at datetimeoffset(3) NOT NULL")
    tables.run("INSERT INTO {s}.t VALUES (1, '2024-01-01T00:30:00.123+05:30')")
    rows, _ = tables.read(
        StaticTableConfig(table_name="t", schema_name=tables.schema, column_representation={"at": "utc"})
    )
    assert rows.column("at").cast(pa.timestamp("us")).cast(pa.string()).to_pylist() == ["2023-12-31 19:00:00.123000"]


def test_names_with_every_awkward_character(tables: SourceTables) -> None:
    name = f"odd ]].[{uuid.uuid4().hex[:6]}'\"€😀;--"
    quoted = "[" + name.replace("]", "]]") + "]"
    tables.table(quoted, "[sel ect] int NOT NULL, [a]]b] nvarchar(5), [100%?] int")
    tables.run(f"INSERT INTO {{s}}.{quoted} VALUES (1, N'x', 5)")
    rows, _ = tables.read(StaticTableConfig(table_name=name, schema_name=tables.schema))
    assert rows.to_pylist() == [{"sel ect": 1, "a]b": "x", "100%?": 5}]

"""CAST and CONVERT: lengths, styles, failures; the vectorised texts against the reference, value by value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlType
from sqlserver_sandbox.tsql.values import convert_value
from tests.sandbox.engine.client import Client, parameter


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CONVERT(varchar(10), '2024-01-02 03:04:05')", "2024-01-02"),
        ("CAST('abcdef' AS varchar(3))", "abc"),
        ("CAST('ab' AS char(4)) + '|'", "ab  |"),
        ("CAST(N'abcdef' AS nvarchar(2))", "ab"),
        ("CAST('0123456789012345678901234567890123456789' AS varchar)", "012345678901234567890123456789"),
        ("CAST(12 AS varchar(1))", "*"),
        ("CAST(1.9 AS int)", 1),
        ("CAST(-1.9 AS int)", -1),
        ("CAST($1.5 AS int)", 2),
        ("CAST(2.5 AS decimal(3,0))", Decimal(3)),
        ("CAST(-2.5 AS decimal(3,0))", Decimal(-3)),
        ("CAST(1.99e0 AS int)", 1),
        ("CAST('' AS int)", 0),
        ("CAST(' 12 ' AS int)", 12),
        ("CAST(2 AS bit)", True),
        ("CAST('true' AS bit)", True),
        ("CONVERT(varchar(20), CAST(1234.5678 AS money))", "1234.57"),
        ("CONVERT(varchar(20), CAST(1234.5678 AS money), 1)", "1,234.57"),
        ("CONVERT(varchar(20), CAST(1234.5678 AS money), 2)", "1234.5678"),
        ("CONVERT(varchar(40), CAST(0.1 AS float), 3)", "1.0000000000000001e-001"),
        ("CONVERT(varchar(40), CAST(1234567 AS float))", "1.23457e+006"),
        ("CONVERT(varchar(40), CAST(0.1 AS float))", "0.1"),
        ("CONVERT(varchar(40), CAST(123 AS float), 2)", "1.230000000000000e+002"),
        ("CAST(CAST(0.5 AS decimal(2,2)) AS varchar(10))", "0.50"),
        ("CAST(0x616263 AS varchar(10))", "abc"),
        ("CONVERT(varchar(10), 0x1F, 1)", "0x1F"),
        ("CONVERT(varchar(10), 0x1F, 2)", "1F"),
        ("CONVERT(varbinary(4), '0x1F2E', 1)", b"\x1f\x2e"),
        ("CAST('ab' AS varbinary(8))", b"ab"),
        ("CAST(N'ab' AS varbinary(8))", b"a\0b\0"),
        ("CAST('é' AS varbinary(8))", b"\xe9"),
        ("CAST('ab' AS binary(4))", b"ab\0\0"),
        ("CAST(1 AS varbinary(8))", b"\0\0\0\x01"),
        ("CAST(CAST(1 AS bigint) AS binary(8))", b"\0\0\0\0\0\0\0\x01"),
        ("CAST(0x0102030405060708 AS bigint)", 0x0102030405060708),
        ("CAST(0xFFFFFFFFFFFFFFFE AS bigint)", -2),
        ("CAST(0x01FF AS int)", 0x01FF),
        ("CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        ("CAST(0xFF19966F868B11D0B42D00C04FC964FF AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        ("TRY_CAST('abc' AS int)", None),
        ("TRY_CONVERT(date, '2024-02-30')", None),
        ("TRY_CAST('12' AS int)", 12),
        ("CAST(NULL AS int)", None),
        ("CAST('2024-02-29' AS date)", date(2024, 2, 29)),
    ],
)
def test_a_conversion_gives_what_sql_server_gives(shared: Client, expression: str, expected: object) -> None:
    assert shared.value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("CAST(12 AS nvarchar(1))", 8115),
        ("CAST(1.5 AS varchar(2))", 8115),
        ("CAST('2024-13-01' AS date)", 241),
        ("CAST('yesterday' AS datetime2)", 241),
        ("CAST('2024-01-01T00:00:00.1234567' AS datetime)", 241),
        ("CAST('1500-01-01' AS datetime)", 242),
        ("CAST('x' AS uniqueidentifier)", 8169),
        ("CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS varchar(10))", 8170),
        ("CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS int)", 529),
        ("CONVERT(varbinary(4), '0xZZ', 1)", 8114),
        ("CONVERT(varchar(30), 1, 7)", 281),
        ("CAST('1,2' AS decimal(5,2))", 8114),
        ("CAST('1' AS nosuchtype)", 2715),
        ("CAST('1' AS varchar(9000))", 131),
        ("CAST(1 AS decimal(39,0))", 2750),
        ("CAST(1 AS datetime2(8))", 1002),
    ],
)
def test_a_conversion_that_cannot_be_raises_sql_servers_number(shared: Client, expression: str, number: int) -> None:
    assert shared.number(f"SELECT {expression}") == number


TEXT = SqlType("nvarchar", MAX, collation=DEFAULT_COLLATION)
SOURCES = {
    "bit": (SqlType("bit"), st.booleans()),
    "tinyint": (SqlType("tinyint"), st.integers(0, 255)),
    "smallint": (SqlType("smallint"), st.integers(-(2**15), 2**15 - 1)),
    "int": (SqlType("int"), st.integers(-(2**31), 2**31 - 1)),
    "bigint": (SqlType("bigint"), st.integers(-(2**63), 2**63 - 1)),
    "decimal": (
        SqlType("decimal", precision=12, scale=4),
        st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-4)),
    ),
    "fraction": (
        SqlType("decimal", precision=5, scale=5),
        st.integers(-99999, 99999).map(lambda n: Decimal(n).scaleb(-5)),
    ),
    "money": (SqlType("money"), st.integers(-(2**63), 2**63 - 1).map(lambda n: Decimal(n).scaleb(-4))),
    "float": (SqlType("float"), st.floats(allow_nan=False, allow_infinity=False)),
    "date": (SqlType("date"), st.dates()),
    "datetime": (SqlType("datetime"), st.integers(-53690 * 86400 * 300, 2958464 * 86400 * 300 - 1)),
    "smalldatetime": (SqlType("smalldatetime"), st.integers(0, 65535 * 1440)),
    "datetime2(0)": (SqlType("datetime2"), st.integers(0, 315_537_897_599).map(lambda n: n * 10**7)),
    "datetime2(3)": (SqlType("datetime2", scale=3), st.integers(0, 315_537_897_599_999).map(lambda n: n * 10**4)),
    "datetime2(7)": (SqlType("datetime2", scale=7), st.integers(0, 3_155_378_975_999_999_999)),
    "time(7)": (SqlType("time", scale=7), st.integers(0, 863_999_999_999)),
    "time(0)": (SqlType("time"), st.integers(0, 86399).map(lambda n: n * 10**7)),
    "datetimeoffset": (
        SqlType("datetimeoffset", scale=7),
        st.tuples(st.integers(10**12, 3 * 10**18), st.integers(-840, 840)),
    ),
    "guid": (SqlType("uniqueidentifier"), st.uuids().map(lambda u: str(u).upper())),
}
STYLES = {
    "money": [None, 2],
    "float": [None, 3],
    "date": [None, 23, 112],
    "datetime": [None, 121, 126, 120, 23],
    "smalldatetime": [None, 121, 126],
    "datetime2(0)": [None, 120, 121],
    "datetime2(3)": [None, 120, 121, 23],
    "datetime2(7)": [None, 121],
    "time(7)": [None, 121],
    "datetimeoffset": [None, 121, 120],
}


@pytest.mark.parametrize(("name", "style"), [(n, s) for n in SOURCES for s in STYLES.get(n, [None])])
def test_text_made_a_column_at_a_time_is_the_reference_text(shared: Client, name: str, style: int | None) -> None:
    """The column goes through DuckDB's text, the reference through `convert_value`."""
    declared, values = SOURCES[name]

    @settings(max_examples=12, deadline=None, database=None)
    @given(st.lists(values, min_size=1, max_size=20))
    def check(sample: list[object]) -> None:
        assert _as_text(shared, sample, declared, style) == [convert_value(v, declared, TEXT, style) for v in sample]

    check()


def _as_text(client: Client, sample: list[object], declared: SqlType, style: int | None) -> list[object]:
    names = [f"p{i}" for i in range(len(sample))]
    rows = ", ".join(f"({i}, @{n})" for i, n in enumerate(names))
    suffix = "" if style is None else f", {style}"
    sql = f"SELECT CONVERT(nvarchar(max), v.x{suffix}) FROM (VALUES {rows}) AS v(n, x) ORDER BY v.n"
    passed = {n: parameter(v, declared) for n, v in zip(names, sample, strict=True)}
    return [row[0] for row in client.rows(sql, **passed)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3_155_378_975_999_999_999), min_size=1, max_size=10))
def test_datetime2_becomes_other_moments_as_the_reference_has_it(shared: Client, sample: list[int]) -> None:
    wide = SqlType("datetime2", scale=7)
    names = [f"p{i}" for i in range(len(sample))]
    rows = ", ".join(f"({i}, @{n})" for i, n in enumerate(names))
    passed = {n: parameter(v, wide) for n, v in zip(names, sample, strict=True)}
    sql = f"SELECT CAST(v.x AS date), CAST(v.x AS time(7)), CAST(CAST(v.x AS datetimeoffset(7)) AS datetime2(7)) FROM (VALUES {rows}) AS v(n, x) ORDER BY v.n"
    day, clock = SqlType("date"), SqlType("time", scale=7)
    assert shared.rows(sql, **passed) == [
        (convert_value(v, wide, day), convert_value(v, wide, clock), v) for v in sample
    ]


def test_all_38_digits_of_a_stored_decimal_become_text(client: Client) -> None:
    digits = "1234567890123456789012345678.0123456789"
    client.do(
        "CREATE TABLE wide_decimals (d decimal(38,10) NULL)",
        f"INSERT INTO wide_decimals (d) VALUES (CAST('{digits}' AS decimal(38,10)))",
    )
    assert client.rows("SELECT CONVERT(varchar(50), d) FROM wide_decimals") == [(digits,)]


def test_eight_bytes_in_a_column_are_the_bigint_that_their_literal_is(client: Client) -> None:
    values = ["0x0102030405060708", "0xFFFFFFFFFFFFFFFE", "0x8000000000000000", "0x7FFFFFFFFFFFFFFF", "0x01", "NULL"]
    client.do("CREATE TABLE b (n int, v binary(8))", *(f"INSERT b VALUES ({i}, {v})" for i, v in enumerate(values)))
    assert [v for (v,) in client.rows("SELECT CAST(v AS bigint) FROM b ORDER BY n")] == [
        0x0102030405060708,
        -2,
        -(2**63),
        2**63 - 1,
        1 << 56,
        None,
    ]


def test_whole_decimals_of_every_length_have_the_text_of_their_literal(client: Client) -> None:
    values = ["0", "-7", "9" * 38, "-" + "9" * 38, "1" + "0" * 30, "NULL"]
    client.do("CREATE TABLE w (n int, v decimal(38,0))", *(f"INSERT w VALUES ({i}, {v})" for i, v in enumerate(values)))
    expected = [None if v == "NULL" else v for v in values]
    for target in ("varchar(39)", "nvarchar(40)", "varchar(max)", "varchar(38)"):
        if target == "varchar(38)":  # too short for the longest: 8115, as without columns
            assert client.number(f"SELECT CONVERT({target}, v) FROM w") == 8115
        else:
            assert [v for (v,) in client.rows(f"SELECT CONVERT({target}, v) FROM w ORDER BY n")] == expected

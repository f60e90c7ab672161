"""Dates and times: 1/300 s, 100 ns, years 1 to 9999, and the functions on them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.datetimes import datetime_to_ticks, ticks_to_datetime
from tests.sandbox.engine.client import Client, parameter


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        # The table of 'datetime', rounding of fractional second precision.
        ("1998-01-01 23:59:59.999", "1998-01-02 00:00:00.000"),
        ("1998-01-01 23:59:59.995", "1998-01-01 23:59:59.997"),
        ("1998-01-01 23:59:59.998", "1998-01-01 23:59:59.997"),
        ("1998-01-01 23:59:59.992", "1998-01-01 23:59:59.993"),
        ("1998-01-01 23:59:59.994", "1998-01-01 23:59:59.993"),
        ("1998-01-01 23:59:59.990", "1998-01-01 23:59:59.990"),
        ("1998-01-01 23:59:59.991", "1998-01-01 23:59:59.990"),
        ("1753-01-01", "1753-01-01 00:00:00.000"),
        ("9999-12-31 23:59:59.997", "9999-12-31 23:59:59.997"),
    ],
)
def test_datetime_rounds_to_a_three_hundredth_of_a_second(shared: Client, given_text: str, shown: str) -> None:
    assert shared.value(f"CONVERT(varchar(30), CAST('{given_text}' AS datetime), 121)") == shown


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # Compatibility level 130: the true third of a second shows in datetime2.
        (
            "CONVERT(varchar(40), CAST(CAST('2024-01-01 00:00:00.003' AS datetime) AS datetime2(7)), 121)",
            "2024-01-01 00:00:00.0033333",
        ),
        (
            "CONVERT(varchar(40), CAST(CAST('2024-01-01 00:00:00.007' AS datetime) AS datetime2(7)), 121)",
            "2024-01-01 00:00:00.0066667",
        ),
        ("CONVERT(varchar(40), CAST('0001-01-01' AS datetime2(7)), 121)", "0001-01-01 00:00:00.0000000"),
        (
            "CONVERT(varchar(40), CAST('9999-12-31 23:59:59.9999999' AS datetime2(7)), 121)",
            "9999-12-31 23:59:59.9999999",
        ),
        ("CONVERT(varchar(40), CAST('2024-01-02 03:04:05.1234567' AS datetime2(3)), 121)", "2024-01-02 03:04:05.123"),
        ("CONVERT(varchar(40), CAST('2024-01-02 03:04:05.9999999' AS datetime2(0)), 121)", "2024-01-02 03:04:06"),
        ("CONVERT(varchar(40), CAST('2024-01-02 03:04:29.998' AS smalldatetime), 120)", "2024-01-02 03:04:00"),
        ("CONVERT(varchar(40), CAST('2024-01-02 03:04:29.999' AS smalldatetime), 120)", "2024-01-02 03:05:00"),
        (
            "CONVERT(varchar(40), CAST('2024-01-02 03:04:05 +02:00' AS datetimeoffset(0)), 121)",
            "2024-01-02 03:04:05 +02:00",
        ),
        (
            "CONVERT(varchar(40), CAST('2024-01-02 03:04:05.5 +02:00' AS datetimeoffset(1)), 127)",
            "2024-01-02T01:04:05.5Z",
        ),
        ("CONVERT(varchar(30), CAST('2024-01-02 03:04:05' AS datetime), 126)", "2024-01-02T03:04:05"),
        ("CONVERT(varchar(30), CAST('2024-01-02 03:04:05.25' AS datetime), 126)", "2024-01-02T03:04:05.250"),
        ("CAST(CAST('2024-01-02 15:04:05' AS datetime) AS varchar(30))", "Jan  2 2024  3:04PM"),
        ("CAST(CAST('2024-01-02 15:04:05' AS datetime2(0)) AS varchar(30))", "2024-01-02 15:04:05"),
        ("CONVERT(char(8), CAST('2024-01-02' AS date), 112)", "20240102"),
        ("CONVERT(varchar(10), CAST('2024-01-02' AS date), 101)", "01/02/2024"),
        ("CONVERT(varchar(8), CAST('2024-01-02 15:04:05' AS datetime), 108)", "15:04:05"),
        ("CONVERT(varchar(16), CAST('23:59:59.1234567' AS time(7)))", "23:59:59.1234567"),
        ("CONVERT(varchar(30), CONVERT(datetime, '02/01/2024', 103), 121)", "2024-01-02 00:00:00.000"),
        ("CONVERT(varchar(30), CAST('20240102 03:04' AS datetime2(0)), 121)", "2024-01-02 03:04:00"),
        ("CONVERT(varchar(30), CAST('Jan 2 2024' AS date), 23)", "2024-01-02"),
    ],
)
def test_moments_are_written_and_converted_as_documented(shared: Client, expression: str, expected: str) -> None:
    assert shared.value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DATEDIFF(year, '2023-12-31', '2024-01-01')", 1),
        ("DATEDIFF(day, '2024-01-01 23:59', '2024-01-02 00:00')", 1),
        ("DATEDIFF(week, '2024-01-06', '2024-01-07')", 1),
        ("DATEDIFF(hour, '2024-01-01', '2024-01-02')", 24),
        ("DATEDIFF(second, '0001-01-01', '0001-01-01 00:01')", 60),
        ("DATEDIFF_BIG(nanosecond, '2024-01-01', '2024-01-01 00:00:00.0000001')", 100),
        ("DATEPART(year, '2024-02-29')", 2024),
        ("DATEPART(quarter, '2024-05-01')", 2),
        ("DATEPART(dayofyear, '2024-12-31')", 366),
        ("DATEPART(weekday, '2024-01-07')", 1),
        ("DATEPART(week, '2024-01-07')", 2),
        ("DATEPART(millisecond, CAST('2024-01-01 00:00:00.007' AS datetime))", 7),
        ("DATEPART(nanosecond, CAST('2024-01-01 00:00:00.1234567' AS datetime2(7)))", 123456700),
        ("YEAR('2024-02-29') * 10000 + MONTH('2024-02-29') * 100 + DAY('2024-02-29')", 20240229),
        ("DATEFROMPARTS(2024, 2, 29)", date(2024, 2, 29)),
        ("EOMONTH('2024-02-01')", date(2024, 2, 29)),
        ("EOMONTH('2024-01-31', 1)", date(2024, 2, 29)),
        ("CAST(DATEADD(month, 1, '2024-01-31') AS date)", date(2024, 2, 29)),
        ("CAST(DATEADD(year, -1, CAST('2024-02-29' AS date)) AS date)", date(2023, 2, 28)),
        (
            "CONVERT(varchar(30), DATEADD(millisecond, 1, CAST('2024-01-01' AS datetime2(3))), 121)",
            "2024-01-01 00:00:00.001",
        ),
        (
            "CONVERT(varchar(30), DATEADD(millisecond, 1, CAST('2024-01-01' AS datetime)), 121)",
            "2024-01-01 00:00:00.000",
        ),
        (
            "CONVERT(varchar(30), DATEADD(millisecond, 2, CAST('2024-01-01' AS datetime)), 121)",
            "2024-01-01 00:00:00.003",
        ),
    ],
)
def test_functions_on_moments_count_as_sql_server_counts(shared: Client, expression: str, expected: object) -> None:
    assert shared.value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("DATEADD(year, 10000, CAST('2024-01-01' AS datetime2))", 517),
        ("DATEDIFF(millisecond, '2000-01-01', '2024-01-01')", 535),
        ("DATEFROMPARTS(2023, 2, 29)", 289),
        ("DATEPART(fortnight, '2024-01-01')", 155),
        ("DATEPART(hour, CAST('2024-01-01' AS date))", 9810),
        ("CAST(CAST('2024-01-01' AS date) AS time)", 529),
    ],
)
def test_a_moment_that_cannot_be_is_an_error(shared: Client, expression: str, number: int) -> None:
    assert shared.number(f"SELECT {expression}") == number


def test_the_time_is_one_time_within_a_statement(shared: Client) -> None:
    assert shared.holds("SYSUTCDATETIME() = SYSDATETIME() AND GETDATE() = GETUTCDATE()")


def test_comparing_datetime_with_datetime2_keeps_every_digit(shared: Client) -> None:
    """The trap of watermarks: .007 as datetime is .0066667, which is less than .007."""
    column = "CAST('2024-01-01 00:00:00.007' AS datetime)"
    assert not shared.holds(f"{column} >= CAST('2024-01-01 00:00:00.007' AS datetime2(7))")
    assert shared.holds(f"{column} >= CAST('2024-01-01 00:00:00.007' AS datetime)")


@given(st.integers(-53690 * 86400 * 300, 2958464 * 86400 * 300 - 1))
def test_datetime_to_datetime2_and_back_is_the_same(units: int) -> None:
    assert ticks_to_datetime(datetime_to_ticks(units)) == units
    wide = SqlType("datetime2", scale=7)
    there = convert_value(units, SqlType("datetime"), wide)
    assert convert_value(there, wide, SqlType("datetime")) == units


def test_a_stored_moment_is_the_moment_given(client: Client) -> None:
    client.do("CREATE TABLE m (a datetime2(7), b datetime, c datetimeoffset(7), d time(7), e smalldatetime, f date)")
    wide = SqlType("datetime2", scale=7)
    client.do(
        "INSERT m VALUES (@a, @b, @c, @d, @e, @f)",
        a=parameter(3_155_378_975_999_999_999, wide),
        b=parameter(-53690 * 86400 * 300, SqlType("datetime")),
        c=parameter((1, -840), SqlType("datetimeoffset", scale=7)),
        d=parameter(863_999_999_999, SqlType("time", scale=7)),
        e=parameter(0, SqlType("smalldatetime")),
        f=parameter(date(1, 1, 1), SqlType("date")),
    )
    row = (
        3_155_378_975_999_999_999,
        -53690 * 86400 * 300,
        {"ticks": 1, "offset": -840},
        863_999_999_999,
        0,
        date(1, 1, 1),
    )
    assert client.rows("SELECT * FROM m") == [row]

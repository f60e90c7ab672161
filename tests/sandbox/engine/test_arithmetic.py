"""Numbers: result types, rounding and errors, against 'Precision, scale, and length' and Python's decimal."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.bind.arithmetic import decimal_result
from tests.sandbox.engine.client import Client

WIDE = Context(prec=120)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7/2", 3),
        ("-7/2", -3),
        ("7%3", 1),
        ("-7%3", -1),
        ("7.0/2", Decimal("3.500000")),
        ("2.0/3", Decimal("0.666666")),
        ("1/3.0", Decimal("0.333333")),
        ("7/2.0E0", 3.5),
        ("2147483647 + CAST(1 AS bigint)", 2147483648),
        ("CAST(5 AS tinyint) * CAST(10 AS tinyint)", 50),
        ("2147483648", Decimal(2147483648)),
        ("5 & 3", 1),
        ("5 | 3", 7),
        ("5 ^ 3", 6),
        ("~5", -6),
        ("1 + '2'", 3),
        ("$1.5 + 1", Decimal("2.5000")),
        ("-9223372036854775808", Decimal("-9223372036854775808")),
    ],
)
def test_an_expression_has_the_value_that_sql_server_gives_it(
    shared: Client, expression: str, expected: object
) -> None:
    assert shared.value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1", SqlType("int")),
        ("2147483648", SqlType("numeric", precision=10)),
        ("1.50", SqlType("numeric", precision=3, scale=2)),
        ("CAST(1 AS tinyint) + CAST(1 AS smallint)", SqlType("smallint")),
        ("CAST(1 AS bit) + 1", SqlType("int")),
        ("CAST(1 AS decimal(10,2)) * CAST(1 AS decimal(8,4))", SqlType("numeric", precision=19, scale=6)),
        ("CAST(1 AS decimal(38,10)) * CAST(1 AS decimal(38,10))", SqlType("numeric", precision=38, scale=6)),
        ("CAST(1 AS decimal(10,2)) / CAST(1 AS decimal(10,2))", SqlType("numeric", precision=23, scale=13)),
        ("CAST(1 AS decimal(10,2)) + CAST(1 AS int)", SqlType("numeric", precision=13, scale=2)),
        ("1e0 + 1", SqlType("float")),
        ("CAST(1 AS money) + 1", SqlType("money")),
    ],
)
def test_an_expression_has_the_declared_type_of_sql_server(shared: Client, expression: str, expected: SqlType) -> None:
    assert shared.type(expression) == expected


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("2147483647 + 1", 8115),
        ("CAST(255 AS tinyint) + CAST(1 AS tinyint)", 8115),
        ("CAST(9223372036854775807 AS bigint) + 1", 8115),
        ("1/0", 8134),
        ("1.0/0", 8134),
        ("1%0", 8134),
        ("1e308 * 10", 8115),
        ("CAST(99999999999999999999999999999999999999 AS decimal(38,0)) + 1", 8115),
        ("CAST('abc' AS int)", 245),
        ("CAST('1.5' AS int)", 245),
        ("CAST('abc' AS decimal(5,2))", 8114),
        ("CAST('x' AS float)", 8114),
        ("CAST(300 AS tinyint)", 220),
        ("CAST(3000000000 AS int)", 8115),
        ("CAST('3000000000' AS int)", 248),
        ("CAST(1000 AS decimal(3,0))", 8115),
        ("CAST(1 AS datetime) + CAST('x' AS xml)", 40517),
        ("'a' - 'b'", 8117),
    ],
)
def test_an_overflow_or_bad_value_raises_the_number_of_sql_server(shared: Client, expression: str, number: int) -> None:
    assert shared.number(f"SELECT {expression}") == number


def test_sums_and_averages_keep_their_operands_type(shared: Client) -> None:
    values = "(VALUES (1), (2), (2)) AS v(x)"
    assert shared.rows(f"SELECT SUM(x), AVG(x), COUNT(*), COUNT_BIG(x) FROM {values}") == [(5, 1, 3, 3)]
    assert shared.rows(f"SELECT AVG(CAST(x AS decimal(5,1))) FROM {values}") == [(Decimal("1.666666"),)]
    assert shared.rows(f"SELECT SUM(CAST(x AS decimal(5,1))) FROM {values}") == [(Decimal("5.0"),)]
    assert shared.type(f"SUM(CAST(x AS decimal(5,1))) FROM {values}") == SqlType("decimal", precision=38, scale=1)
    assert shared.type(f"SUM(CAST(x AS tinyint)) FROM {values}") == SqlType("int")


def test_a_sum_that_does_not_fit_its_type_is_an_error(shared: Client) -> None:
    assert shared.number("SELECT SUM(x) FROM (VALUES (2147483647), (1)) AS v(x)") == 8115
    assert shared.number("SELECT AVG(x) FROM (VALUES (2147483647), (2147483647)) AS v(x)") == 8115
    big = "CAST(9223372036854775807 AS bigint)"
    assert shared.number(f"SELECT SUM(x) FROM (VALUES ({big}), ({big})) AS v(x)") == 8115
    wide = "CAST(99999999999999999999999999999999999999 AS decimal(38,0))"
    assert shared.number(f"SELECT SUM(x) FROM (VALUES ({wide}), (1)) AS v(x)") == 8115


def test_an_empty_set_has_count_zero_and_null_sums(shared: Client) -> None:
    assert shared.rows("SELECT COUNT(*), SUM(x), MAX(x) FROM (VALUES (1)) AS v(x) WHERE x > 1") == [(0, None, None)]


@st.composite
def decimals(draw: st.DrawFn) -> tuple[Decimal, int, int]:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    unscaled = draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    return Decimal(unscaled).scaleb(-scale, WIDE), precision, scale


@settings(max_examples=100, deadline=None)
@given(left=decimals(), right=decimals(), operator=st.sampled_from("+-*/"))
def test_decimal_arithmetic_is_exact_to_the_documented_scale(
    shared: Client, left: tuple[Decimal, int, int], right: tuple[Decimal, int, int], operator: str
) -> None:
    (a, p1, s1), (b, p2, s2) = left, right
    precision, scale = decimal_result(operator, (p1, s1), (p2, s2))
    text = f"CAST('{a:f}' AS decimal({p1},{s1})) {operator} CAST('{b:f}' AS decimal({p2},{s2}))"
    if operator == "/" and b == 0:
        assert shared.number(f"SELECT {text}") == 8134
        return
    exact = _exact(operator, a, b, scale)
    if exact.copy_abs() >= Decimal(10) ** (precision - scale):
        assert shared.number(f"SELECT {text}") == 8115
        return
    assert shared.value(text) == exact
    assert shared.type(text) == SqlType("numeric", precision=precision, scale=scale)


def _exact(operator: str, a: Decimal, b: Decimal, scale: int) -> Decimal:
    """Quotients are cut, everything else is rounded half away from zero."""
    if operator == "/":
        wide = Context(prec=400)
        return wide.divide(a, b).quantize(Decimal(1).scaleb(-scale), ROUND_DOWN, wide)
    operations = {"+": WIDE.add, "-": WIDE.subtract, "*": WIDE.multiply}
    return operations[operator](a, b).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, WIDE)


@pytest.mark.parametrize(
    ("operator", "left", "right", "expected"),
    [
        ("+", (10, 2), (8, 4), (13, 4)),
        ("*", (10, 2), (8, 4), (19, 6)),
        ("/", (10, 2), (8, 4), (23, 11)),
        ("%", (10, 2), (8, 4), (8, 4)),
        ("+", (38, 10), (38, 10), (38, 10)),
        ("*", (38, 10), (38, 10), (38, 6)),
        ("/", (38, 10), (38, 10), (38, 6)),
        ("*", (30, 20), (10, 5), (38, 22)),
    ],
)
def test_precision_and_scale_follow_the_documented_table(
    operator: str, left: tuple[int, int], right: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert decimal_result(operator, left, right) == expected

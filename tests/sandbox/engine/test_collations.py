"""Text compared as SQL Server compares it: case, blanks at the end, code points; and refused where that is not certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlserver_sandbox.tsql.collations import comparison_key
from tests.sandbox.engine.client import Client

BIN2 = "COLLATE Latin1_General_100_BIN2"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("'abc' = 'ABC'", True),
        ("'a' = 'a  '", True),
        ("N'Ärger' = N'ärger'", True),
        ("'a' = 'á'", False),
        ("'' = '   '", True),
        ("'a' < 'B'", True),
        ("'B' > 'a'", True),
        ("'abc' IN ('x', 'ABC ')", True),
        ("'abc' BETWEEN 'ABC' AND 'abd'", True),
        (f"'abc' {BIN2} = 'ABC'", False),
        (f"'a' {BIN2} = 'a '", True),
        (f"'a' {BIN2} < 'B'", False),
        ("'abc' COLLATE Latin1_General_CS_AS = 'ABC'", False),
        ("'abc' LIKE 'A%'", True),
        ("'abc ' LIKE 'abc'", False),
        (f"'abc' {BIN2} LIKE 'A%'", False),
        ("'a_c' LIKE 'a[_]c'", True),
        ("'abc' LIKE 'a[_]c'", False),
        ("'50%' LIKE '50!%' ESCAPE '!'", True),
        ("'x5' LIKE 'x[0-9]'", True),
        ("'xa' LIKE 'x[^0-9]'", True),
        ("0x01 = 0x0100", True),
        ("0x01 = 0x0101", False),
        ("NULLIF('a', 'A ') IS NULL", True),
        ("CASE 'a' WHEN 'A' THEN 1 END = 1", True),
    ],
)
def test_a_comparison_follows_the_collation(shared: Client, condition: str, holds: bool) -> None:
    assert shared.holds(condition) is holds


def test_grouping_distinct_and_joins_fold_case_and_blanks(shared: Client) -> None:
    values = "(VALUES ('a', 1), ('A', 2), ('a ', 4), ('b', 8)) AS v(k, n)"
    assert sorted(row[0] for row in shared.rows(f"SELECT SUM(n) FROM {values} GROUP BY k")) == [7, 8]
    assert len(shared.rows(f"SELECT DISTINCT k FROM {values}")) == 2
    assert shared.value(f"COUNT(DISTINCT k) FROM {values}") == 2
    assert shared.value("COUNT(*) FROM (VALUES ('x')) AS a(k) JOIN (VALUES ('X '), ('y')) AS b(k) ON a.k = b.k") == 1
    assert (
        len(
            shared.rows("SELECT k FROM (VALUES ('x'), ('z')) AS a(k) UNION SELECT k FROM (VALUES ('X'), ('y')) AS b(k)")
        )
        == 3
    )
    assert shared.rows("SELECT k FROM (VALUES ('x'), ('z')) AS a(k) EXCEPT SELECT k FROM (VALUES ('X')) AS b(k)") == [
        ("z",)
    ]
    assert shared.rows(
        "SELECT k FROM (VALUES ('x'), ('z')) AS a(k) INTERSECT SELECT k FROM (VALUES ('X')) AS b(k)"
    ) == [("x",)]


def test_order_is_letters_without_case_or_code_points(shared: Client) -> None:
    values = "(VALUES ('b'), ('A'), ('a1'), (NULL), ('a_'), ('a ')) AS v(k)"
    assert [r[0] for r in shared.rows(f"SELECT k FROM {values} ORDER BY k, DATALENGTH(k)")] == [
        None,
        "A",
        "a ",
        "a_",
        "a1",
        "b",
    ]
    assert [r[0] for r in shared.rows(f"SELECT k FROM {values} ORDER BY k {BIN2} DESC")][-2:] == ["A", None]
    assert shared.rows(f"SELECT MIN(k), MAX(k) FROM {values} WHERE k <> 'a'") == [("a_", "b")]


def test_a_unique_key_follows_its_columns_collation(client: Client) -> None:
    client.do("CREATE TABLE ci (k varchar(10) PRIMARY KEY)", f"CREATE TABLE bi (k varchar(10) {BIN2} PRIMARY KEY)")
    client.do("INSERT ci VALUES ('a')", "INSERT bi VALUES ('a'), ('A')")
    assert client.number("INSERT ci VALUES ('A ')") == 2627
    assert client.number("INSERT bi VALUES ('a ')") == 2627


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 WHERE N'ß' = N'ss'",
        "SELECT k FROM (VALUES (N'😀'), (N'😁')) AS v(k) GROUP BY k",
        "SELECT k FROM (VALUES ('a-b'), ('ab')) AS v(k) ORDER BY k",
        "SELECT 1 WHERE 'a''b' < 'ab'",
        "SELECT 1 WHERE 'a' COLLATE Latin1_General_CI_AI = 'á'",
        "SELECT 'a' COLLATE French_CI_AS",
        "SELECT CAST(N'日本' AS varchar(10))",
        "SELECT UPPER(N'ß')",
        "SELECT SUBSTRING(N'a😀b', 2, 1)",
    ],
)
def test_text_whose_rule_is_not_certain_is_refused(shared: Client, statement: str) -> None:
    assert shared.number(statement) == 40517


def test_two_collations_do_not_meet(shared: Client) -> None:
    shared.do(
        "CREATE TABLE two (a varchar(5) COLLATE Latin1_General_CI_AS, b varchar(5) COLLATE Latin1_General_100_BIN2)"
    )
    assert shared.number("SELECT 1 FROM two WHERE a = b") == 468
    assert shared.rows(f"SELECT 1 FROM two WHERE a {BIN2} = b") == []
    assert shared.number("SELECT 'a' COLLATE Nonsense") == 448
    assert shared.number("SELECT 1 COLLATE Latin1_General_CI_AS") == 447


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8), st.text(" ", max_size=3))
def test_the_key_ignores_case_and_blanks_at_the_end_and_nothing_else(text: str, blanks: str) -> None:
    assert comparison_key(text + blanks, "ci") == comparison_key(text.upper(), "ci")
    assert comparison_key(text + blanks, "bin2") == comparison_key(text, "bin2")
    assert comparison_key(text + "x", "ci") != comparison_key(text, "ci")

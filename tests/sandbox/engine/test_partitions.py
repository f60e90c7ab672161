"""Partition functions and schemes: where values go, SPLIT and MERGE, the errors of each."""

from __future__ import annotations

import bisect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.engine.client import Client


@pytest.mark.parametrize(
    ("side", "values", "placed"),
    [
        # CREATE PARTITION FUNCTION, examples: LEFT holds lower < x <= upper, RIGHT lower <= x < upper.
        ("LEFT", "1, 100, 1000", {"NULL": 1, "0": 1, "1": 1, "2": 2, "100": 2, "101": 3, "1000": 3, "1001": 4}),
        ("RIGHT", "1, 100, 1000", {"NULL": 1, "0": 1, "1": 2, "99": 2, "100": 3, "999": 3, "1000": 4}),
        # NULL as a boundary: RIGHT leaves partition 1 empty, LEFT puts NULL into it.
        ("RIGHT", "NULL, 10", {"NULL": 2, "-5": 2, "9": 2, "10": 3}),
        ("LEFT", "NULL, 10", {"NULL": 1, "-5": 2, "10": 2, "11": 3}),
        ("LEFT", "", {"NULL": 1, "5": 1}),
    ],
)
def test_a_value_goes_where_its_side_says(client: Client, side: str, values: str, placed: dict[str, int]) -> None:
    client.do(f"CREATE PARTITION FUNCTION pf (int) AS RANGE {side} FOR VALUES ({values})")
    assert {v: client.value(f"$PARTITION.pf({v})") for v in placed} == placed


def test_left_is_the_default_side(client: Client) -> None:
    client.do("CREATE PARTITION FUNCTION pf (int) AS RANGE FOR VALUES (5)")
    assert client.value("$PARTITION.pf(5)") == 1


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE PARTITION FUNCTION new (int) AS RANGE LEFT FOR VALUES (1)",
        "CREATE PARTITION SCHEME new AS PARTITION pf ALL TO ([PRIMARY])",
        "ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE (7)",
        "DROP PARTITION SCHEME ps",
    ],
)
def test_a_definition_leaves_no_row_count(client: Client, definition: str) -> None:
    """As every other definition does."""
    client.do("CREATE PARTITION FUNCTION pf (int) AS RANGE FOR VALUES (5)")
    client.do("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
    client.do("SELECT 1 AS a UNION ALL SELECT 2", definition)
    assert client.value("@@ROWCOUNT") == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=40, unique=True),
    st.lists(st.integers(-1001, 1001), min_size=1, max_size=20),
)
def test_every_value_lies_between_its_boundaries(shared: Client, boundaries: list[int], values: list[int]) -> None:
    for side, place in (("LEFT", bisect.bisect_left), ("RIGHT", bisect.bisect_right)):
        shared.do(f"CREATE PARTITION FUNCTION h (int) AS RANGE {side} FOR VALUES ({', '.join(map(str, boundaries))})")
        rows = ", ".join(f"({i}, {v})" for i, v in enumerate(values))
        found = shared.rows(f"SELECT $PARTITION.h(v.x) FROM (VALUES {rows}) AS v(n, x) ORDER BY v.n")
        assert [r[0] for r in found] == [place(sorted(boundaries), v) + 1 for v in values]
        shared.do("DROP PARTITION FUNCTION h")


@pytest.mark.parametrize(
    ("declared", "boundaries", "value", "number"),
    [
        ("datetime2(0)", "'2024-01-01', '2024-02-01'", "CAST('2024-01-31 23:59:59' AS datetime2(0))", 2),
        ("datetime", "'20240101', '20240201'", "CAST('2024-02-01' AS datetime)", 3),
        ("date", "'2024-01-01'", "'2023-12-31'", 1),
        ("decimal(10,2)", "1.5, 2.5", "2.49", 2),
        ("bigint", "5000000000", "5000000001", 2),
        ("money", "1.5", "1.4999", 1),
        (
            "uniqueidentifier",
            "'00000000-0000-0000-0000-000000000002'",
            "CAST('FFFFFFFF-FFFF-FFFF-FFFF-000000000001' AS uniqueidentifier)",
            1,
        ),
        ("varchar(10)", "'m'", "'N'", 2),
        ("datetimeoffset(0)", "'2024-01-01 00:00 +00:00'", "CAST('2024-01-01 01:00 +02:00' AS datetimeoffset(0))", 1),
        ("varbinary(4)", "0x10", "0x0F", 1),
    ],
)
def test_boundaries_of_every_type_divide_values(
    client: Client, declared: str, boundaries: str, value: str, number: int
) -> None:
    client.do(f"CREATE PARTITION FUNCTION pf ({declared}) AS RANGE RIGHT FOR VALUES ({boundaries})")
    assert client.value(f"$PARTITION.pf({value})") == number


def test_boundaries_are_sorted_with_a_warning(client: Client) -> None:
    answer = client.run("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (20, 10)")
    assert [i.number for i in answer.infos] == [7709]
    assert client.rows("SELECT boundary_id, CAST(value AS int) FROM sys.partition_range_values ORDER BY 1") == [
        (1, 10),
        (2, 20),
    ]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("CREATE PARTITION FUNCTION x (int) AS RANGE RIGHT FOR VALUES (1, 1)", 7708),
        ("CREATE PARTITION FUNCTION x (varchar(5)) AS RANGE RIGHT FOR VALUES ('a', 'A ')", 7708),
        ("CREATE PARTITION FUNCTION x (varchar(max)) AS RANGE RIGHT FOR VALUES ('a')", 7704),
        ("CREATE PARTITION FUNCTION x (xml) AS RANGE RIGHT FOR VALUES ()", 7704),
        ("CREATE PARTITION FUNCTION x (rowversion) AS RANGE RIGHT FOR VALUES ()", 7704),
        ("CREATE PARTITION FUNCTION x (int) AS RANGE RIGHT FOR VALUES ('a')", 7705),
        ("CREATE PARTITION FUNCTION PF (int) AS RANGE RIGHT FOR VALUES (1)", 7712),
        ("CREATE PARTITION SCHEME x AS PARTITION nope ALL TO ([PRIMARY])", 208),
        ("CREATE PARTITION SCHEME x AS PARTITION pf TO ([PRIMARY])", 7707),
        ("CREATE TABLE x (a bigint) ON ps(a)", 7726),
        ("CREATE TABLE x (a int, b int PRIMARY KEY) ON ps(a)", 1908),
        ("CREATE TABLE x (a int) ON ps(nope)", 1911),
        ("ALTER PARTITION FUNCTION pf() SPLIT RANGE (10)", 7721),
        ("ALTER PARTITION FUNCTION pf() MERGE RANGE (11)", 7715),
        ("ALTER PARTITION FUNCTION nope() MERGE RANGE (11)", 208),
        ("DROP PARTITION FUNCTION pf", 7706),
        ("DROP PARTITION SCHEME ps", 7717),
        ("DROP PARTITION SCHEME nope", 3701),
        ("SELECT $PARTITION.nope(1)", 208),
        ("SELECT $PARTITION.pf('x')", 245),
    ],
)
def test_a_wrong_partitioning_raises_sql_servers_number(client: Client, statement: str, number: int) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE t (a int) ON ps(a)",
    )
    assert client.number(statement) == number


def test_decimal_and_numeric_are_different_to_partitioning(client: Client) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (decimal(5,0)) AS RANGE RIGHT FOR VALUES (1)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
    )
    assert client.number("CREATE TABLE t (a numeric(5,0)) ON ps(a)") == 7726


def test_a_split_uses_up_next_used_and_a_merge_brings_rows_together(client: Client) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE t (a int NOT NULL) ON ps(a)",
        "INSERT t VALUES (5), (10), (15), (16), (25)",
    )
    counts = "SELECT partition_number, rows FROM sys.partitions WHERE object_id = OBJECT_ID('t') ORDER BY 1"
    assert client.rows(counts) == [(1, 1), (2, 3), (3, 1)]
    client.do("ALTER PARTITION FUNCTION pf() SPLIT RANGE (16)")
    assert client.rows(counts) == [(1, 1), (2, 2), (3, 1), (4, 1)]
    assert client.number("ALTER PARTITION FUNCTION pf() SPLIT RANGE (17)") == 7710
    client.do("ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]", "ALTER PARTITION FUNCTION pf() SPLIT RANGE (17)")
    client.do("ALTER PARTITION FUNCTION pf() MERGE RANGE (10)")
    assert client.rows(counts) == [(1, 3), (2, 1), (3, 0), (4, 1)]
    assert client.rows("SELECT a FROM t WHERE $PARTITION.pf(a) = 2") == [(16,)]
    assert client.rows("SELECT $PARTITION.pf(a) AS n, COUNT_BIG(*) FROM t GROUP BY $PARTITION.pf(a) ORDER BY n") == [
        (1, 3),
        (2, 1),
        (4, 1),
    ]


def test_next_used_shows_as_one_more_destination(client: Client) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (1)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf TO ([PRIMARY], [PRIMARY])",
    )
    assert client.value("COUNT(*) FROM sys.destination_data_spaces") == 2
    client.do("ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]")
    assert client.value("COUNT(*) FROM sys.destination_data_spaces") == 3


def test_dropping_in_order_leaves_nothing(client: Client) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (1)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE t (a int) ON ps(a)",
        "DROP TABLE t",
        "DROP PARTITION SCHEME ps",
        "DROP PARTITION FUNCTION pf",
    )
    assert client.value("COUNT(*) FROM sys.partition_functions") == 0

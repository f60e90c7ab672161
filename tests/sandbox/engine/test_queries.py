"""SELECT: names, joins, APPLY, grouping, order, set operations, windows."""

from __future__ import annotations

import pytest

from tests.sandbox.engine.client import Client


@pytest.fixture(scope="module")
def tables(shared: Client) -> Client:
    shared.do(
        "CREATE TABLE a (id int PRIMARY KEY, name varchar(10), boss int NULL)",
        "CREATE TABLE b (id int, x int)",
        "INSERT a VALUES (1, 'ann', NULL), (2, 'bob', 1), (3, 'cid', 1)",
        "INSERT b VALUES (1, 10), (1, 11), (2, 20), (9, 90)",
    )
    return shared


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT a.id, b.x FROM a JOIN b ON b.id = a.id ORDER BY b.x", [(1, 10), (1, 11), (2, 20)]),
        ("SELECT a.id, b.x FROM a LEFT JOIN b ON b.id = a.id WHERE b.x IS NULL", [(3, None)]),
        ("SELECT a.id, b.id FROM a RIGHT JOIN b ON b.id = a.id WHERE a.id IS NULL", [(None, 9)]),
        ("SELECT COUNT(*) FROM a FULL OUTER JOIN b ON b.id = a.id", [(5,)]),
        ("SELECT COUNT(*) FROM a CROSS JOIN b", [(12,)]),
        ("SELECT COUNT(*) FROM a, b WHERE a.id = b.id", [(3,)]),
        ("SELECT e.name, m.name FROM a e JOIN a m ON m.id = e.boss ORDER BY e.id", [("bob", "ann"), ("cid", "ann")]),
        (
            "SELECT a.id, y.x FROM a CROSS APPLY (SELECT TOP (1) x FROM b WHERE b.id = a.id ORDER BY x DESC) AS y ORDER BY 1",
            [(1, 11), (2, 20)],
        ),
        (
            "SELECT a.id, y.x FROM a OUTER APPLY (SELECT MAX(x) AS x FROM b WHERE b.id = a.id) AS y ORDER BY 1",
            [(1, 11), (2, 20), (3, None)],
        ),
        (
            "SELECT v.t FROM a CROSS APPLY (VALUES (a.name), (CONCAT(a.id, '!'))) AS v(t) WHERE a.id = 2 ORDER BY LEN(v.t)",
            [("2!",), ("bob",)],
        ),
        ("SELECT id FROM a WHERE id IN (SELECT id FROM b) ORDER BY id DESC", [(2,), (1,)]),
        ("SELECT id FROM a WHERE id NOT IN (SELECT id FROM b)", [(3,)]),
        ("SELECT id FROM a WHERE NOT EXISTS (SELECT * FROM b WHERE b.id = a.id)", [(3,)]),
        ("SELECT id, (SELECT SUM(x) FROM b WHERE b.id = a.id) AS s FROM a ORDER BY id", [(1, 21), (2, 20), (3, None)]),
        ("SELECT id, SUM(x) AS s FROM b GROUP BY id HAVING COUNT(*) > 1", [(1, 21)]),
        ("SELECT id % 2 AS odd, COUNT(*) FROM b GROUP BY id % 2 ORDER BY odd", [(0, 1), (1, 3)]),
        ("SELECT MAX(x) + 1 FROM b", [(91,)]),
        ("SELECT TOP 2 x FROM b ORDER BY x DESC", [(90,), (20,)]),
        ("SELECT x FROM b ORDER BY x OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [(11,), (20,)]),
        (
            "WITH c AS (SELECT id, x FROM b WHERE x > 10), d(k) AS (SELECT id FROM c) SELECT k FROM d ORDER BY k",
            [(1,), (2,), (9,)],
        ),
        ("SELECT 1 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 ORDER BY n DESC", [(2,), (1,), (1,)]),
        ("SELECT id FROM a UNION SELECT id FROM b ORDER BY id", [(1,), (2,), (3,), (9,)]),
        ("SELECT id FROM b EXCEPT SELECT id FROM a", [(9,)]),
        ("SELECT id FROM b INTERSECT SELECT id FROM a ORDER BY id", [(1,), (2,)]),
        (
            "SELECT x, ROW_NUMBER() OVER (PARTITION BY id ORDER BY x DESC) AS n FROM b ORDER BY id, n",
            [(11, 1), (10, 2), (20, 1), (90, 1)],
        ),
        (
            "SELECT x, LEAD(x) OVER (ORDER BY x), LAG(x, 1, 0) OVER (ORDER BY x) FROM b ORDER BY x",
            [(10, 11, 0), (11, 20, 10), (20, 90, 11), (90, None, 20)],
        ),
        ("SELECT id, SUM(x) OVER (PARTITION BY id) FROM b WHERE id = 1", [(1, 21), (1, 21)]),
        ("SELECT q.n FROM (SELECT COUNT(*) AS n FROM a) AS q", [(3,)]),
        ("SELECT s.n FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM a) AS s WHERE s.n > 2", [(3,)]),
        ("SELECT id FROM a WHERE boss IS NOT NULL AND NOT (id = 2 OR name LIKE 'x%')", [(3,)]),
        ("SELECT id FROM a WHERE boss <> 1", []),
        ("SELECT COUNT(boss), COUNT(*) FROM a", [(2, 3)]),
        ("SELECT [n] = COUNT(*) FROM dbo.a OPTION (RECOMPILE, MAXDOP 1)", [(3,)]),
        ("SELECT master.dbo.a.id FROM master.dbo.a WHERE dbo.a.id = 1", [(1,)]),
        ("SELECT 1 WHERE EXISTS (SELECT a.id, a.boss FROM a WHERE a.id = 1 EXCEPT SELECT 1, 2)", [(1,)]),
    ],
)
def test_a_query_answers_as_sql_server_does(tables: Client, query: str, rows: list[tuple[object, ...]]) -> None:
    assert tables.rows(query) == rows


@pytest.mark.parametrize(
    ("query", "number", "words"),
    [
        ("SELECT nope FROM a", 207, "Invalid column name 'nope'."),
        ("SELECT a.nope FROM a", 207, "Invalid column name 'nope'."),
        ("SELECT x.id FROM a", 4104, 'The multi-part identifier "x.id" could not be bound.'),
        ("SELECT id FROM a, b", 209, "Ambiguous column name 'id'."),
        ("SELECT * FROM nope.t", 208, "Invalid object name 'nope.t'."),
        (
            "SELECT x, SUM(id) FROM b",
            8120,
            "Column 'x' is invalid in the select list because it is not contained in either",
        ),
        ("SELECT id FROM a WHERE COUNT(*) > 1", 147, "An aggregate may not appear in the WHERE clause"),
        (
            "SELECT SUM(COUNT(*)) FROM a",
            130,
            "Cannot perform an aggregate function on an expression containing an aggregate",
        ),
        ("SELECT (SELECT id FROM a)", 512, "Subquery returned more than 1 value."),
        ("SELECT (SELECT id, name FROM a)", 116, "Only one expression can be specified"),
        ("SELECT * FROM (SELECT id FROM a ORDER BY id) AS q", 1033, "The ORDER BY clause is invalid in views"),
        ("SELECT * FROM (SELECT id + 1 FROM a) AS q", 8155, "No column name was specified for column 1 of 'q'."),
        ("SELECT 1 UNION SELECT 1, 2", 205, "All queries combined using a UNION"),
        ("SELECT id FROM a ORDER BY 2", 108, "The ORDER BY position number 2 is out of range"),
        (
            "SELECT ROW_NUMBER() OVER (PARTITION BY id) FROM a",
            4112,
            "The function 'row_number' must have an OVER clause with ORDER BY.",
        ),
        ("SELECT 1 FROM a WHERE ROW_NUMBER() OVER (ORDER BY id) = 1", 4108, "Windowed functions can only appear"),
        ("SELECT *", 263, "Must specify table to select from."),
        (
            "SELECT * FROM a JOIN a ON 1 = 1",
            1013,
            'The objects "a" and "a" in the FROM clause have the same exposed names.',
        ),
        ("SELECT nosuch(1)", 195, "'nosuch' is not a recognized built-in function name."),
        ("SELECT LEN('a', 'b')", 174, "The len function requires 1 argument(s)."),
        ("SELECT @x", 137, 'Must declare the scalar variable "@x".'),
        ("SELECT FROM a", 156, "Incorrect syntax near the keyword 'FROM'."),
        ("SELECT 1 +", 102, "Incorrect syntax near '+'."),
        (
            "SELECT id FROM a WHERE id",
            4145,
            "An expression of non-boolean type specified in a context where a condition is expected",
        ),
        ("SELECT 'open", 105, "Unclosed quotation mark after the character string 'open'."),
        ("SELECT 1 /* open", 113, "Missing end comment mark '*/'."),
        ("SELECT id FROM a LIMIT 1", 102, "Incorrect syntax near '1'."),
        (
            "SELECT * FROM a.b.c.d.e",
            117,
            "The object name 'a.b.c.d.e' contains more than the maximum number of prefixes.",
        ),
        ("SELECT [" + "x" * 129 + "] FROM a", 103, "The identifier that starts with"),
    ],
)
def test_a_wrong_query_raises_sql_servers_number_and_words(tables: Client, query: str, number: int, words: str) -> None:
    error = tables.error(query)
    assert (error.number, error.message[: len(words)]) == (number, words)


def test_columns_carry_names_types_and_nullability(tables: Client) -> None:
    columns = tables.run("SELECT id, name AS n, id + 1, a.boss FROM a").columns[0]
    assert [(c.name, c.type.name, c.nullable) for c in columns] == [
        ("id", "int", False),
        ("n", "varchar", True),
        ("", "int", False),
        ("boss", "int", True),
    ]


def test_an_outer_join_makes_columns_nullable(tables: Client) -> None:
    columns = tables.run("SELECT a.id, b.id FROM b LEFT JOIN a ON a.id = b.id").columns[0]
    assert [c.nullable for c in columns] == [True, True]


def test_strange_names_survive(client: Client) -> None:
    client.do(
        'CREATE TABLE [we ird]]"\'] ([a b] int, [select] int, "x""y" int, [Ünï] int)',
        "INSERT [we ird]]\"'] VALUES (1, 2, 3, 4)",
    )
    assert client.rows('SELECT [A B], [select], [x"y], Ünï FROM [we ird]]"\']') == [(1, 2, 3, 4)]


def test_nul_and_quotes_in_text_survive(client: Client) -> None:
    assert client.value("N'it''s' + NULLIF(N'a', N'b')") == "it'sa"
    assert client.value("CAST(0x61006200 AS nvarchar(4))") == "ab"
    assert client.value("CAST(0x610000006200 AS nvarchar(4))") == "a\0b"


def test_null_is_lowest_in_order(client: Client) -> None:
    assert client.rows("SELECT x FROM (VALUES (2), (NULL), (1)) AS v(x) ORDER BY x") == [(None,), (1,), (2,)]
    assert client.rows("SELECT x FROM (VALUES (2), (NULL), (1)) AS v(x) ORDER BY x DESC") == [(2,), (1,), (None,)]


def test_uniqueidentifier_sorts_by_its_last_group_first(client: Client) -> None:
    low, high = "FFFFFFFF-FFFF-FFFF-FFFF-000000000001", "00000000-0000-0000-0000-000000000002"
    rows = f"(VALUES (CAST('{high}' AS uniqueidentifier)), (CAST('{low}' AS uniqueidentifier))) AS v(g)"
    assert client.rows(f"SELECT g FROM {rows} ORDER BY g") == [(low,), (high,)]

"""INSERT, UPDATE, DELETE, TRUNCATE: checks before changes, defaults, identity, rowversion."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sqlserver_sandbox.model import SqlType
from tests.sandbox.engine.client import Client, parameter


@pytest.fixture
def table(client: Client) -> Client:
    client.do(
        "CREATE TABLE dbo.t (id int IDENTITY(10, 5) NOT NULL CONSTRAINT pk PRIMARY KEY, name nvarchar(5) NOT NULL,"
        " amount decimal(8,2) NULL DEFAULT 1.5, code char(3) NULL, rv rowversion, CONSTRAINT uq UNIQUE (name, amount))",
        "INSERT dbo.t (name, amount, code) VALUES (N'a', 1, 'x'), (N'b', 2, NULL)",
    )
    return client


def test_identity_default_padding_and_rowversion_fill_themselves(table: Client) -> None:
    table.do("INSERT t (name, code) VALUES (N'c', 'yy')", "INSERT t (name, amount) VALUES (N'd', DEFAULT)")
    rows = table.rows("SELECT id, name, amount, code FROM t ORDER BY id")
    assert rows[0] == (10, "a", Decimal("1.00"), "x  ")
    assert rows[2:] == [(20, "c", Decimal("1.50"), "yy "), (25, "d", Decimal("1.50"), None)]
    versions = [r[0] for r in table.rows("SELECT rv FROM t ORDER BY id")]
    assert versions == sorted(set(versions))
    assert table.value("@@DBTS") == versions[-1]
    assert int.from_bytes(table.value("MIN_ACTIVE_ROWVERSION()"), "big") == int.from_bytes(versions[-1], "big") + 1


def test_an_update_gives_the_changed_rows_a_new_rowversion(table: Client) -> None:
    before = dict(table.rows("SELECT name, rv FROM t"))
    assert table.run("UPDATE t SET amount = amount + 1 WHERE name = N'A'").counts == [1]
    after = dict(table.rows("SELECT name, rv FROM t"))
    assert after["a"] > before["b"]
    assert after["b"] == before["b"]
    assert table.value("amount FROM t WHERE name = N'a'") == Decimal("2.00")


@pytest.mark.parametrize(
    ("statement", "number", "words"),
    [
        (
            "INSERT t (name) VALUES (NULL)",
            515,
            "Cannot insert the value NULL into column 'name', table 'master.dbo.t'; column does not allow nulls. INSERT fails.",
        ),
        (
            "UPDATE t SET name = NULL",
            515,
            "Cannot insert the value NULL into column 'name', table 'master.dbo.t'; column does not allow nulls. UPDATE fails.",
        ),
        (
            "INSERT t (name) VALUES (N'toolong')",
            2628,
            "String or binary data would be truncated in table 'master.dbo.t', column 'name'. Truncated value: 'toolo'.",
        ),
        (
            "INSERT t (name, amount) VALUES (N'A', 1)",
            2627,
            "Violation of UNIQUE KEY constraint 'uq'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (A, 1.00).",
        ),
        ("INSERT t (name, amount) VALUES (N'z', 1), (N'Z ', 1)", 2627, "Violation of UNIQUE KEY constraint 'uq'."),
        ("UPDATE t SET name = N'a', amount = 1", 2627, "Violation of UNIQUE KEY constraint 'uq'."),
        (
            "INSERT t (id, name) VALUES (1, N'z')",
            544,
            "Cannot insert explicit value for identity column in table 't' when IDENTITY_INSERT is set to OFF.",
        ),
        ("UPDATE t SET id = 1", 8102, "Cannot update identity column 'id'."),
        ("UPDATE t SET rv = 0x01", 272, "Cannot update a timestamp column."),
        ("INSERT t (name, rv) VALUES (N'z', 0x01)", 273, "Cannot insert an explicit value into a timestamp column."),
        (
            "INSERT t (name, amount) VALUES (N'z')",
            109,
            "There are more columns in the INSERT statement than values specified in the VALUES clause.",
        ),
        (
            "INSERT t (name) VALUES (N'z', 1)",
            110,
            "There are fewer columns in the INSERT statement than values specified in the VALUES clause.",
        ),
        ("INSERT t VALUES (N'z')", 213, "Column name or number of supplied values does not match table definition."),
        ("INSERT t (name, name) VALUES (N'z', N'y')", 264, "The column name 'name' is specified more than once"),
        ("INSERT t (nope) VALUES (1)", 207, "Invalid column name 'nope'."),
        ("INSERT nope VALUES (1)", 208, "Invalid object name 'nope'."),
        ("INSERT t (name, amount) VALUES (N'z', 10000000)", 8115, "Arithmetic overflow error converting"),
        ("INSERT t (name, amount) VALUES (N'z', 'x')", 8114, "Error converting data type varchar to numeric."),
        ("INSERT sys.tables (name) VALUES (N'x')", 259, "Ad hoc updates to system catalogs are not allowed."),
    ],
)
def test_a_refused_change_changes_nothing(table: Client, statement: str, number: int, words: str) -> None:
    before = table.rows("SELECT * FROM t ORDER BY id")
    error = table.error(statement)
    assert (error.number, error.message[: len(words)]) == (number, words)
    assert table.rows("SELECT * FROM t ORDER BY id") == before


def test_blanks_at_the_end_may_be_cut(table: Client) -> None:
    table.do("INSERT t (name, code) VALUES (N'abc      ', 'k     ')")
    assert table.rows("SELECT name, code FROM t WHERE code = 'k'") == [("abc  ", "k  ")]


def test_null_counts_as_a_value_in_a_unique_key(client: Client) -> None:
    client.do("CREATE TABLE u (a int NULL UNIQUE)", "INSERT u VALUES (NULL)")
    assert client.number("INSERT u VALUES (NULL)") == 2627


def test_a_unique_index_has_its_own_number(client: Client) -> None:
    client.do("CREATE TABLE u (a int)", "CREATE UNIQUE INDEX ix ON u(a)", "INSERT u VALUES (1)")
    error = client.error("INSERT u VALUES (1)")
    assert error.number == 2601
    assert (
        error.message
        == "Cannot insert duplicate key row in object 'dbo.u' with unique index 'ix'. The duplicate key value is (1)."
    )
    client.do("INSERT u VALUES (2)")
    client.do("UPDATE u SET a = 3 - a")
    assert client.rows("SELECT a FROM u ORDER BY a") == [(1,), (2,)]
    assert client.number("CREATE UNIQUE INDEX ix ON u(a)") == 1913
    client.do("CREATE TABLE d (a int)", "INSERT d VALUES (1), (1)")
    assert client.number("CREATE UNIQUE INDEX ix ON d(a)") == 1505


def test_insert_select_and_parameters(table: Client) -> None:
    table.do("CREATE TABLE copy (name nvarchar(5), amount money)")
    assert table.run("INSERT INTO copy (name, amount) SELECT name, amount * 2 FROM t WHERE amount > 1").counts == [1]
    table.do(
        "INSERT copy VALUES (@p1, @p2)",
        p1=parameter("p", SqlType("nvarchar", 4000)),
        p2=parameter(Decimal("1.25"), SqlType("numeric", precision=3, scale=2)),
    )
    assert table.rows("SELECT name, amount FROM copy ORDER BY name") == [
        ("b", Decimal("4.0000")),
        ("p", Decimal("1.2500")),
    ]


def test_a_later_row_with_an_error_takes_the_earlier_ones_with_it(client: Client) -> None:
    client.do("CREATE TABLE s (a int NOT NULL, b varchar(5))")
    assert client.number("INSERT s VALUES (1, 'a'), (NULL, 'b')") == 515
    assert client.number("INSERT s SELECT n, t FROM (VALUES (1, 'ok'), (2, 'too long')) AS v(n, t)") == 2628
    assert client.value("COUNT(*) FROM s") == 0


def test_update_and_delete_from_joins(table: Client) -> None:
    table.do("CREATE TABLE news (name nvarchar(5), amount int)", "INSERT news VALUES (N'A', 70), (N'x', 1)")
    assert table.run("UPDATE x SET amount = n.amount FROM dbo.t AS x JOIN news AS n ON n.name = x.name").counts == [1]
    assert table.value("amount FROM t WHERE name = N'a'") == Decimal("70.00")
    assert table.run("UPDATE t SET amount = 5 FROM t JOIN news ON news.name = t.name").counts == [1]
    assert table.run("DELETE x FROM t x LEFT JOIN news n ON n.name = x.name WHERE n.name IS NULL").counts == [1]
    assert table.rows("SELECT name FROM t") == [("a",)]
    assert table.run("DELETE FROM t WHERE EXISTS (SELECT 1 FROM news WHERE news.name = t.name)").counts == [1]


def test_an_update_that_gives_one_row_two_values_is_refused(table: Client) -> None:
    table.do("CREATE TABLE news (name nvarchar(5), amount int)", "INSERT news VALUES (N'a', 1), (N'a', 2)")
    assert table.number("UPDATE x SET amount = n.amount FROM t AS x JOIN news AS n ON n.name = x.name") == 40517


def test_truncate_starts_identity_again_and_delete_does_not(table: Client) -> None:
    table.do("DELETE t", "INSERT t (name) VALUES (N'a')")
    assert table.value("id FROM t") == 20
    assert table.run("TRUNCATE TABLE t").counts == [None]
    table.do("INSERT t (name) VALUES (N'a')")
    assert table.value("id FROM t") == 10
    assert table.value("@@IDENTITY") == 10


def test_more_than_a_thousand_rows_of_values_are_an_error(client: Client) -> None:
    client.do("CREATE TABLE many (a int)")
    client.do("INSERT many VALUES " + ", ".join(f"({i})" for i in range(1000)))
    assert client.value("SUM(a) FROM many") == 499500
    assert client.number("INSERT many VALUES " + ", ".join(f"({i})" for i in range(1001))) == 10738


def test_insert_default_values(client: Client) -> None:
    client.do(
        "CREATE TABLE d (id int IDENTITY, a int DEFAULT 7, at datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), g uniqueidentifier DEFAULT NEWID())"
    )
    client.do("INSERT d DEFAULT VALUES", "INSERT d (a) VALUES (1), (DEFAULT)")
    assert client.rows("SELECT id, a FROM d ORDER BY id") == [(1, 7), (2, 1), (3, 7)]
    assert client.value("COUNT(DISTINCT g) FROM d") == 3
    assert client.holds(
        "(SELECT MAX(ABS_) FROM (SELECT DATEDIFF(second, at, SYSUTCDATETIME()) AS ABS_ FROM d) AS x) < 60"
    )


def test_nocount_leaves_the_counts_out(table: Client) -> None:
    assert table.run("SET NOCOUNT ON; DELETE t WHERE name = N'a'; SELECT @@ROWCOUNT").counts == [None, None]


def test_a_filtered_unique_index_counts_only_the_rows_it_holds(client: Client) -> None:
    client.do(
        "CREATE TABLE h (bk int NOT NULL, n int NOT NULL, latest bit NOT NULL)",
        "INSERT h VALUES (1, 1, 0), (1, 2, 1)",
        "CREATE UNIQUE INDEX ux ON h (bk) WHERE latest = 1",
        "INSERT h VALUES (1, 3, 0), (2, 1, 1)",
    )
    assert client.number("INSERT h VALUES (1, 4, 1)") == 2601
    assert client.number("UPDATE h SET latest = 1 WHERE n = 3") == 2601
    client.do("UPDATE h SET latest = 0 WHERE n = 2", "UPDATE h SET latest = 1 WHERE n = 3")
    assert client.rows("SELECT n FROM h WHERE latest = 1 ORDER BY bk") == [(3,), (1,)]
    client.do("UPDATE h SET latest = 1 - latest WHERE bk = 2", "DROP INDEX ux ON h", "UPDATE h SET latest = 1")
    assert client.number("CREATE UNIQUE INDEX ux ON h (bk) WHERE latest = 1") == 1505


def test_checks_and_foreign_keys_hold_for_insert_update_and_delete(client: Client) -> None:
    client.do(
        "CREATE TABLE parent (k int NOT NULL PRIMARY KEY)",
        "CREATE TABLE child (n int NOT NULL, k int NULL CONSTRAINT fk REFERENCES parent, CONSTRAINT ck CHECK (n > 0 AND n < 10))",
        "INSERT parent VALUES (1), (2)",
        "INSERT child VALUES (1, 1), (2, NULL)",
    )
    for statement in (
        "INSERT child VALUES (3, 1), (10, 1)",
        "UPDATE child SET n = n - 1",
        "INSERT child VALUES (3, 5)",
        "UPDATE child SET k = 5 WHERE n = 2",
        "DELETE parent WHERE k = 1",
        "UPDATE parent SET k = 7 WHERE k = 1",
        "ALTER TABLE child ADD CONSTRAINT more CHECK (k IS NOT NULL)",
    ):
        assert client.number(statement) == 547, statement
    client.do("UPDATE child SET k = 2", "DELETE parent WHERE k = 1", "UPDATE parent SET k = 2 WHERE k = 2")
    assert client.rows("SELECT n, k FROM child ORDER BY n") == [(1, 2), (2, 2)]
    client.do("ALTER TABLE child NOCHECK CONSTRAINT ALL", "INSERT child VALUES (99, 99)")
    assert client.number("ALTER TABLE child WITH CHECK CHECK CONSTRAINT ck") == 547
    client.do("ALTER TABLE child DROP CONSTRAINT ck")
    assert client.rows("SELECT name, is_disabled, is_not_trusted FROM sys.foreign_keys") == [("fk", True, True)]

"""ALTER TABLE … ALTER COLUMN, and what forbids it (ALTER TABLE docs: ALTER COLUMN)."""

from __future__ import annotations

import pytest

from tests.sandbox.engine.client import Client


def types(client: Client, table: str = "t") -> list[tuple[object, ...]]:
    return client.rows(
        "SELECT c.name, y.name, c.max_length, c.precision, c.is_nullable FROM sys.columns AS c JOIN sys.types AS y "
        f"ON y.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID('{table}') ORDER BY c.column_id"
    )


def test_a_column_gets_wider_and_its_rows_stay(client: Client) -> None:
    client.do(
        "CREATE TABLE t (a int NOT NULL, b decimal(9,2) NULL, c nvarchar(5) NULL)",
        "INSERT t VALUES (1, 2.50, N'x'), (2, NULL, NULL)",
        "ALTER TABLE t ALTER COLUMN a bigint NOT NULL",
        "ALTER TABLE t ALTER COLUMN b decimal(18,4)",
        "ALTER TABLE t ALTER COLUMN c nvarchar(50) NULL",
        "INSERT t VALUES (3000000000, 1.0001, N'longer than five')",
    )
    assert types(client) == [
        ("a", "bigint", 8, 19, False),
        ("b", "decimal", 9, 18, True),
        ("c", "nvarchar", 100, 0, True),
    ]
    assert client.rows("SELECT a, c FROM t ORDER BY a") == [(1, "x"), (2, None), (3000000000, "longer than five")]


def test_it_is_undone_with_its_transaction(client: Client) -> None:
    client.do("CREATE TABLE t (a int NOT NULL)", "INSERT t VALUES (1)")
    client.do("BEGIN TRANSACTION", "ALTER TABLE t ALTER COLUMN a bigint NOT NULL", "ROLLBACK")
    assert types(client) == [("a", "int", 4, 10, False)]
    assert client.rows("SELECT a FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("definition", "change", "named"),
    [
        (
            "a int NOT NULL CONSTRAINT pk PRIMARY KEY",
            "a bigint NOT NULL",
            "The object 'pk' is dependent on column 'a'.",
        ),
        ("a int NOT NULL CONSTRAINT pk PRIMARY KEY", "a int NULL", "The object 'pk' is dependent on column 'a'."),
        ("a nvarchar(5) NOT NULL CONSTRAINT pk PRIMARY KEY", "a nvarchar(9) NOT NULL", "The object 'pk' is"),
        ("a int NULL CONSTRAINT uq UNIQUE", "a bigint NULL", "The object 'uq' is dependent on column 'a'."),
        ("a int NULL INDEX", "a bigint NULL", "The index 'ix' is dependent on column 'a'."),
        ("a int NULL CONSTRAINT ck CHECK (a > 0)", "a bigint NULL", "The object 'ck' is dependent on column 'a'."),
        ("a int NULL CONSTRAINT df DEFAULT 1", "a bigint NULL", "The object 'df' is dependent on column 'a'."),
        ("a int NOT NULL, b AS (a + 1)", "a bigint NOT NULL", "The column 'b' is dependent on column 'a'."),
        ("a int NULL CONSTRAINT fk REFERENCES parent (k)", "a bigint NULL", "The object 'fk' is dependent on"),
        ("a int NOT NULL CONSTRAINT uq UNIQUE", "a int NULL", "The object 'uq' is dependent on column 'a'."),
        ("a int NOT NULL CONSTRAINT ck CHECK (a > 0)", "a int NULL", "The object 'ck' is dependent on column 'a'."),
        ("a int NOT NULL, b AS (a + 1)", "a int NULL", "The column 'b' is dependent on column 'a'."),
        ("a int NOT NULL CONSTRAINT fk REFERENCES parent (k)", "a int NULL", "The object 'fk' is dependent on"),
    ],
)
def test_what_depends_on_the_column_forbids_it(client: Client, definition: str, change: str, named: str) -> None:
    client.do("CREATE TABLE parent (k int NOT NULL PRIMARY KEY)")
    client.do(f"CREATE TABLE t ({definition.removesuffix(' INDEX')})")
    if definition.endswith("INDEX"):
        client.do("CREATE INDEX ix ON t(a)")
    before = types(client)
    first, last = client.run(f"ALTER TABLE t ALTER COLUMN {change}").errors
    assert (first.number, last.number) == (5074, 4922)
    assert first.message.startswith(named)
    assert last.message == "ALTER TABLE ALTER COLUMN a failed because one or more objects access this column."
    assert types(client) == before


def test_the_column_that_a_foreign_key_references_is_held(client: Client) -> None:
    client.do(
        "CREATE TABLE t (a int NOT NULL CONSTRAINT uq UNIQUE)",
        "CREATE TABLE child (a int NULL CONSTRAINT fk REFERENCES t (a))",
    )
    errors = client.run("ALTER TABLE t ALTER COLUMN a bigint NOT NULL").errors
    assert [error.number for error in errors] == [5074, 5074, 4922]


@pytest.mark.parametrize("what", ["CREATE INDEX ix ON t(a)", "ALTER TABLE t ADD CONSTRAINT ck CHECK (a <> 'x')"])
def test_text_may_get_longer_under_an_index_or_a_check(client: Client, what: str) -> None:
    client.do("CREATE TABLE t (a nvarchar(5) NULL)", what, "ALTER TABLE t ALTER COLUMN a nvarchar(9) NULL")
    assert types(client) == [("a", "nvarchar", 18, 0, True)]


@pytest.mark.parametrize(
    ("definition", "what"),
    [
        ("a int NOT NULL CONSTRAINT df DEFAULT 1", "CREATE INDEX ix ON t(a)"),
        ("a nvarchar(5) NOT NULL CONSTRAINT uq UNIQUE", "ALTER TABLE t ADD CONSTRAINT ck CHECK (a <> 'x')"),
    ],
)
def test_a_column_may_admit_null_under_an_index_and_text_under_constraints_too(
    client: Client, definition: str, what: str
) -> None:
    client.do(f"CREATE TABLE t ({definition})", what)
    declared = definition.split(" NOT NULL")[0]
    client.do(f"ALTER TABLE t ALTER COLUMN {declared} NULL", "INSERT t VALUES (NULL)")
    assert client.rows("SELECT a FROM t") == [(None,)]


def test_null_is_checked_and_identity_stays(client: Client) -> None:
    client.do("CREATE TABLE t (a int NULL, b int IDENTITY)", "INSERT t VALUES (NULL)")
    assert client.number("ALTER TABLE t ALTER COLUMN a int NOT NULL") == 515
    assert client.number("ALTER TABLE t ALTER COLUMN b bigint NULL") == 8147
    assert client.number("ALTER TABLE t ALTER COLUMN nope int") == 4924

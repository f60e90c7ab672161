"""Functions on text, bytes and the session."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from sqlserver_sandbox.model import SqlType
from tests.sandbox.engine.client import Client, parameter


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("LEN('ab  ')", 2),
        ("LEN(N'a😀')", 3),
        ("DATALENGTH('ab  ')", 4),
        ("DATALENGTH(N'ab')", 4),
        ("DATALENGTH(N'😀')", 4),
        ("DATALENGTH('é')", 1),
        ("DATALENGTH(0x0102)", 2),
        ("DATALENGTH(1)", 4),
        ("DATALENGTH(NULL)", None),
        ("LEFT('abc', 2) + RIGHT('abc', 1)", "abc"),
        ("SUBSTRING('abc', 0, 2)", "a"),
        ("SUBSTRING('abc', 2, 10)", "bc"),
        ("SUBSTRING(0x010203, 2, 5)", b"\x02\x03"),
        ("UPPER(N'äb') + LOWER('CD')", "ÄBcd"),
        ("'[' + LTRIM('  a ') + ']' + RTRIM(' b  ') + '|'", "[a ] b|"),
        ("REPLACE('a-b-c', '-', '')", "abc"),
        ("CONCAT('a', NULL, 1, 2.50)", "a12.50"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("QUOTENAME(CAST('" + "x" * 129 + "' AS nvarchar(200)))", None),
        ("ISNULL(CAST(NULL AS varchar(2)), 'abc')", "ab"),
        ("COALESCE(NULL, 1, 2)", 1),
        ("IIF(1 = 2, 'a', 'bc')", "bc"),
        ("NULLIF(1, 1)", None),
        ("'a' + NULL", None),
        ("HASHBYTES('MD5', 'a')", hashlib.md5(b"a", usedforsecurity=False).digest()),
        ("HASHBYTES('SHA1', 0x61)", hashlib.sha1(b"a", usedforsecurity=False).digest()),
        ("HASHBYTES('SHA2_256', N'aé😀')", hashlib.sha256("aé😀".encode("utf-16-le")).digest()),
        ("HASHBYTES('SHA2_256', 'é')", hashlib.sha256(b"\xe9").digest()),
        ("HASHBYTES('SHA2_512', '')", hashlib.sha512(b"").digest()),
        ("HASHBYTES('SHA2_256', CAST(NULL AS varchar(5)))", None),
    ],
)
def test_a_function_gives_what_sql_server_gives(shared: Client, expression: str, expected: object) -> None:
    assert shared.value(expression) == expected


def test_a_part_of_a_null_is_null(shared: Client) -> None:
    """Of a column: a literal NULL is folded before any row is read."""
    for part in ("LEFT(v, 1)", "RIGHT(v, 1)", "SUBSTRING(v, 2, 1)"):
        rows = shared.rows(f"SELECT {part} AS p FROM (VALUES ('ab'), (NULL)) AS x(v) ORDER BY p")
        assert rows[0] == (None,)


def test_hashing_a_column_is_hashing_each_value(shared: Client) -> None:
    texts = ["", "a", "é", "日本", "😀x", "a\0b", "ÿ"]
    declared = SqlType("nvarchar", 10)
    passed = {f"p{i}": parameter(t, declared) for i, t in enumerate(texts)}
    rows = ", ".join(f"({i}, @p{i})" for i in range(len(texts)))
    found = shared.rows(
        f"SELECT HASHBYTES('SHA2_256', v.t) FROM (VALUES {rows}, (99, NULL)) AS v(n, t) ORDER BY v.n", **passed
    )
    assert [r[0] for r in found] == [hashlib.sha256(t.encode("utf-16-le")).digest() for t in texts] + [None]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a' + N'b'", SqlType("nvarchar", 2, collation="SQL_Latin1_General_CP1_CI_AS")),
        ("CONCAT('ab', 1)", SqlType("varchar", 14, collation="SQL_Latin1_General_CP1_CI_AS")),
        ("LEFT('abc', 2)", SqlType("varchar", 2, collation="SQL_Latin1_General_CP1_CI_AS")),
        ("LEN('a')", SqlType("int")),
        ("LEN(CAST('a' AS varchar(max)))", SqlType("bigint")),
        ("DATALENGTH(CAST(N'a' AS nvarchar(max)))", SqlType("bigint")),
        ("HASHBYTES('SHA2_256', 'a')", SqlType("varbinary", 8000)),
        ("GETDATE()", SqlType("datetime")),
        ("SYSUTCDATETIME()", SqlType("datetime2", scale=7)),
        ("NEWID()", SqlType("uniqueidentifier")),
        ("CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END", SqlType("numeric", precision=11, scale=1)),
        ("COALESCE(CAST(1 AS tinyint), CAST(2 AS smallint))", SqlType("smallint")),
    ],
)
def test_a_function_has_the_type_sql_server_declares(shared: Client, expression: str, expected: SqlType) -> None:
    assert shared.type(expression) == expected


def test_long_text_is_cut_at_8000_bytes_unless_an_argument_is_max(shared: Client) -> None:
    piece = "CAST('" + "x" * 5000 + "' AS varchar(5000))"
    assert shared.value(f"DATALENGTH(CONCAT({piece}, {piece}))") == 8000
    assert shared.value(f"DATALENGTH({piece} + {piece})") == 8000
    assert shared.value(f"DATALENGTH(CONCAT(CAST('' AS varchar(max)), {piece}, {piece}))") == 10000
    assert shared.value(f"DATALENGTH(CONCAT(N'', {piece}))") == 8000


def test_the_session_answers_for_itself(client: Client) -> None:
    assert client.value("DB_NAME()") == "master"
    assert client.value("SCHEMA_NAME()") == "dbo"
    assert client.value("SUSER_SNAME()") == "sa"
    assert client.value("USER_NAME()") == "dbo"
    assert client.value("@@SPID") >= 51
    assert client.value("@@TRANCOUNT") == 0
    assert client.value("@@LOCK_TIMEOUT") == -1
    assert client.value("@@LANGUAGE") == "us_english"
    assert client.value("CONVERT(int, SERVERPROPERTY('EngineEdition'))") == 3
    assert client.value("DATABASEPROPERTYEX(DB_NAME(), 'Collation')") == "SQL_Latin1_General_CP1_CI_AS"
    assert client.value("HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK')") == 1
    assert "SQL Server" in client.value("@@VERSION")
    uuid.UUID(client.value("NEWID()"))


def test_rowcount_and_error_are_those_of_the_statement_before(client: Client) -> None:
    client.do("CREATE TABLE t (a int PRIMARY KEY)", "INSERT t VALUES (1), (2), (3)")
    assert client.value("@@ROWCOUNT") == 3
    client.run("INSERT t VALUES (1)")
    assert client.value("@@ERROR") == 2627
    assert client.value("@@ERROR") == 0
    client.rows("SELECT a FROM t WHERE a > 1")
    assert client.value("@@ROWCOUNT") == 2


def test_objects_are_found_by_quoted_names(client: Client) -> None:
    client.do("CREATE SCHEMA [a b]", "CREATE TABLE [a b].[t]]x] (a int CONSTRAINT [p k] PRIMARY KEY)")
    assert client.value("OBJECT_ID(N'[a b].[t]]x]')") == client.value("OBJECT_ID('master.[a b].[T]]X]', 'U')")
    assert client.value("OBJECT_ID('nothing')") is None
    assert client.value("OBJECT_ID(N'[a b].[t]]x]', 'V')") is None
    assert client.value("OBJECT_NAME(OBJECT_ID(N'[a b].[t]]x]'))") == "t]x"
    assert client.value("OBJECT_NAME(OBJECT_ID(N'[a b].[p k]', 'PK'))") == "p k"

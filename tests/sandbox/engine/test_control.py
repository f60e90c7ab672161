"""Variables, IF, EXEC, PRINT, RAISERROR, THROW, SET."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sandbox.engine.client import Client


def test_variables_keep_their_declared_type(client: Client) -> None:
    assert client.rows(
        "DECLARE @a varchar(3) = 'abcdef', @b decimal(5,1), @c int = 1; SET @b = 2.55; SET @c += 4; SELECT @a, @b, @c"
    ) == [("abc", Decimal("2.6"), 5)]


def test_select_assigns_the_last_row_or_nothing(client: Client) -> None:
    assert client.rows("DECLARE @a int = 7; SELECT @a = x FROM (VALUES (1), (2)) AS v(x) WHERE x > 5; SELECT @a") == [
        (7,)
    ]
    assert client.rows("DECLARE @a int, @b int; SELECT @a = 1, @b = x FROM (VALUES (3)) AS v(x); SELECT @a, @b") == [
        (1, 3)
    ]


def test_if_takes_one_branch(client: Client) -> None:
    batch = "IF {} BEGIN SELECT 'yes'; SELECT 'too' END ELSE SELECT 'no'"
    assert client.run(batch.format("1 = 1")).results == [[("yes",)], [("too",)]]
    assert client.run(batch.format("EXISTS (SELECT 1 WHERE 1 = 0)")).results == [[("no",)]]
    assert client.run(batch.format("NULL = 1")).results == [[("no",)]]
    assert client.run("IF 1 = 0 SELECT 1; SELECT 2").results == [[(2,)]]


def test_exec_runs_text_and_passes_parameters(client: Client) -> None:
    assert client.rows("EXEC ('SELECT 1 AS ' + 'x')") == [(1,)]
    assert client.rows("EXEC sp_executesql N'SELECT @a + @b', N'@a int, @b int', 1, @b = 2") == [(3,)]
    assert client.rows(
        "DECLARE @r int; EXEC sp_executesql N'SET @o = @i * 2', N'@i int, @o int OUTPUT', @i = 4, @o = @r OUTPUT; SELECT @r"
    ) == [(8,)]
    assert client.rows("DECLARE @s nvarchar(max) = N'SELECT DB_NAME()'; EXEC sp_executesql @s") == [("master",)]
    assert client.number("EXEC ('SELECT @a')") == 137
    assert client.number("EXEC sp_executesql N'SELECT @a', N'@a int'") == 8178
    assert client.number("EXEC nothing 1") == 2812


def test_set_options_of_an_inner_batch_end_with_it(client: Client) -> None:
    client.do("EXEC ('SET XACT_ABORT ON; USE master')")
    assert client.value("@@OPTIONS & 16384") == 0


def test_messages_reach_the_client(client: Client) -> None:
    assert [(i.number, i.text) for i in client.run("PRINT 'hello'; PRINT 1 + 1").infos] == [(0, "hello"), (0, "2")]
    info = client.run("RAISERROR('only this', 10, 3)").infos[0]
    assert (info.number, info.text, info.class_, info.state) == (50000, "only this", 10, 3)
    answer = client.run("RAISERROR(N'bad', 16, 2); SELECT 1")
    assert (answer.errors[0].number, answer.errors[0].class_, answer.errors[0].state, answer.results) == (
        50000,
        16,
        2,
        [[(1,)]],
    )
    answer = client.run("THROW 51000, N'stop', 5; SELECT 1")
    assert (answer.errors[0].number, answer.errors[0].message, answer.errors[0].state, answer.results) == (
        51000,
        "stop",
        5,
        [],
    )


def test_declared_twice_and_undeclared_are_errors(client: Client) -> None:
    assert client.number("DECLARE @a int; DECLARE @a int") == 134
    assert client.number("SET @nope = 1") == 137
    assert client.number("THROW") == 10704
    assert client.number("THROW 1, 'x', 1") == 35100


@pytest.mark.parametrize(
    "batch",
    [
        "SET ANSI_NULLS ON SET QUOTED_IDENTIFIER ON",
        "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF",
        "SET TEXTSIZE 2147483647",
        "SET DATEFORMAT mdy",
        "SET LANGUAGE us_english",
        "SET ROWCOUNT 0",
        "SET CURSOR_CLOSE_ON_COMMIT OFF",
        "SET LOCK_TIMEOUT 5000",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ],
)
def test_what_drivers_set_at_login_is_taken(client: Client, batch: str) -> None:
    client.do(batch)


def test_fmtonly_gives_columns_without_rows(client: Client) -> None:
    client.do("CREATE TABLE t (a int, b nvarchar(7))", "INSERT t VALUES (1, N'x')", "SET FMTONLY ON")
    answer = client.run("SELECT * FROM t")
    assert [c.name for c in answer.columns[0]] == ["a", "b"]
    assert answer.results == [[]]
    client.do("SET FMTONLY OFF")
    assert client.rows("SELECT a FROM t") == [(1,)]


def test_the_batch_of_mssql_pythons_bulk_copy_really_runs(client: Client) -> None:
    """But for SELECT @x = @x + …, which the wire answers as a whole."""
    client.do("CREATE TABLE dbo.target (a int, b varchar(5))")
    answer = client.run(
        "SELECT @@TRANCOUNT; DECLARE @object_id INT = OBJECT_ID(N'[dbo].[target]'); DECLARE @sql NVARCHAR(MAX); SET @sql = N'SELECT name';"
        " IF EXISTS (SELECT TOP 1 * FROM sys.all_columns WHERE [object_id] = OBJECT_ID('sys.all_columns') AND [name] = 'graph_type')"
        " SET @sql = @sql + N' FROM sys.all_columns WHERE object_id = @ObjId AND COALESCE([graph_type], 0) NOT IN (1, 3, 4, 6, 7)';"
        " EXEC sp_executesql @sql, N'@ObjId INT', @ObjId = @object_id; SET FMTONLY ON; EXEC(N'SELECT ' + N'a, b' + N' FROM [dbo].[target]');"
        " SET FMTONLY OFF; EXEC ..sp_tablecollations_100 N'[dbo].[target]'"
    )
    assert not answer.errors
    assert answer.results[:3] == [[(0,)], [("a",), ("b",)], []]
    assert [c.name for c in answer.columns[2]] == ["a", "b"]
    assert answer.results[3][1][3] == "SQL_Latin1_General_CP1_CI_AS"

"""What is not on the list is refused by name, and changes nothing."""

from __future__ import annotations

import pytest

from tests.sandbox.engine.client import Client

OFF_LIST = [
    "SELECT * FROM t WITH (NOLOCK)",
    "SELECT * FROM t WITH (READPAST)",
    "SELECT * FROM t WITH (HOLDLOCK)",
    "SELECT * FROM t (NOLOCK)",
    "SELECT a FROM t FOR JSON PATH",
    "SELECT a FROM t FOR XML AUTO",
    "SELECT a INTO x FROM t",
    "SELECT a FROM t FOR SYSTEM_TIME ALL",
    "SELECT a FROM t TABLESAMPLE (10 PERCENT)",
    "SELECT * FROM t PIVOT (SUM(a) FOR b IN ([x])) AS p",
    "SELECT TOP 10 PERCENT a FROM t",
    "SELECT TOP 1 WITH TIES a FROM t ORDER BY a",
    "SELECT a FROM t OPTION (HASH JOIN)",
    "SELECT a FROM t INNER HASH JOIN u ON 1 = 1",
    "SELECT a, SUM(a) FROM t GROUP BY ROLLUP (a)",
    "SELECT a FROM t GROUP BY a WITH CUBE",
    "SELECT SUM(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING) FROM t",
    "SELECT STRING_AGG(b, ',') FROM t",
    "SELECT STRING_AGG(b, ',') WITHIN GROUP (ORDER BY b) FROM t",
    "SELECT CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM t",
    "SELECT CHECKSUM(a) FROM t",
    "SELECT FORMAT(a, 'N') FROM t",
    "SELECT JSON_VALUE(b, '$.x') FROM t",
    "SELECT * FROM OPENJSON('[]')",
    "SELECT * FROM STRING_SPLIT('a,b', ',')",
    "SELECT * FROM OPENROWSET(BULK 'f', SINGLE_CLOB) AS x",
    "SELECT * FROM CHANGETABLE(CHANGES t, 0) AS c",
    "SELECT a FROM t WHERE a > ALL (SELECT 1)",
    "SELECT a FROM t WHERE CONTAINS(b, 'x')",
    "SELECT a FROM t WHERE a IS DISTINCT FROM 1",
    "SELECT * FROM #temp",
    "SELECT * FROM @tablevariable",
    "SELECT * FROM server1.db.dbo.t",
    "SELECT {d '2024-01-01'}",
    "SELECT dbo.f(1)",
    "WITH c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c",
    "WITH c AS (SELECT a FROM t) UPDATE c SET a = 1",
    "MERGE t USING u ON t.a = u.a WHEN MATCHED THEN DELETE;",
    "INSERT t OUTPUT inserted.a VALUES (1, 'x')",
    "INSERT TOP (1) t SELECT 1, 'x'",
    "INSERT t EXEC p",
    "UPDATE TOP (1) t SET a = 1",
    "UPDATE t SET @x = a = 1",
    "DELETE FROM t OUTPUT deleted.a",
    "DELETE t WHERE CURRENT OF c",
    "WHILE 1 = 1 SELECT 1",
    "IF NOT EXISTS (SELECT 1) CREATE VIEW v AS SELECT 1",
    "DECLARE @t TABLE (a int)",
    "DECLARE c CURSOR FOR SELECT 1",
    "CREATE VIEW v AS SELECT 1 AS a",
    "CREATE PROCEDURE p AS SELECT 1",
    "CREATE FUNCTION f() RETURNS int AS BEGIN RETURN 1 END",
    "CREATE TRIGGER g ON t AFTER INSERT AS SELECT 1",
    "CREATE SYNONYM s FOR t",
    "CREATE SEQUENCE s",
    "CREATE TYPE ty FROM int",
    "CREATE LOGIN l WITH PASSWORD = 'x', CHECK_POLICY = OFF",
    "CREATE TABLE #x (a int)",
    "CREATE TABLE x (a int, b AS GETDATE())",
    "CREATE TABLE x (a int, b AS a + 1 UNIQUE)",
    "ALTER TABLE t ADD c AS a + 1",
    "CREATE TABLE x (a int SPARSE)",
    "CREATE TABLE x (a sql_variant)",
    "CREATE TABLE x (a geography)",
    "CREATE TABLE x (a double precision)",
    "CREATE TABLE x (a int CHECK NOT FOR REPLICATION (a > 0))",
    "CREATE TABLE x (a int CHECK (a IN (SELECT a FROM t)))",
    "CREATE TABLE x (a int REFERENCES t(a) ON DELETE CASCADE)",
    "CREATE INDEX ix ON t(a) WITH (FILLFACTOR = 80)",
    "CREATE XML INDEX ix ON t(b)",
    "CREATE COLUMNSTORE INDEX ix ON t(a) ORDER (a)",
    "ALTER TABLE t ENABLE TRIGGER ALL",
    "ALTER TABLE t SET (LOCK_ESCALATION = AUTO)",
    "ALTER TABLE t CHECK CONSTRAINT ALL WITH NOWAIT",
    "UPDATE STATISTICS t WITH RESAMPLE ON PARTITIONS (1)",
    "SAVE TRANSACTION @name",
    "ALTER TABLE t ALTER COLUMN a date",
    "ALTER TABLE t ALTER COLUMN a ADD ROWGUIDCOL",
    "DROP VIEW v",
    "ALTER DATABASE master SET RECOVERY SIMPLE",
    "CREATE DATABASE x COLLATE French_CI_AS",
    "SET ANSI_NULLS OFF",
    "SET QUOTED_IDENTIFIER OFF",
    "SET CONCAT_NULL_YIELDS_NULL OFF",
    "SET NUMERIC_ROUNDABORT ON",
    "SET ROWCOUNT 5",
    "SET DATEFORMAT dmy",
    "SET LANGUAGE German",
    "SET STATISTICS IO ON",
    "SET SHOWPLAN_XML ON",
    "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "GRANT SELECT (a) ON t TO public",
    "GRANT IMPERSONATE ON t TO public",
    "CREATE LOGIN x FROM WINDOWS",
    "DBCC CHECKDB",
    "BACKUP DATABASE master TO DISK = 'x'",
    "WAITFOR DELAY '00:00:01'",
    "KILL 52",
    "BULK INSERT t FROM 'f'",
    "EXEC sp_rename 't', 'x'",
    "SELECT * FROM sys.sql_modules",
    "SELECT * FROM sys.dm_tran_locks",
    "SELECT value FROM sys.partition_range_values",
    "SELECT CAST(GETDATE() AS float)",
    "SELECT GETDATE() + 1",
    "SELECT CAST(1.5 AS varbinary(8))",
    "SELECT CAST('<a/>' AS xml).value('.', 'int')",
    "DECLARE @s nvarchar(max) = N''; SELECT @s = @s + b FROM t",
]


@pytest.fixture(scope="module")
def filled(shared: Client) -> Client:
    shared.do("CREATE TABLE t (a int, b varchar(5))", "CREATE TABLE u (a int)", "INSERT t VALUES (1, 'x'), (2, 'y')")
    return shared


@pytest.mark.parametrize("statement", OFF_LIST)
def test_a_statement_off_the_list_is_refused_before_it_does_anything(filled: Client, statement: str) -> None:
    client = filled
    names = client.rows("SELECT name FROM sys.objects ORDER BY object_id")
    error = client.error(statement)
    assert error.number == 40517 or (error.class_ == 15 and error.number in (102, 156)), error.message
    if error.number == 40517:
        assert error.message.startswith("not supported by the sandbox: ")
    assert client.rows("SELECT a, b FROM t ORDER BY a") == [(1, "x"), (2, "y")]
    assert client.rows("SELECT name FROM sys.objects ORDER BY object_id") == names


@pytest.mark.parametrize(
    ("statement", "near"),
    [
        ("SELEC 1, 2 FROM t", "FROM"),
        ("CREATE TABLE t (a int", "int"),
        ("INSERT t VALUES", "VALUES"),
        ("UPDATE t a = 1", "a"),
        ("DELETE FROM", "FROM"),
        ("SELECT 1 ORDER BY", "BY"),
        ("SELECT * FROM t WHERE a = = 1", "="),
        ("SELECT a b c FROM t", "c"),
        ("CREATE PARTITION FUNCTION pf int AS RANGE FOR VALUES (1)", "int"),
        ("ALTER PARTITION FUNCTION pf SPLIT RANGE (1)", "SPLIT"),
        ("COMMIT 5", "5"),
        ("SELECT a FROM t GO", None),
        (")", ")"),
    ],
)
def test_a_syntax_error_names_the_word(client: Client, statement: str, near: str | None) -> None:
    if near is None:
        client.do("CREATE TABLE t (a int)")
        assert client.rows(statement) == []  # GO is a client's word; here it is an alias
        return
    error = client.error(statement)
    assert error.number in (102, 156)
    assert f"'{near}'" in error.message


def test_a_batch_with_a_syntax_error_runs_nothing(client: Client) -> None:
    client.do("CREATE TABLE t (a int)")
    assert client.number("INSERT t VALUES (1); SELEC 1 FROM") in (102, 156)
    assert client.value("COUNT(*) FROM t") == 0


def test_an_error_knows_its_line(client: Client) -> None:
    assert client.error("SELECT 1\nSELECT nope\n").line == 2
    assert client.error("SELECT 1;\n\nFROM").line == 3

"""Databases, schemas, tables, indexes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sqlserver_sandbox.engine import DuckDbEngine
from sqlserver_sandbox.model import DatabaseChange
from tests.sandbox.engine.client import Client, fails
from tests.sandbox.engine.conftest import USERS


def test_a_database_is_made_used_and_dropped(client: Client, connect: Callable[..., Client]) -> None:
    client.do("CREATE DATABASE [Shop x]")
    answer = client.run("USE [shop X]")
    assert answer.others == [DatabaseChange("Shop x", "master")]
    assert answer.infos[0].number == 5701
    assert client.value("DB_NAME()") == "Shop x"
    client.do("CREATE TABLE t (a int)", "INSERT t VALUES (1)", "USE master")
    assert client.rows("SELECT a FROM [Shop x].dbo.t") == [(1,)]
    assert client.rows("SELECT a FROM [Shop x]..t") == [(1,)]
    assert client.number("SELECT a FROM t") == 208
    assert client.number("CREATE DATABASE [SHOP X]") == 1801
    other = connect("Shop x")
    assert client.number("DROP DATABASE [Shop x]") == 3702
    other.session.close()
    client.do("DROP DATABASE [Shop x]", "DROP DATABASE IF EXISTS [Shop x]")
    assert client.number("USE [Shop x]") == 911
    assert client.number("DROP DATABASE master") == 3708


def test_login_needs_the_password_and_a_database_that_is_there(engine: DuckDbEngine) -> None:
    def login(user: str, password: str, database: str = "") -> None:
        engine.login(user=user, password=password, database=database, application="", host="")

    login("SA", "Pass-w0rd")
    with fails(18456):
        login("sa", "pass-w0rd")
    with fails(18456):
        login("nobody", "Pass-w0rd")
    with fails(4060):
        login("sa", "Pass-w0rd", "nowhere")


def test_the_engine_never_shows_a_password(engine: DuckDbEngine) -> None:
    assert "Pass-w0rd" not in repr(engine)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    def open_client() -> tuple[DuckDbEngine, Client]:
        engine = DuckDbEngine(tmp_path, USERS)
        return engine, Client(engine.login(user="sa", password="Pass-w0rd", database="", application="", host=""))

    engine, client = open_client()
    client.do(
        "CREATE DATABASE d",
        "USE d",
        "CREATE SCHEMA s",
        "CREATE PARTITION FUNCTION pf (datetimeoffset(3)) AS RANGE RIGHT FOR VALUES ('2024-01-01 00:00 +02:00')",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE s.t (id int IDENTITY(5, 5), at datetimeoffset(3) DEFAULT '2024-06-01 00:00 +00:00', rv rowversion) ON ps(at)",
        "INSERT s.t DEFAULT VALUES",
    )
    last = client.value("@@DBTS")
    engine.close()
    engine, client = open_client()
    client.do("USE d", "INSERT s.t DEFAULT VALUES")
    assert client.rows("SELECT id, $PARTITION.pf(at) FROM s.t ORDER BY id") == [(5, 2), (10, 2)]
    assert client.value("rv FROM s.t WHERE id = 10") > last
    engine.close()


def test_schemas_hold_tables_of_the_same_name(client: Client) -> None:
    client.do("CREATE SCHEMA a", "CREATE TABLE a.t (x int)", "CREATE TABLE t (y int)", "INSERT a.t VALUES (1)")
    assert client.rows("SELECT x FROM A.T") == [(1,)]
    assert client.rows("SELECT y FROM dbo.t") == []
    assert client.number("CREATE SCHEMA A") == 2714
    assert client.number("DROP SCHEMA a") == 3729
    client.do("DROP TABLE a.t", "DROP SCHEMA a", "DROP SCHEMA IF EXISTS a")
    assert client.number("DROP SCHEMA a") == 15151
    assert client.number("CREATE TABLE nope.t (x int)") == 2760


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("CREATE TABLE t (a int)", 2714),
        ("CREATE TABLE x (a int, A int)", 2705),
        ("CREATE TABLE x (a nosuch)", 2715),
        ("CREATE TABLE x (a varchar(9000))", 131),
        ("CREATE TABLE x (a int IDENTITY, b int IDENTITY)", 2744),
        ("CREATE TABLE x (a varchar(5) IDENTITY)", 2749),
        ("CREATE TABLE x (a int NULL PRIMARY KEY)", 8111),
        ("CREATE TABLE x (a int PRIMARY KEY, b int PRIMARY KEY)", 8110),
        ("CREATE TABLE x (a rowversion, b rowversion)", 2738),
        ("CREATE TABLE x (a int CONSTRAINT pk_t PRIMARY KEY)", 2714),
        ("CREATE TABLE x (a int, PRIMARY KEY (b))", 1911),
        ("CREATE TABLE x (a varchar(max) PRIMARY KEY)", 1919),
        ("CREATE TABLE x (a int) ON nowhere", 1921),
        ("CREATE TABLE x (a int COLLATE Latin1_General_CI_AS)", 452),
        ("DROP TABLE nope", 3701),
        ("ALTER TABLE nope ADD a int", 4902),
        ("ALTER TABLE t ADD K int", 2705),
        ("ALTER TABLE t ADD n int NOT NULL", 4901),
        ("ALTER TABLE t DROP COLUMN nope", 4924),
        ("ALTER TABLE t DROP COLUMN k", 5074),
        ("ALTER TABLE t DROP CONSTRAINT nope", 3728),
        ("CREATE INDEX ix ON nope(a)", 1088),
        ("CREATE CLUSTERED INDEX ix ON t(v)", 1902),
        ("DROP INDEX nope ON t", 3701),
        ("DROP INDEX pk_t ON t", 3723),
        ("TRUNCATE TABLE nope", 208),
    ],
)
def test_a_wrong_definition_raises_sql_servers_number(client: Client, statement: str, number: int) -> None:
    client.do("CREATE TABLE t (k int CONSTRAINT pk_t PRIMARY KEY, v int)", "INSERT t VALUES (1, 1)")
    assert client.number(statement) == number


def test_columns_come_and_go(client: Client) -> None:
    client.do(
        "CREATE TABLE t (a int)",
        "INSERT t VALUES (1)",
        "ALTER TABLE t ADD b varchar(5) NULL, c int NOT NULL CONSTRAINT df DEFAULT 7",
    )
    assert client.rows("SELECT * FROM t") == [(1, None, 7)]
    client.do(
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t DROP CONSTRAINT df",
        "ALTER TABLE t DROP COLUMN c",
        "ALTER TABLE t ADD b date",
    )
    assert client.rows("SELECT * FROM t") == [(1, None)]
    client.do("ALTER TABLE t ADD CONSTRAINT uq UNIQUE (a)")
    assert client.number("INSERT t (a) VALUES (1)") == 2627


def test_every_declared_type_can_be_stored_and_selected(client: Client) -> None:
    types = [
        "bit",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "decimal(38,10)",
        "numeric(5,0)",
        "money",
        "smallmoney",
        "float",
        "real",
        "date",
        "time(3)",
        "datetime",
        "smalldatetime",
        "datetime2(5)",
        "datetimeoffset(0)",
        "char(3)",
        "varchar(8000)",
        "varchar(max)",
        "nchar(2)",
        "nvarchar(4000)",
        "nvarchar(max)",
        "text",
        "ntext",
        "xml",
        "binary(4)",
        "varbinary(10)",
        "varbinary(max)",
        "image",
        "uniqueidentifier",
        "rowversion",
        "sysname",
        "timestamp",
    ]
    for number, declared in enumerate(types):
        client.do(f"CREATE TABLE t{number} (x {declared} NULL, k int)")
        answer = client.run(f"SELECT x FROM t{number}")
        spelled = {"sysname": "nvarchar", "timestamp": "rowversion"}.get(declared, declared.partition("(")[0])
        assert answer.columns[0][0].type.name == spelled
        if spelled != "rowversion":
            client.do(f"INSERT t{number} (x, k) VALUES (NULL, 1)")
            assert client.rows(f"SELECT x, k FROM t{number}") == [(None, 1)]


def test_a_definition_can_be_rolled_back(client: Client) -> None:
    client.do("CREATE TABLE t (a int)", "BEGIN TRAN", "CREATE TABLE x (a int)", "ALTER TABLE t ADD b int", "ROLLBACK")
    assert client.number("SELECT * FROM x") == 208
    assert client.rows("SELECT * FROM t") == []
    assert client.number("SELECT b FROM t") == 207


def test_a_computed_column_follows_the_columns_it_mentions(client: Client) -> None:
    client.do(
        "CREATE TABLE c (twice AS (a * 2), a int NOT NULL, b varchar(5) NULL, joined AS CONCAT(a, '-', b) PERSISTED NOT NULL)",
        "INSERT c VALUES (1, 'x'), (2, NULL)",
        "INSERT c (a) VALUES (3)",
        "UPDATE c SET a = 10 WHERE a = 1",
        "UPDATE c SET b = 'z' WHERE a = 3",
    )
    assert client.rows("SELECT twice, a, b, joined FROM c ORDER BY a") == [
        (4, 2, None, "2-"),
        (6, 3, "z", "3-z"),
        (20, 10, "x", "10-x"),
    ]
    assert client.number("INSERT c (twice) VALUES (1)") == 271
    assert client.number("UPDATE c SET joined = 'a'") == 271
    assert client.number("ALTER TABLE c DROP COLUMN b") == 5074
    assert client.number("CREATE TABLE d (a int, b AS missing + 1)") == 207
    assert client.rows(
        "SELECT name, definition, is_persisted, is_nullable FROM sys.computed_columns ORDER BY name"
    ) == [
        ("joined", "(concat([a],'-',[b]))", True, False),
        ("twice", "([a]*(2))", False, False),
    ]


def test_nothing_is_made_in_a_read_only_filegroup(client: Client) -> None:
    """1924, also on a partition scheme of which one filegroup is read-only."""
    client.do(
        "ALTER DATABASE CURRENT ADD FILEGROUP cold",
        "ALTER DATABASE CURRENT ADD FILE (NAME = f, FILENAME = 'f.ndf') TO FILEGROUP cold",
        "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf TO (cold, [PRIMARY])",
        "CREATE TABLE t (k int NOT NULL) ON ps(k)",
        "ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_ONLY",
    )
    for statement in (
        "CREATE TABLE x (a int) ON cold",
        "CREATE TABLE x (a int) ON ps(a)",
        "CREATE INDEX ix ON t(k) ON ps(k)",
    ):
        assert client.number(statement) == 1924
    client.do("CREATE TABLE x (a int) ON [PRIMARY]", "ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_WRITE")
    client.do("CREATE TABLE y (a int) ON ps(a)")

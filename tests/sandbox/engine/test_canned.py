"""A tin answers only what was declared, only where it was declared, and only on a server that was told to allow it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import pyodbc
import pytest

from tests.support import canned_answers as canned
from tests.support.sandbox_server import SandboxServer

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    started = SandboxServer(tmp_path_factory.mktemp("canned"), arguments=["--allow-canned"])
    started.start()
    yield started
    assert started.stop() == 0


@pytest.fixture
def connection(server: SandboxServer) -> Iterator[pyodbc.Connection]:
    """A database of its own: tins belong to one."""
    name = f"tin{next(_numbers)}"
    with closing(pyodbc.connect(server.odbc(), autocommit=True)) as master:
        master.execute(f"CREATE DATABASE {name}")
    with closing(pyodbc.connect(server.odbc(database=name), autocommit=True)) as opened:
        yield opened


def test_a_declared_statement_gets_its_bytes(connection: pyodbc.Connection) -> None:
    cyrillic = canned.answer(
        "SELECT [x] FROM [dbo].[t]",
        {"x": canned.varchar(20, canned.CYRILLIC)},
        [canned.short("Привет".encode("cp1251"))],
        [canned.short(None)],
    )
    canned.put_up(connection, answers=[cyrillic])
    assert [row[0] for row in connection.execute("SELECT [x]\n  FROM [dbo].[t] ").fetchall()] == ["Привет", None]
    with pytest.raises(pyodbc.Error, match="208"):
        connection.execute("SELECT [x], 1 FROM [dbo].[t]")


def test_a_pattern_must_match_the_whole_statement(connection: pyodbc.Connection) -> None:
    canned.put_up(
        connection,
        answers=[
            canned.answer(
                r"SELECT COUNT.* FROM \[dbo\]\.\[t\]",
                {"n": canned.BIGINT},
                [canned.bigint(7)],
                is_pattern=True,
            )
        ],
    )
    assert connection.execute("SELECT COUNT_BIG(*) AS n FROM [dbo].[t]").fetchone()[0] == 7
    with pytest.raises(pyodbc.Error, match="208"):
        connection.execute("SELECT COUNT_BIG(*) AS n FROM [dbo].[t] WHERE 1 = 1")


def test_the_catalogue_shows_what_was_declared(connection: pyodbc.Connection) -> None:
    connection.execute("CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, x nvarchar(10) NULL)")
    canned.put_up(
        connection,
        columns={"dbo.t": {"x": {"is_masked": True}}},
        rows={"sys.types": [{"name": "json", "system_type_id": 244, "user_type_id": 244, "is_user_defined": False,
                             "is_assembly_type": False, "schema_id": 4, "max_length": -1, "precision": 0, "scale": 0,
                             "default_object_id": 0, "rule_object_id": 0, "is_table_type": False}]},
    )  # fmt: skip
    shown = connection.execute("SELECT name, is_masked FROM sys.columns WHERE object_id = OBJECT_ID('dbo.t')")
    assert {row[0]: row[1] for row in shown.fetchall()} == {"id": False, "x": True}
    assert connection.execute("SELECT user_type_id FROM sys.types WHERE name = 'json'").fetchone()[0] == 244
    connection.execute("EXEC sandbox_canned").fetchall()
    assert connection.execute("SELECT COUNT(*) FROM sys.columns WHERE is_masked = 1").fetchone()[0] == 0


def test_another_database_has_no_part_in_it(server: SandboxServer, connection: pyodbc.Connection) -> None:
    canned.put_up(
        connection,
        answers=[canned.answer("SELECT tinned", {"n": canned.INT}, [canned.integer(1)])],
    )
    assert connection.execute("SELECT tinned").fetchone()[0] == 1
    with (
        closing(pyodbc.connect(server.odbc(), autocommit=True)) as master,
        pytest.raises(pyodbc.Error, match="207"),
    ):
        master.execute("SELECT tinned")


@pytest.mark.parametrize(
    "tin", ["[]", '{"answer": []}', '{"answers": [{"statement": "SELECT 1", "columns": [], "rows": [["00"]]}]}', "{"]
)
def test_a_tin_that_cannot_be_meant_is_refused(connection: pyodbc.Connection, tin: str) -> None:
    with pytest.raises(pyodbc.Error, match="50100"):
        connection.execute("EXEC sandbox_canned ?", tin)


def test_a_server_that_was_not_told_to_does_not_know_the_procedure(sandbox: SandboxServer) -> None:
    with (
        closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as connection,
        pytest.raises(pyodbc.Error, match="2812"),
    ):
        connection.execute("EXEC sandbox_canned N'{}'")

"""docs/sandbox.md lists what the code accepts: no more, no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sqlserver_sandbox.engine.execution import options
from sqlserver_sandbox.engine.procedures.registry import PROCEDURES
from sqlserver_sandbox.engine.statements import registry
from sqlserver_sandbox.engine.sysviews.registry import VIEWS
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind import (
    aggregates,
    functions,
    functions_bytes,
    functions_dates,
    functions_general,
    functions_objects,
    functions_session,
    functions_system,
    functions_text,
    globals_,
)
from sqlserver_sandbox.tsql.collations import LISTED
from sqlserver_sandbox.tsql.parse import control, parse_batch
from sqlserver_sandbox.tsql.types import SYSTEM_TYPE_ID
from sqlserver_sandbox.tsql.values import datetimes
from sqlserver_sandbox.wire.collations import KNOWN

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"
STATEMENTS = {
    "SELECT": "SELECT 1",
    "INSERT": "INSERT t VALUES (1)",
    "UPDATE": "UPDATE t SET a = 1",
    "DELETE": "DELETE t",
    "TRUNCATE TABLE": "TRUNCATE TABLE t",
    "INSERT BULK": "INSERT BULK t (a int)",
    "CREATE DATABASE": "CREATE DATABASE d",
    "DROP DATABASE": "DROP DATABASE d",
    "ALTER DATABASE SET": "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON",
    "ALTER DATABASE ADD FILEGROUP": "ALTER DATABASE d ADD FILEGROUP g",
    "CREATE SCHEMA": "CREATE SCHEMA x",
    "DROP SCHEMA": "DROP SCHEMA x",
    "CREATE TABLE": "CREATE TABLE t (a int)",
    "DROP TABLE": "DROP TABLE IF EXISTS t",
    "ALTER TABLE ADD": "ALTER TABLE t ADD a int",
    "ALTER TABLE ALTER COLUMN": "ALTER TABLE t ALTER COLUMN a bigint NULL",
    "ALTER TABLE DROP": "ALTER TABLE t DROP COLUMN a",
    "ALTER TABLE SWITCH": "ALTER TABLE t SWITCH TO u",
    "ALTER TABLE CHECK": "ALTER TABLE t WITH CHECK CHECK CONSTRAINT ALL",
    "ALTER TABLE REBUILD": "ALTER TABLE t REBUILD WITH (DATA_COMPRESSION = PAGE)",
    "ALTER INDEX": "ALTER INDEX ALL ON t REBUILD",
    "UPDATE STATISTICS": "UPDATE STATISTICS t",
    "CREATE INDEX": "CREATE UNIQUE INDEX i ON t(a)",
    "DROP INDEX": "DROP INDEX i ON t",
    "CREATE PARTITION FUNCTION": "CREATE PARTITION FUNCTION f (int) AS RANGE LEFT FOR VALUES (1)",
    "CREATE PARTITION SCHEME": "CREATE PARTITION SCHEME p AS PARTITION f ALL TO ([PRIMARY])",
    "ALTER PARTITION FUNCTION": "ALTER PARTITION FUNCTION f() SPLIT RANGE (1)",
    "ALTER PARTITION SCHEME": "ALTER PARTITION SCHEME p NEXT USED [PRIMARY]",
    "DROP PARTITION": "DROP PARTITION SCHEME p",
    "USE": "USE d",
    "CREATE LOGIN": "CREATE LOGIN a WITH PASSWORD = 'b'",
    "CREATE USER": "CREATE USER a FOR LOGIN a",
    "DROP LOGIN": "DROP LOGIN a",
    "DROP USER": "DROP USER IF EXISTS a",
    "GRANT": "GRANT SELECT ON SCHEMA::x TO a",
    "DENY": "DENY INSERT, UPDATE ON OBJECT::x.t TO a",
    "REVOKE": "REVOKE CREATE TABLE FROM a",
    "SET option": "SET NOCOUNT ON",
    "SET TRANSACTION ISOLATION LEVEL": "SET TRANSACTION ISOLATION LEVEL SNAPSHOT",
    "DBCC CHECKIDENT": "DBCC CHECKIDENT ('t', RESEED)",
    "SET IDENTITY_INSERT": "SET IDENTITY_INSERT t ON",
    "BEGIN TRANSACTION": "BEGIN TRANSACTION",
    "SAVE TRANSACTION": "SAVE TRANSACTION s",
    "BEGIN TRY": "BEGIN TRY SELECT 1 END TRY BEGIN CATCH END CATCH",
    "DECLARE": "DECLARE @a int",
    "SET @variable": "SET @a = 1",
    "PRINT": "PRINT 'a'",
    "THROW": "THROW 50001, 'a', 1",
    "RAISERROR": "RAISERROR('a', 16, 1)",
    "IF": "IF 1 = 1 SELECT 1",
    "EXEC procedure": "EXEC sp_executesql N'SELECT 1'",
    "EXEC ('text')": "EXEC ('SELECT 1')",
}


def listed(family: str) -> list[str]:
    """The items of the table's row."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.split(" | ")]
        if cells[0] == f"| {family}":
            return re.findall(r"`([^`]+)`", cells[1])
    raise AssertionError(f"no row '{family}' in {PAGE.name}")


def upper(names: object) -> set[str]:
    return {str(n).upper() for n in names}  # type: ignore[attr-defined]


IN_THE_CODE = {
    "Types": set(SYSTEM_TYPE_ID),
    "Functions: general": upper(functions_general.RULES),
    "Functions: text": upper(functions_text.RULES),
    "Functions: bytes": upper(functions_bytes.RULES),
    "Functions: dates": upper(functions_dates.RULES),
    "Functions: server": upper({**functions_system.RULES, **functions_objects.RULES}),
    "Functions: session": upper(functions_session.RULES),
    "Aggregates": upper(aggregates.AGGREGATES),
    "Window functions": upper(aggregates.WINDOW_ONLY),
    "@@ functions": {f"@@{n.upper()}" for n in globals_.NAMES},
    "CONVERT styles: dates": {str(n) for n in datetimes.STYLES},
    "SET options": {"NOCOUNT", "XACT_ABORT", "IMPLICIT_TRANSACTIONS", "FMTONLY", "LOCK_TIMEOUT"},
    "SET options with one value": set(options.MUST_BE_ON | options.MUST_BE_OFF | control.VALUES) - {"LOCK_TIMEOUT"},
    "Procedures": {*PROCEDURES, "sp_executesql"},
    "System views": set(VIEWS),
}


@pytest.mark.parametrize("family", sorted(IN_THE_CODE))
def test_a_row_of_the_table_is_what_the_code_has(family: str) -> None:
    items = listed(family)
    assert len(items) == len(set(items))
    assert set(items) == IN_THE_CODE[family]


def test_every_option_that_parses_is_in_one_of_the_two_rows() -> None:
    assert set(listed("SET options")) | set(listed("SET options with one value")) == control.SWITCHES | control.VALUES


def test_the_statements_listed_are_the_statements_that_run() -> None:
    items = [i for family in ("Queries", "Changes", "Definitions", "Flow") for i in listed(family)]
    assert sorted(items) == sorted(STATEMENTS)
    parsed = {type(parse_batch(text)[0]) for text in STATEMENTS.values()}
    assert parsed == set(registry.STATEMENTS)
    assert s.Transaction in parsed


def test_every_function_is_in_one_family() -> None:
    families = [f for f in IN_THE_CODE if f.startswith("Functions")]
    assert sum(len(IN_THE_CODE[f]) for f in families) == len(functions.RULES)


def test_the_collations_listed_are_those_of_engine_and_wire() -> None:
    assert set(listed("Collations")) == set(LISTED) == {c.name for c in KNOWN.values()}

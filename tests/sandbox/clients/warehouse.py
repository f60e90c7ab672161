"""A database of its own per test, with a partitioned target and its two staging tables, and batches as a publisher sends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyodbc

from tests.support.sandbox_server import SandboxServer

COLUMNS = "k int NOT NULL, day date NOT NULL, v nvarchar(20) NULL"
PARTITIONING = (
    "CREATE PARTITION FUNCTION pf (date) AS RANGE RIGHT FOR VALUES ('20240101', '20240201', '20240301')",
    "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
)
JANUARY = 2
"""The partition of January 2024."""


def run(connection: pyodbc.Connection, sql: str, *parameters: object) -> list[list[tuple[Any, ...]]]:
    """All results of a batch, drained: an error anywhere in it is raised."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql, *parameters)
        results: list[list[tuple[Any, ...]]] = []
        while True:
            if cursor.description is not None:
                results.append([tuple(row) for row in cursor.fetchall()])
            if not cursor.nextset():
                return results
    finally:
        cursor.close()


def rows(connection: pyodbc.Connection, sql: str) -> list[tuple[Any, ...]]:
    return run(connection, sql)[-1]


def number(connection: pyodbc.Connection, sql: str) -> int:
    """The number of the error that the batch raises."""
    try:
        run(connection, sql)
    except pyodbc.Error as error:
        found = str(error.args[1]).rsplit("(", 2)[1].split(")")[0]
        return int(found)
    raise AssertionError(f"no error: {sql}")


@dataclass
class Warehouse:
    """One database of a server. `connect` opens further connections to it."""

    server: SandboxServer
    database: str
    connection: pyodbc.Connection

    def connect(self, *, autocommit: bool = True) -> pyodbc.Connection:
        return pyodbc.connect(self.server.odbc(database=self.database), autocommit=autocommit, timeout=10)

    def run(self, *statements: str) -> None:
        for sql in statements:
            run(self.connection, sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self.connection, sql)

    def number(self, sql: str) -> int:
        return number(self.connection, sql)

    def keys(self, table: str) -> list[int]:
        return [row[0] for row in self.rows(f"SELECT k FROM {table} ORDER BY k")]

    def publishable(self, tables: Sequence[str] = ("dbo.t", "stg.t_in", "stg.t_out")) -> None:
        """The target with a row in each of three months, new rows for January in staging, and a table of markers."""
        self.run(*PARTITIONING, "CREATE SCHEMA stg", "CREATE TABLE dbo.marker (run int NOT NULL PRIMARY KEY)")
        for table in tables:
            self.run(f"CREATE TABLE {table} ({COLUMNS}, PRIMARY KEY CLUSTERED (day, k)) ON ps(day)")
        self.run(
            f"INSERT {tables[0]} VALUES (1, '20231231', N'a'), (2, '20240105', N'b'), (3, '20240120', N'c'),"
            " (4, '20240215', N'd')",
            f"INSERT {tables[1]} VALUES (12, '20240105', N'B'), (13, '20240131', N'C')",
        )


def publish_batch(marker: int, *, target: str = "dbo.t", staging: str = "stg.t", day: str = "20240101") -> str:
    """The publish of one partition in one batch: lock, marker, switch out, boundaries again, switch in."""
    bound = f"CAST(v.value AS date) = CAST('{day}' AS date)"
    boundaries = (
        "SELECT v.boundary_id FROM sys.partition_range_values AS v"
        " JOIN sys.partition_functions AS f ON f.function_id = v.function_id WHERE f.name = N'pf'"
    )
    return f"""
SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT 3000; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'a transaction is open', 1;
BEGIN TRAN;
DECLARE @rc int, @n int;
EXEC @rc = sys.sp_getapplock @Resource = N'publish', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 3000;
IF @rc < 0 BEGIN; THROW 51000, N'the application lock is taken', 1; END;
INSERT INTO dbo.marker (run) VALUES ({marker});
SET @n = ({boundaries} AND {bound}) + 1;
IF @n IS NULL THROW 51002, N'the boundary is gone', 1;
ALTER TABLE {target} SWITCH PARTITION @n TO {staging}_out PARTITION @n;
IF NOT EXISTS ({boundaries} AND v.boundary_id = @n - 1 AND {bound}) THROW 51003, N'the boundaries moved', 1;
ALTER TABLE {staging}_in SWITCH PARTITION @n TO {target} PARTITION @n;
COMMIT;
SELECT @n, @@TRANCOUNT, XACT_STATE();
"""


GET = (
    "SET NOCOUNT ON; DECLARE @rc int; EXEC @rc = sys.sp_getapplock @Resource = N'{name}', @LockMode = '{mode}',"
    " @LockOwner = '{owner}', @LockTimeout = {timeout}; SELECT @rc;"
)


def take(
    connection: pyodbc.Connection, name: str = "r", *, mode: str = "Exclusive", owner: str = "Session", timeout: int = 0
) -> int:
    return int(rows(connection, GET.format(name=name, mode=mode, owner=owner, timeout=timeout))[0][0])

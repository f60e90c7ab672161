"""What dltsync takes for granted of SQL Server and no documentation says for certain.

`--db-url` asks a genuine server. Without it the sandbox answers, which was built by the same assumptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pyodbc
import pytest

from tests.support.server_shop import Server

PARTITIONS = (
    "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
    "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
)


@pytest.fixture
def connection(target: Server) -> Iterator[pyodbc.Connection]:
    """A session with an empty database that has a partition function and a scheme."""
    with closing(target.connect()) as opened:
        for statement in PARTITIONS:
            opened.execute(statement)
        yield opened


def run(connection: pyodbc.Connection, *batches: str) -> None:
    """Every batch to its end: an error of a later statement shows only then."""
    for batch in batches:
        cursor = connection.execute(batch)
        while cursor.nextset():
            pass


def refused(connection: pyodbc.Connection, batch: str) -> str:
    """The message with which a batch is refused."""
    with pytest.raises(pyodbc.Error) as caught:
        run(connection, batch)
    return str(caught.value)


def numbers(connection: pyodbc.Connection, table: str, column: str = "No") -> list[int | None]:
    found = connection.execute(f"SELECT {column} FROM {table} ORDER BY {column}").fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize(
    "clustered",
    [
        "",
        "CREATE CLUSTERED INDEX cx ON dbo.t (No) ON ps(No)",
        "CREATE CLUSTERED COLUMNSTORE INDEX cx ON dbo.t ON ps(No)",
    ],
)
def test_the_partition_column_of_every_storage_is_in_sys_index_columns(
    connection: pyodbc.Connection, clustered: str
) -> None:
    run(connection, "CREATE TABLE dbo.t (Id int NOT NULL, No int NULL) ON ps(No)", *([clustered] if clustered else []))
    found = connection.execute(
        "SELECT c.name FROM sys.index_columns AS i JOIN sys.columns AS c ON c.object_id = i.object_id AND "
        "c.column_id = i.column_id WHERE i.object_id = OBJECT_ID(N'dbo.t') AND i.partition_ordinal = 1 AND i.index_id IN (0, 1)"
    ).fetchall()
    assert [name for (name,) in found] == ["No"]


def test_rows_without_a_value_are_in_the_first_partition(connection: pyodbc.Connection) -> None:
    run(connection, "CREATE TABLE dbo.t (No int NULL) ON ps(No)", "INSERT INTO dbo.t (No) VALUES (NULL), (9), (10)")
    found = connection.execute("SELECT $PARTITION.pf(No), COUNT(*) FROM dbo.t GROUP BY $PARTITION.pf(No) ORDER BY 1")
    assert [tuple(row) for row in found.fetchall()] == [(1, 2), (2, 1)]


def test_an_index_that_lacks_the_partition_column_gets_it(connection: pyodbc.Connection) -> None:
    run(connection, "CREATE TABLE dbo.t (Id int NOT NULL, No int NULL) ON ps(No)", "CREATE INDEX ix ON dbo.t (Id)")
    found = connection.execute(
        "SELECT c.name, i.key_ordinal FROM sys.index_columns AS i JOIN sys.columns AS c ON c.object_id = i.object_id AND "
        "c.column_id = i.column_id WHERE i.object_id = OBJECT_ID(N'dbo.t') AND i.index_id > 1 ORDER BY i.key_ordinal DESC"
    ).fetchall()
    assert [tuple(row) for row in found] == [("Id", 1), ("No", 0)]


def test_a_switch_inside_a_transaction_is_undone_by_its_rollback(connection: pyodbc.Connection) -> None:
    run(
        connection,
        "CREATE TABLE dbo.t (No int NULL) ON ps(No)",
        "CREATE TABLE dbo.o (No int NULL) ON ps(No)",
        "INSERT INTO dbo.t (No) VALUES (5), (15)",
        "DECLARE @n int = 2; BEGIN TRANSACTION; ALTER TABLE dbo.t SWITCH PARTITION @n TO dbo.o PARTITION @n; ROLLBACK;",
    )
    assert (numbers(connection, "dbo.t"), numbers(connection, "dbo.o")) == ([5, 15], [])


def test_a_switch_that_is_refused_ends_the_transaction(connection: pyodbc.Connection) -> None:
    run(
        connection,
        "CREATE TABLE dbo.t (No int NULL) ON ps(No)",
        "CREATE TABLE dbo.o (No int NULL) ON ps(No)",
        "INSERT INTO dbo.t (No) VALUES (5)",
        "INSERT INTO dbo.o (No) VALUES (6)",
    )
    said = refused(
        connection,
        "BEGIN TRANSACTION; INSERT INTO dbo.t (No) VALUES (7); "
        "ALTER TABLE dbo.t SWITCH PARTITION 1 TO dbo.o PARTITION 1; INSERT INTO dbo.t (No) VALUES (8);",
    )
    assert "4904" in said
    assert connection.execute("SELECT @@TRANCOUNT").fetchval() == 0
    assert numbers(connection, "dbo.t") == [5]


def test_switched_rows_keep_their_identity_and_move_no_counter(connection: pyodbc.Connection) -> None:
    run(
        connection,
        "CREATE TABLE dbo.t (Id int IDENTITY (100, 1) NOT NULL, No int NULL)",
        "CREATE TABLE dbo.s (Id int NOT NULL, No int NULL)",
        "INSERT INTO dbo.s (Id, No) VALUES (2, 5)",
        "ALTER TABLE dbo.s SWITCH TO dbo.t",
        "INSERT INTO dbo.t (No) VALUES (6)",
    )
    assert numbers(connection, "dbo.t", "Id") == [2, 100]


def test_a_split_needs_next_used_each_time(connection: pyodbc.Connection) -> None:
    run(connection, "ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]", "ALTER PARTITION FUNCTION pf() SPLIT RANGE (30)")
    assert "7710" in refused(connection, "ALTER PARTITION FUNCTION pf() SPLIT RANGE (40)")
    run(connection, "ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]")
    assert "7721" in refused(connection, "ALTER PARTITION FUNCTION pf() SPLIT RANGE (30)")
    assert "7715" in refused(connection, "ALTER PARTITION FUNCTION pf() MERGE RANGE (31)")


def test_partitions_are_truncated_by_text_inside_a_transaction(connection: pyodbc.Connection) -> None:
    run(
        connection,
        "CREATE TABLE dbo.t (No int NULL) ON ps(No)",
        "INSERT INTO dbo.t (No) VALUES (5), (15), (25)",
        "SET XACT_ABORT ON; BEGIN TRANSACTION; "
        "EXEC (N'TRUNCATE TABLE dbo.t WITH (PARTITIONS (2 TO 3))'); INSERT INTO dbo.t (No) VALUES (16); COMMIT;",
    )
    assert numbers(connection, "dbo.t") == [5, 16]


def test_snapshot_isolation_is_refused_at_the_first_table_and_not_before(target: Server) -> None:
    with closing(target.connect()) as connection:
        run(
            connection,
            "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION OFF",
            "CREATE TABLE dbo.t (No int NULL)",
            "SET TRANSACTION ISOLATION LEVEL SNAPSHOT",
        )
        assert "3952" in refused(connection, "SELECT No FROM dbo.t")


def test_a_snapshot_that_meets_a_switch_fails_and_can_be_repeated(
    target: Server, connection: pyodbc.Connection
) -> None:
    run(connection, *(f"CREATE TABLE dbo.{name} (No int NULL)" for name in "tos"), "INSERT INTO dbo.s (No) VALUES (1)")
    with closing(target.connect()) as reader:
        run(reader, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION")
        assert numbers(reader, "dbo.t") == []
        run(connection, "ALTER TABLE dbo.s SWITCH TO dbo.t")
        assert "3961" in refused(reader, "SELECT No FROM dbo.t")
        run(reader, "IF @@TRANCOUNT > 0 ROLLBACK", "BEGIN TRANSACTION")
        assert numbers(reader, "dbo.t") == [1]
        run(reader, "COMMIT")


def test_an_application_lock_that_waits_is_granted_when_the_session_that_held_it_ends(
    target: Server, connection: pyodbc.Connection
) -> None:
    take = (
        "SET NOCOUNT ON; DECLARE @code int; EXEC @code = sys.sp_getapplock @Resource = N'dltsync:x', "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = {wait}; SELECT @code"
    )
    with closing(target.connect()) as other:
        assert other.execute(take.format(wait=0)).fetchval() == 0
        assert connection.execute(take.format(wait=0)).fetchval() == -1
    assert connection.execute(take.format(wait=10_000)).fetchval() in {0, 1}


@pytest.mark.server_only
def test_a_wider_type_is_altered_in_place_and_refused_on_a_partitioned_table(connection: pyodbc.Connection) -> None:
    run(connection, "CREATE TABLE dbo.t (No int NULL)", "ALTER TABLE dbo.t ALTER COLUMN No bigint NULL")
    run(connection, "CREATE TABLE dbo.p (Id int NULL, No int NULL) ON ps(No)")
    refused(connection, "ALTER TABLE dbo.p ALTER COLUMN No bigint NULL")


@pytest.mark.server_only
def test_identity_columns_and_primary_keys_cannot_be_made_to_admit_null(connection: pyodbc.Connection) -> None:
    run(
        connection,
        "CREATE TABLE dbo.i (Id int IDENTITY NOT NULL, No int NULL)",
        "CREATE TABLE dbo.k (Id int NOT NULL PRIMARY KEY)",
        "CREATE TABLE dbo.plain (Id int NOT NULL)",
        "ALTER TABLE dbo.plain ALTER COLUMN Id int NULL",
    )
    refused(connection, "ALTER TABLE dbo.i ALTER COLUMN Id int NULL")
    refused(connection, "ALTER TABLE dbo.k ALTER COLUMN Id int NULL")


@pytest.mark.server_only
def test_decimal_and_numeric_are_two_types_of_a_partition_function(connection: pyodbc.Connection) -> None:
    run(connection, "CREATE PARTITION FUNCTION pd (decimal(9, 2)) AS RANGE RIGHT FOR VALUES (1)")
    run(connection, "CREATE PARTITION SCHEME sd AS PARTITION pd ALL TO ([PRIMARY])")
    assert "7726" in refused(connection, "CREATE TABLE dbo.t (No numeric(9, 2) NULL) ON sd(No)")

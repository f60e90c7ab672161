"""A publisher's batch against the sandbox: DDL and SWITCH in transactions, application locks, bulk loads into staging."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import mssql_python
import pyarrow as pa
import pytest

from tests.sandbox.clients.warehouse import COLUMNS, JANUARY, PARTITIONING, Warehouse, number, publish_batch, rows, run


def test_one_batch_publishes_a_partition(warehouse: Warehouse) -> None:
    warehouse.publishable()
    assert rows(warehouse.connection, publish_batch(1)) == [(JANUARY, 0, 0)]
    assert warehouse.keys("dbo.t") == [1, 4, 12, 13]
    assert warehouse.keys("stg.t_out") == [2, 3]
    assert warehouse.keys("stg.t_in") == []


def test_a_replayed_batch_fails_at_its_marker_and_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.publishable()
    run(warehouse.connection, publish_batch(1))
    warehouse.run("TRUNCATE TABLE stg.t_out", "INSERT stg.t_in VALUES (99, '20240102', N'again')")
    assert number(warehouse.connection, publish_batch(1)) == 2627
    assert warehouse.rows("SELECT @@TRANCOUNT") == [(0,)]
    assert warehouse.keys("dbo.t") == [1, 4, 12, 13]


def test_an_error_in_the_middle_rolls_the_switch_back(warehouse: Warehouse) -> None:
    warehouse.publishable()
    batch = publish_batch(1).replace("COMMIT;", "THROW 51009, N'not today', 1; COMMIT;")
    assert number(warehouse.connection, batch) == 51009
    assert warehouse.rows("SELECT @@TRANCOUNT") == [(0,)]
    assert (warehouse.keys("dbo.t"), warehouse.keys("stg.t_in"), warehouse.keys("stg.t_out")) == (
        [1, 2, 3, 4],
        [12, 13],
        [],
    )
    assert warehouse.rows("SELECT COUNT(*) FROM dbo.marker") == [(0,)]


def test_the_batch_waits_for_the_lock_of_another_publisher(warehouse: Warehouse) -> None:
    warehouse.publishable()
    with closing(warehouse.connect()) as other:
        run(other, "EXEC sp_getapplock @Resource = N'publish', @LockMode = 'Exclusive', @LockOwner = 'Session'")
        batch = publish_batch(1).replace("@LockTimeout = 3000", "@LockTimeout = 0")
        assert number(warehouse.connection, batch) == 51000
    assert rows(warehouse.connection, publish_batch(1)) == [(JANUARY, 0, 0)]


def test_definitions_roll_back_with_their_transaction(warehouse: Warehouse) -> None:
    warehouse.run(
        "BEGIN TRAN",
        "CREATE SCHEMA stg",
        *PARTITIONING,
        f"CREATE TABLE stg.x ({COLUMNS}, CONSTRAINT pk_x PRIMARY KEY NONCLUSTERED (day, k)) ON ps(day)",
        "CREATE CLUSTERED COLUMNSTORE INDEX cci ON stg.x ON ps(day)",
        "CREATE INDEX ix ON stg.x (v) WITH (DATA_COMPRESSION = PAGE) ON ps(day)",
        "ALTER TABLE stg.x ADD w int NULL",
        "ALTER TABLE stg.x WITH CHECK ADD CONSTRAINT ck CHECK (k > 0)",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE ('20240401')",
        "INSERT stg.x (k, day) VALUES (1, '20240101')",
    )
    assert warehouse.rows("SELECT COUNT(*) FROM sys.tables") == [(1,)]
    warehouse.run("ROLLBACK")
    for view in ("sys.tables", "sys.partition_functions", "sys.check_constraints", "sys.indexes"):
        assert warehouse.rows(f"SELECT COUNT(*) FROM {view}") == [(0,)]
    assert warehouse.rows("SELECT SCHEMA_ID(N'stg')") == [(None,)]


def test_the_catalogue_shows_what_was_declared(warehouse: Warehouse) -> None:
    warehouse.run(
        *PARTITIONING,
        "CREATE TABLE dbo.c (k int NOT NULL, day date NOT NULL, v int, CONSTRAINT pk_c PRIMARY KEY NONCLUSTERED (day, k))"
        " ON ps(day)",
        "CREATE CLUSTERED COLUMNSTORE INDEX cci ON dbo.c ON ps(day)",
        "CREATE TABLE dbo.r (k int NOT NULL, day date NOT NULL, v int) ON ps(day)"
        " WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (1, 3 TO 4))",
        "CREATE UNIQUE INDEX ux ON dbo.r (k, day) WHERE v IS NOT NULL",
        "ALTER TABLE dbo.r WITH NOCHECK ADD CONSTRAINT ck_r CHECK (day >= '20240101' AND v BETWEEN 1 AND 5)",
    )
    assert warehouse.rows("SELECT name, type_desc, has_filter, filter_definition FROM sys.indexes ORDER BY name") == [
        (None, "HEAP", False, None),
        ("cci", "CLUSTERED COLUMNSTORE", False, None),
        ("pk_c", "NONCLUSTERED", False, None),
        ("ux", "NONCLUSTERED", True, "([v] IS NOT NULL)"),
    ]
    compressions = (
        "SELECT partition_number, data_compression_desc FROM sys.partitions WHERE object_id = OBJECT_ID(N'dbo.{}')"
        " AND index_id < 2 ORDER BY 1"
    )
    assert warehouse.rows(compressions.format("r")) == [(1, "PAGE"), (2, "NONE"), (3, "PAGE"), (4, "PAGE")]
    assert {kind for _, kind in warehouse.rows(compressions.format("c"))} == {"COLUMNSTORE"}
    assert warehouse.rows("SELECT name, is_not_trusted, is_disabled, definition FROM sys.check_constraints") == [
        ("ck_r", True, False, "([day]>='20240101' AND [v]>=(1) AND [v]<=(5))")
    ]


def test_bulk_rows_fill_partitioned_staging_with_keys_and_nulls_kept(warehouse: Warehouse) -> None:
    warehouse.run(
        *PARTITIONING,
        "CREATE TABLE dbo.s (id int IDENTITY(1, 1) NOT NULL, day date NOT NULL, v nvarchar(20) NULL DEFAULT N'd',"
        " PRIMARY KEY (day, id)) ON ps(day)",
    )
    sent = pa.table(
        {
            "text": pa.array([None, "x"]),
            "number": pa.array([70, 80], pa.int32()),
            "at": pa.array([date(2024, 1, 5), date(2024, 2, 6)]),
        }
    )
    options = {"keep_identity": True, "keep_nulls": True, "table_lock": True}
    with closing(mssql_python.connect(warehouse.server.connection_string(database=warehouse.database))) as connection:
        told = connection.cursor().bulkcopy_arrow(
            "dbo.s", sent, column_mappings=[(0, "v"), (1, "id"), (2, "day")], timeout=60, **options
        )
    assert told["rows_copied"] == 2
    assert warehouse.rows("SELECT id, v, $PARTITION.pf(day) FROM dbo.s ORDER BY id") == [(70, None, 2), (80, "x", 3)]
    warehouse.run("INSERT dbo.s (day) VALUES ('20240101')")
    assert warehouse.rows("SELECT MAX(id) FROM dbo.s") == [(81,)]


def test_a_bulk_load_that_skips_constraints_leaves_them_untrusted(warehouse: Warehouse) -> None:
    warehouse.run("CREATE TABLE dbo.s (k int NOT NULL, CONSTRAINT ck CHECK (k < 10))")
    trusted = "SELECT is_not_trusted FROM sys.check_constraints"
    connect = warehouse.server.connection_string(database=warehouse.database)
    with closing(mssql_python.connect(connect)) as connection:
        cursor = connection.cursor()
        cursor.bulkcopy_arrow("dbo.s", pa.table({"k": pa.array([1], pa.int32())}), check_constraints=True)
        assert warehouse.rows(trusted) == [(False,)]
        with pytest.raises(Exception, match="CHECK constraint"):
            cursor.bulkcopy_arrow("dbo.s", pa.table({"k": pa.array([50], pa.int32())}), check_constraints=True)
        cursor.bulkcopy_arrow("dbo.s", pa.table({"k": pa.array([50], pa.int32())}))
    assert warehouse.rows(trusted) == [(True,)]
    assert warehouse.number("ALTER TABLE dbo.s WITH CHECK CHECK CONSTRAINT ALL") == 547
    warehouse.run("ALTER TABLE dbo.s CHECK CONSTRAINT ck")
    assert warehouse.rows(trusted) == [(True,)]
    warehouse.run("DELETE dbo.s WHERE k = 50", "ALTER TABLE dbo.s WITH CHECK CHECK CONSTRAINT ck")
    assert warehouse.rows(trusted) == [(False,)]


def test_identity_insert_takes_values_for_one_table_at_a_time(warehouse: Warehouse) -> None:
    warehouse.run("CREATE TABLE a (id int IDENTITY, v int)", "CREATE TABLE b (id int IDENTITY, v int)")
    warehouse.run("SET IDENTITY_INSERT a ON", "INSERT a (id, v) VALUES (7, 1)")
    assert warehouse.number("SET IDENTITY_INSERT b ON") == 8107
    assert warehouse.number("INSERT a (v) VALUES (1)") == 545
    warehouse.run("SET IDENTITY_INSERT a OFF", "INSERT a (v) VALUES (2)")
    assert warehouse.number("INSERT a (id, v) VALUES (1, 1)") == 544
    assert warehouse.rows("SELECT id FROM a ORDER BY id") == [(7,), (8,)]


def test_partitions_are_truncated_by_number_and_range(warehouse: Warehouse) -> None:
    warehouse.publishable()
    warehouse.run("TRUNCATE TABLE dbo.t WITH (PARTITIONS (1, 3 TO 4))")
    assert warehouse.keys("dbo.t") == [2, 3]
    assert warehouse.number("TRUNCATE TABLE dbo.t WITH (PARTITIONS (5))") == 7722
    assert warehouse.number("TRUNCATE TABLE dbo.t WITH (PARTITIONS (3 TO 2))") == 7728
    assert warehouse.number("TRUNCATE TABLE dbo.marker WITH (PARTITIONS (1))") == 7729
    assert warehouse.keys("dbo.t") == [2, 3]


def test_identity_and_rowversion_values_travel_with_a_switch(warehouse: Warehouse) -> None:
    for table in ("a", "b"):
        warehouse.run(
            f"CREATE TABLE {table} (id int IDENTITY(100, 1) NOT NULL, v int NOT NULL, rv rowversion NOT NULL)"
        )
    warehouse.run("INSERT a (v) VALUES (5)")
    before = warehouse.rows("SELECT id, v, rv FROM a")
    warehouse.run("ALTER TABLE a SWITCH TO b")
    assert warehouse.rows("SELECT id, v, rv FROM b") == before
    warehouse.run("INSERT b (v) VALUES (6)")
    assert warehouse.rows("SELECT id FROM b ORDER BY v") == [(100,), (100,)]
    warehouse.run("SET IDENTITY_INSERT b ON", "INSERT b (id, v) VALUES (90, 7)", "SET IDENTITY_INSERT b OFF")
    warehouse.run("DBCC CHECKIDENT ('b', RESEED) WITH NO_INFOMSGS", "INSERT b (v) VALUES (8)")
    warehouse.run("DBCC CHECKIDENT (b, RESEED, 500)", "INSERT b (v) VALUES (9)")
    assert warehouse.rows("SELECT id FROM b WHERE v > 7 ORDER BY v") == [(101,), (501,)]
    assert warehouse.number("DBCC CHECKIDENT ('dbo.missing')") == 208


def test_a_reseeded_empty_table_begins_with_the_value(warehouse: Warehouse) -> None:
    warehouse.run(
        "CREATE TABLE c (id int IDENTITY, v int)", "DBCC CHECKIDENT ('c', RESEED, 10)", "INSERT c (v) VALUES (1)"
    )
    assert warehouse.rows("SELECT id FROM c") == [(10,)]


def test_variables_take_values_from_queries(warehouse: Warehouse) -> None:
    warehouse.publishable()
    assert rows(
        warehouse.connection,
        "DECLARE @n int = (SELECT COUNT(*) FROM stg.t_in), @p int = $PARTITION.pf('20240105'), @d date;"
        " SELECT @d = MAX(day) FROM stg.t_in; IF @n = 2 AND @p = 2 SELECT @n, @p, @d ELSE THROW 51000, N'no', 1;",
    ) == [(2, 2, date(2024, 1, 31))]


def test_errors_are_caught_with_their_number_and_the_transaction_doomed(warehouse: Warehouse) -> None:
    warehouse.publishable()
    caught = """
SET NOCOUNT ON; SET XACT_ABORT ON;
BEGIN TRY
    BEGIN TRAN;
    INSERT dbo.marker VALUES (1);
    ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_in PARTITION 2;
    COMMIT;
END TRY
BEGIN CATCH
    SELECT ERROR_NUMBER(), ERROR_SEVERITY(), XACT_STATE(), @@TRANCOUNT;
    IF XACT_STATE() <> 0 ROLLBACK;
    SELECT @@TRANCOUNT, COUNT(*) FROM dbo.marker;
END CATCH"""
    assert run(warehouse.connection, caught) == [[(4904, 16, -1, 1)], [(0, 0)]]
    assert number(warehouse.connection, caught.replace("IF XACT_STATE() <> 0 ROLLBACK;", "THROW;")) == 4904
    assert number(warehouse.connection, caught.replace("IF XACT_STATE() <> 0 ROLLBACK;", "")) == 3998
    assert number(warehouse.connection, caught.replace("IF XACT_STATE() <> 0 ROLLBACK;", "COMMIT;")) == 3930
    assert warehouse.rows("SELECT @@TRANCOUNT, COUNT(*) FROM dbo.marker") == [(0, 0)]


def test_a_savepoint_undoes_what_came_after_it(warehouse: Warehouse) -> None:
    warehouse.publishable()
    warehouse.run(
        "BEGIN TRAN",
        "INSERT dbo.marker VALUES (1)",
        "SAVE TRANSACTION before",
        "ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_out PARTITION 2",
        "INSERT dbo.marker VALUES (2)",
        "ROLLBACK TRANSACTION before",
        "INSERT dbo.marker VALUES (3)",
    )
    assert warehouse.number("ROLLBACK TRANSACTION nowhere") == 6401
    warehouse.run("COMMIT")
    assert warehouse.rows("SELECT run FROM dbo.marker ORDER BY run") == [(1,), (3,)]
    assert (warehouse.keys("dbo.t"), warehouse.keys("stg.t_out")) == ([1, 2, 3, 4], [])
    assert warehouse.number("SAVE TRANSACTION s") == 628


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_killed_publisher_leaves_nothing(warehouse: Warehouse, autocommit: bool) -> None:
    warehouse.publishable()
    with closing(warehouse.connect(autocommit=autocommit)) as leaving:
        open_batch = publish_batch(1).replace("COMMIT;", "").replace("IF @@TRANCOUNT <> 0", "IF 1 = 0")
        run(leaving, open_batch)
    assert rows(warehouse.connection, publish_batch(1)) == [(JANUARY, 0, 0)]
    assert warehouse.keys("dbo.t") == [1, 4, 12, 13]


def test_a_copy_of_a_database_has_what_was_committed_and_goes_its_own_way(warehouse: Warehouse) -> None:
    warehouse.publishable()
    warehouse.run(
        "CREATE TABLE dbo.n (i int IDENTITY NOT NULL, CONSTRAINT ck CHECK (i > 0))", "INSERT dbo.n DEFAULT VALUES"
    )
    copy = f"{warehouse.database}_copy"
    with closing(warehouse.connect(autocommit=False)) as other:
        other.execute("INSERT dbo.n DEFAULT VALUES")
        run(warehouse.connection, f"EXEC sandbox_copy N'{copy}'")
        assert number(warehouse.connection, f"EXEC sandbox_copy N'{copy}'") == 1801
        other.rollback()
    assert number(warehouse.connection, "EXEC sandbox_copy N''") == 50100
    run(warehouse.connection, publish_batch(1))
    warehouse.run(f"USE {copy}")
    assert warehouse.keys("dbo.t") == [1, 2, 3, 4]
    assert rows(warehouse.connection, "SELECT i FROM dbo.n") == [(1,)]
    assert number(warehouse.connection, "SET IDENTITY_INSERT dbo.n ON; INSERT dbo.n (i) VALUES (-1)") == 547
    run(warehouse.connection, "SET IDENTITY_INSERT dbo.n OFF; INSERT dbo.n DEFAULT VALUES")
    assert rows(warehouse.connection, "SELECT MAX(i) FROM dbo.n") == [(2,)]
    run(warehouse.connection, publish_batch(1))
    assert warehouse.keys("dbo.t") == [1, 4, 12, 13]
    warehouse.run(f"USE {warehouse.database}")
    assert warehouse.keys("dbo.t") == [1, 4, 12, 13]

"""System views tell what was declared and what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sqlserver_sandbox.engine import DuckDbEngine
from sqlserver_sandbox.engine.sysviews.registry import VIEWS
from sqlserver_sandbox.model import SqlType
from tests.sandbox.engine.client import Client, parameter
from tests.sandbox.engine.conftest import USERS

TABLE_QUERY = """
SELECT s.name AS schema_name, t.name AS table_name, t.object_id,
       i.index_id, i.type_desc AS storage,               -- HEAP | CLUSTERED | CLUSTERED COLUMNSTORE
       psch.name AS scheme_name, psch.data_space_id AS scheme_id,
       pf.name AS function_name, pf.function_id, pf.fanout AS partition_count,
       pf.boundary_value_on_right,                       -- 1 = RANGE RIGHT, 0 = RANGE LEFT
       c.name AS partition_column, c.column_id, c.is_nullable, c.is_computed,
       ty.name AS param_type, pp.max_length, pp.precision, pp.scale, pp.collation_name
FROM sys.tables t
JOIN sys.schemas s               ON s.schema_id = t.schema_id
JOIN sys.indexes i               ON i.object_id = t.object_id AND i.index_id IN (0,1)
JOIN sys.partition_schemes psch  ON psch.data_space_id = i.data_space_id   -- inner join drops unpartitioned tables
JOIN sys.partition_functions pf  ON pf.function_id = psch.function_id
JOIN sys.partition_parameters pp ON pp.function_id = pf.function_id AND pp.parameter_id = 1
JOIN sys.types ty                ON ty.user_type_id = pp.user_type_id
JOIN sys.index_columns ic        ON ic.object_id = i.object_id AND ic.index_id = i.index_id AND ic.partition_ordinal = 1
JOIN sys.columns c               ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE t.object_id = OBJECT_ID(@two_part_quoted_name);
"""
PARTITION_QUERY = """
SELECT p.partition_number, p.rows AS approx_rows, p.data_compression_desc, st.row_count, fg.name AS filegroup_name, fg.is_read_only,
       CONVERT(varchar(30), CAST(lo.value AS datetime2(3)), 121) AS lower_value,
       CONVERT(varchar(30), hi.value, 121) AS upper_value,
       lo.boundary_id AS lower_boundary_id, hi.boundary_id AS upper_boundary_id
FROM sys.partitions p
JOIN sys.indexes i                    ON i.object_id = p.object_id AND i.index_id = p.index_id
JOIN sys.partition_schemes psch       ON psch.data_space_id = i.data_space_id
JOIN sys.partition_functions pf       ON pf.function_id = psch.function_id
JOIN sys.destination_data_spaces d    ON d.partition_scheme_id = psch.data_space_id AND d.destination_id = p.partition_number
JOIN sys.filegroups fg                ON fg.data_space_id = d.data_space_id
LEFT JOIN sys.dm_db_partition_stats st   ON st.partition_id = p.partition_id
LEFT JOIN sys.partition_range_values lo  ON lo.function_id = pf.function_id AND lo.parameter_id = 1 AND lo.boundary_id = p.partition_number - 1
LEFT JOIN sys.partition_range_values hi  ON hi.function_id = pf.function_id AND hi.parameter_id = 1 AND hi.boundary_id = p.partition_number
WHERE p.object_id = OBJECT_ID(@two_part_quoted_name) AND p.index_id IN (0,1)
ORDER BY p.partition_number;
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """For the tests that change nothing in it."""
    with closing(DuckDbEngine(tmp_path_factory.mktemp("catalogue"), USERS, threads=1)) as engine:
        session = engine.login(user="sa", password=USERS["sa"], database="", application="test", host="here")
        yield with_orders(Client(session))


def with_orders(client: Client) -> Client:
    """A partitioned table with an index, a default and rows in each partition."""
    client.do(
        "CREATE SCHEMA [sa les]",
        "CREATE PARTITION FUNCTION pf (datetime2(3)) AS RANGE RIGHT FOR VALUES ('2024-01-01', '2024-02-01')",
        "CREATE PARTITION FUNCTION pf_other (varchar(10)) AS RANGE LEFT FOR VALUES ('x')",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE [sa les].orders (id int IDENTITY(3, 2) NOT NULL, at datetime2(3) NOT NULL, note nvarchar(20) COLLATE Latin1_General_100_BIN2 NULL,"
        " amount decimal(9,2) NOT NULL CONSTRAINT df_a DEFAULT 1, rv rowversion, CONSTRAINT pk_o PRIMARY KEY (id, at)) ON ps(at)",
        "CREATE INDEX ix_note ON [sa les].orders (note DESC) INCLUDE (amount)",
        "INSERT [sa les].orders (at) VALUES ('2023-05-05'), ('2024-01-01'), ('2024-01-31 23:59:59.999'), ('2024-02-01')",
    )
    return client


def test_the_partitioned_table_is_found(catalogue: Client) -> None:
    name = parameter("[sa les].[orders]", SqlType("nvarchar", 300))
    (row,) = catalogue.rows(TABLE_QUERY, two_part_quoted_name=name)
    assert row[:2] + row[3:6] + (row[7],) + row[9:] == (
        "sa les",
        "orders",
        1,
        "CLUSTERED",
        "ps",
        "pf",
        3,
        True,
        "at",
        2,
        False,
        False,
        "datetime2",
        7,
        23,
        3,
        None,
    )


def test_its_partitions_have_their_boundaries_and_exact_counts(catalogue: Client) -> None:
    name = parameter("[sa les].[orders]", SqlType("nvarchar", 300))
    january, february = "2024-01-01 00:00:00.000", "2024-02-01 00:00:00.000"
    assert catalogue.rows(PARTITION_QUERY, two_part_quoted_name=name) == [
        (1, 1, "NONE", 1, "PRIMARY", False, None, january, None, 1),
        (2, 2, "NONE", 2, "PRIMARY", False, january, february, 1, 2),
        (3, 1, "NONE", 1, "PRIMARY", False, february, None, 2, None),
    ]


def test_a_variants_properties_and_texts_follow_its_own_type(catalogue: Client) -> None:
    rows = catalogue.rows(
        "SELECT SQL_VARIANT_PROPERTY(value, 'BaseType'), CAST(value AS varchar(30)), SQL_VARIANT_PROPERTY(value, 'Scale') FROM sys.partition_range_values"
        " ORDER BY function_id, boundary_id"
    )
    assert rows == [
        ("datetime2", "2024-01-01 00:00:00.000", 3),
        ("datetime2", "2024-02-01 00:00:00.000", 3),
        ("varchar", "x", 0),
    ]


def test_columns_tell_their_declared_shape(catalogue: Client) -> None:
    rows = catalogue.rows(
        "SELECT c.name, t.name, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, c.is_identity FROM sys.columns c"
        " JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID('[sa les].orders') ORDER BY c.column_id"
    )
    assert rows == [
        ("id", "int", 4, 10, 0, None, False, True),
        ("at", "datetime2", 7, 23, 3, None, False, False),
        ("note", "nvarchar", 40, 0, 0, "Latin1_General_100_BIN2", True, False),
        ("amount", "decimal", 5, 9, 2, None, False, False),
        ("rv", "timestamp", 8, 0, 0, None, False, False),
    ]
    assert catalogue.rows("SELECT name, seed_value, increment_value FROM sys.identity_columns") == [("id", 3, 2)]
    assert catalogue.rows("SELECT name, definition, parent_column_id FROM sys.default_constraints") == [
        ("df_a", "(1)", 4)
    ]


def test_indexes_tell_their_columns(catalogue: Client) -> None:
    rows = catalogue.rows(
        "SELECT i.name, i.type_desc, i.is_unique, i.is_primary_key, c.name, ic.key_ordinal, ic.partition_ordinal, ic.is_descending_key,"
        " ic.is_included_column FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id"
        " JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id ORDER BY i.index_id, ic.index_column_id"
    )
    assert rows == [
        ("pk_o", "CLUSTERED", True, True, "id", 1, 0, False, False),
        ("pk_o", "CLUSTERED", True, True, "at", 2, 1, False, False),
        ("ix_note", "NONCLUSTERED", False, False, "note", 1, 0, True, False),
        ("ix_note", "NONCLUSTERED", False, False, "amount", 0, 0, False, True),
        ("ix_note", "NONCLUSTERED", False, False, "at", 0, 1, False, False),
    ]
    assert catalogue.rows("SELECT name, type FROM sys.key_constraints") == [("pk_o", "PK")]


def test_information_schema_names_sql_servers_types(catalogue: Client) -> None:
    rows = catalogue.rows(
        "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, IS_NULLABLE"
        " FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'ORDERS' ORDER BY ORDINAL_POSITION"
    )
    assert rows == [
        ("id", "int", None, 10, 0, None, "NO"),
        ("at", "datetime2", None, None, None, 3, "NO"),
        ("note", "nvarchar", 20, None, None, None, "YES"),
        ("amount", "decimal", None, 9, 2, None, "NO"),
        ("rv", "timestamp", None, None, None, None, "NO"),
    ]
    assert catalogue.rows("SELECT TABLE_SCHEMA, TABLE_TYPE FROM information_schema.tables") == [
        ("sa les", "BASE TABLE")
    ]


def test_a_heap_on_a_scheme_has_a_partitioning_column_too(client: Client) -> None:
    client.do(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (1)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE h (a int) ON ps(a)",
    )
    assert client.rows(
        "SELECT index_id, column_id, partition_ordinal FROM sys.index_columns WHERE object_id = OBJECT_ID('h')"
    ) == [(0, 1, 1)]


def test_the_server_tells_its_databases_and_sessions(client: Client) -> None:
    client.do("CREATE DATABASE d")
    assert client.rows(
        "SELECT name, compatibility_level, is_read_committed_snapshot_on FROM sys.databases ORDER BY database_id"
    ) == [
        ("master", 160, True),
        ("d", 160, True),
    ]
    assert client.rows(
        "SELECT login_name, program_name, transaction_isolation_level FROM sys.dm_exec_sessions WHERE session_id = @@SPID"
    ) == [("sa", "test", 2)]
    assert client.rows("SELECT name FROM d.sys.schemas WHERE schema_id = 1") == [("dbo",)]


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_every_listed_view_can_be_read(catalogue: Client, name: str) -> None:
    variants = {"sys.partition_range_values": "function_id", "sys.extended_properties": "name"}
    catalogue.rows(f"SELECT {variants.get(name, '*')} FROM {name}")
    assert catalogue.value(f"COUNT(*) FROM {name}") >= 0


QUERIES = Path(__file__).parents[3] / "dltsync_core" / "catalog" / "queries"


@pytest.mark.parametrize("file", sorted(QUERIES.glob("*.sql")), ids=lambda p: p.stem)
def test_the_products_catalogue_queries_run(catalogue: Client, file: Path) -> None:
    sql = file.read_text(encoding="utf-8").replace("(?)", "(OBJECT_ID('[sa les].orders'), 65536)")
    assert isinstance(catalogue.rows(sql), list)


def test_a_statement_that_is_repeated_sees_what_changed_meanwhile(connect: Callable[..., Client]) -> None:
    """Results that depend on the catalogue alone are remembered: by what they depend on, not by the statement."""
    names = "SELECT name FROM sys.tables ORDER BY name"
    one, other = connect(), connect()
    one.do("CREATE TABLE a (id int)")
    assert [client.rows(names) for client in (one, other, one)] == [[("a",)]] * 3
    one.do("BEGIN TRANSACTION", "CREATE TABLE b (id int)")
    assert one.rows(names) == [("a",), ("b",)]
    one.do("ROLLBACK")
    assert [client.rows(names) for client in (one, other)] == [[("a",)]] * 2
    other.do("CREATE TABLE c (id int)", "INSERT INTO c VALUES (1), (2)")
    counts = "SELECT SUM(rows) FROM sys.partitions"
    assert one.rows(names) == [("a",), ("c",)]
    assert one.rows(counts) == [(2,)]
    other.do("DELETE FROM c WHERE id = 1")
    assert one.rows(counts) == [(1,)]
    assert one.rows("SELECT NEWID()") != one.rows("SELECT NEWID()")


def test_an_error_is_raised_each_time(client: Client) -> None:
    for _ in range(2):
        assert client.number("SELECT 1 / (SELECT COUNT(*) FROM sys.tables)") == 8134


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM sys.schemas AS s WHERE s.name = 'dbo'",
        "SELECT s.* FROM sys.schemas AS s WHERE s.name = 'dbo'",
        "SELECT [Name], SCHEMA_ID, \"principal_id\" FROM sys.schemas WHERE name = 'DBO'",
        "EXEC (N'SELECT name, schema_id, principal' + N'_id FROM sys.schemas WHERE name = ''dbo''')",
        "EXEC sp_executesql N'SELECT * FROM sys.schemas WHERE name = @n', N'@n sysname', @n = N'dbo'",
        "SELECT x.a, x.b, x.c FROM (SELECT * FROM sys.schemas) AS x (a, b, c) WHERE x.a = 'dbo'",
    ],
)
def test_every_column_is_there_however_it_is_named(client: Client, query: str) -> None:
    """Only those that a statement may need are handed to DuckDB."""
    assert client.rows(query) == [("dbo", 1, 1)]


def test_rows_are_counted_without_a_column(client: Client) -> None:
    client.do("CREATE TABLE a (id int)")
    assert client.rows("SELECT COUNT(*) FROM sys.tables") == [(1,)]
    assert client.rows("SELECT 1 FROM sys.tables") == [(1,)]


NAMES = ["it's", "two\nlines", "tab\tstop", 'quoted "so"', "back\\slash", "naïve", "Größe", "{json: [1]}"]


def test_names_of_any_kind_are_listed_exactly(client: Client) -> None:
    client.do(*(f"CREATE TABLE [{name.replace(']', ']]')}] (id int)" for name in NAMES))
    assert sorted(name for (name,) in client.rows("SELECT name FROM sys.tables")) == sorted(NAMES)


def test_names_are_compared_without_case_and_trailing_blanks(client: Client) -> None:
    client.do("CREATE TABLE [it's] (id int)", "CREATE TABLE other (id int)")
    found = client.rows("SELECT object_id FROM sys.tables WHERE name = N'IT''S  '")
    assert found == client.rows("SELECT OBJECT_ID(N'[it''s]')")


@pytest.mark.parametrize(
    ("declared", "boundary", "target", "expected"),
    [
        ("bit", "1", "int", 1),
        ("int", "-5", "varchar(10)", "-5"),
        ("decimal(9,2)", "-1.50", "varchar(10)", "-1.50"),
        ("money", "1.2345", "nvarchar(10)", "1.23"),
        ("float", "1.5e300", "float", 1.5e300),
        ("datetime2(7)", "'2024-02-29T01:02:03.1234567'", "varchar(40)", "2024-02-29 01:02:03.1234567"),
        ("datetimeoffset(3)", "'2024-02-29T01:02:03.123+01:00'", "varchar(40)", "2024-02-29 01:02:03.123 +01:00"),
        ("varbinary(4)", "0x00ff", "varbinary(8)", b"\x00\xff"),
        ("varchar(10)", "'x y'", "nvarchar(10)", "x y"),
    ],
)
def test_a_boundary_is_converted_as_a_value_of_its_type_is(
    client: Client, declared: str, boundary: str, target: str, expected: object
) -> None:
    client.do(f"CREATE PARTITION FUNCTION pf ({declared}) AS RANGE RIGHT FOR VALUES ({boundary})")
    boundaries = "FROM sys.partition_range_values"
    assert client.rows(f"SELECT CAST(value AS {target}) {boundaries}") == [(expected,)]
    assert client.rows(f"SELECT TRY_CAST(value AS {target}) {boundaries}") == [(expected,)]
    assert client.rows(f"SELECT CAST(CAST({boundary} AS {declared}) AS {target})") == [(expected,)]


def test_a_boundary_that_does_not_convert_is_refused_and_null_by_try(client: Client) -> None:
    client.do("CREATE PARTITION FUNCTION pf (varchar(10)) AS RANGE RIGHT FOR VALUES ('x')")
    assert client.number("SELECT CAST(value AS int) FROM sys.partition_range_values") == 245
    assert client.rows("SELECT TRY_CAST(value AS int) FROM sys.partition_range_values") == [(None,)]


def test_permissions_on_tables_schemas_and_the_database_are_listed(client: Client) -> None:
    catalogue = with_orders(client)
    catalogue.do(
        "GRANT SELECT ON OBJECT::[sa les].orders TO public",
        "DENY DELETE ON OBJECT::[sa les].orders TO public",
        "GRANT INSERT ON SCHEMA::[sa les] TO public",
        "GRANT VIEW DEFINITION TO public",
    )
    rows = catalogue.rows(
        "SELECT class_desc, OBJECT_NAME(major_id), permission_name, state, state_desc FROM sys.database_permissions "
        "WHERE class <> 3 ORDER BY class, permission_name"
    )
    assert rows == [
        ("DATABASE", None, "VIEW DEFINITION", "G", "GRANT"),
        ("OBJECT_OR_COLUMN", "orders", "DELETE", "D", "DENY"),
        ("OBJECT_OR_COLUMN", "orders", "SELECT", "G", "GRANT"),
    ]
    assert catalogue.rows("SELECT permission_name FROM sys.database_permissions WHERE class_desc = 'SCHEMA'") == [
        ("INSERT",)
    ]

"""Features that forbid SWITCH and TRUNCATE, how the catalogue shows them, and partitions that are truncated, split and merged."""

from __future__ import annotations

import pytest

from tests.sandbox.clients.warehouse import Warehouse

PLAIN = "k int NOT NULL, v varchar(10) NULL"
"""Of a source `a` and a target `b`, which go into a schema of their own."""


# ---- features ----------------------------------------------------------------------------------------------------
FEATURE_RULES = [
    ("a", '{"change_tracking": true}', 4900),
    ("b", '{"change_tracking": true}', 4900),
    ("a", '{"full_text": true}', 4918),
    ("b", '{"full_text": true}', 4918),
    ("b", '{"merge_published": true}', 4941),
    ("b", '{"cdc": true, "cdc_allows_switch": false}', 22842),
    ("a", '{"cdc": true, "cdc_allows_switch": false}', 22843),
    ("b", '{"change_feed": true}', 22750),
    ("a", '{"change_feed": true}', 22751),
    ("a", '{"temporal": "current"}', 13546),
    ("b", '{"temporal": "current", "period": true}', 13577),
    ("b", '{"temporal": "history"}', 40517),
    ("b", '{"indexed_view": true}', 11402),
    ("b", '{"xml_index": true}', 4983),
    ("a", '{"memory_optimized": true}', 10794),
    ("a", '{"replicated": true}', 40517),
    ("a", '{"ledger": true}', 40517),
    ("b", '{"security_policy": true}', 40517),
    ("a", '{"text_in_row_limit": 256}', 4954),
    ("a", '{"large_values_out_of_row": true}', 4993),
    ("a", '{"ansi_nulls": false}', 40517),
    ("a", '{"columns": {"v": {"ansi_padded": false}}}', 4952),
    ("a", '{"columns": {"V": {"sparse": true}}}', 11412),
    ("a", '{"columns": {"v": {"column_set": true}}}', 11413),
    ("a", '{"columns": {"v": {"rule_object_id": 77}}}', 4964),
    ("a", '{"columns": {"v": {"masked": true}}}', 40517),
    ("a", '{"denied": "ALTER"}', 4902),
    ("b", '{"denied": "CONTROL, alter"}', 1088),
]


@pytest.mark.parametrize(("table", "features", "number"), FEATURE_RULES)
def test_a_declared_feature_forbids_the_switch(
    partitioned: Warehouse, own_schema: str, table: str, features: str, number: int
) -> None:
    partitioned.run(*(f"CREATE TABLE {own_schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"))
    switch = f"ALTER TABLE {own_schema}.a SWITCH PARTITION 2 TO {own_schema}.b PARTITION 2"
    partitioned.run(switch, f"EXEC sandbox_features @table = N'{own_schema}.{table}', @features = N'{features}'")
    assert partitioned.number(switch) == number


def test_change_data_capture_allows_the_switch_unless_told_otherwise(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(*(f"CREATE TABLE {own_schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"))
    partitioned.run(f"EXEC sandbox_features '{own_schema}.b', N'{{\"cdc\": true}}'")
    assert partitioned.rows(
        f"SELECT is_tracked_by_cdc FROM sys.tables WHERE object_id = OBJECT_ID('{own_schema}.b')"
    ) == [(True,)]
    partitioned.run(f"ALTER TABLE {own_schema}.a SWITCH PARTITION 1 TO {own_schema}.b PARTITION 1")
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.b") == 4711


@pytest.mark.parametrize(
    ("features", "number"),
    [('{"replicated": true}', 4711), ('{"temporal": "current"}', 13545), ('{"indexed_view": true}', 3729)],
)
def test_a_declared_feature_forbids_truncating(
    partitioned: Warehouse, own_schema: str, features: str, number: int
) -> None:
    partitioned.run(f"CREATE TABLE {own_schema}.a ({PLAIN})", f"EXEC sandbox_features '{own_schema}.a', N'{features}'")
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.a") == number


def test_truncating_partitions_needs_aligned_indexes(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a ({PLAIN}) ON ps(k)", f"CREATE INDEX i ON {own_schema}.a (v) ON [PRIMARY]"
    )
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.a WITH (PARTITIONS (1))") == 3756
    partitioned.run(f"DROP INDEX i ON {own_schema}.a", f"CREATE INDEX i ON {own_schema}.a (v) ON psw(k)")
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.a WITH (PARTITIONS (1))") == 4716


@pytest.mark.parametrize("text", ['{"nope": true}', '{"cdc": 1}', "[1]", '{"columns": {"x": {}}}', "{"])
def test_a_feature_that_there_is_not_is_refused(partitioned: Warehouse, own_schema: str, text: str) -> None:
    partitioned.run(f"CREATE TABLE {own_schema}.a ({PLAIN})")
    assert partitioned.number(f"EXEC sandbox_features '{own_schema}.a', N'{text}'") == 50100


def test_features_are_in_the_views_that_a_preflight_reads(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a ({PLAIN})",
        f"EXEC sandbox_features '{own_schema}.a', N'"
        '{"change_tracking": true, "full_text": true, "trigger": true, "security_policy": true, "indexed_view": true,'
        ' "ansi_nulls": false, "quoted_identifier": false, "memory_optimized": true, "temporal": "current", "replicated": true,'
        ' "lock_escalation": "AUTO", "denied": "INSERT"}\'',
    )
    own = f"OBJECT_ID(N'{own_schema}.a')"
    for view, column in (
        ("sys.change_tracking_tables", "object_id"),
        ("sys.fulltext_indexes", "object_id"),
        ("sys.triggers", "parent_id"),
        ("sys.security_predicates", "target_object_id"),
        ("sys.sql_expression_dependencies", "referenced_id"),
    ):
        assert partitioned.rows(f"SELECT COUNT(*) FROM {view} WHERE {column} = {own}") == [(1,)], view
    indexed = (
        "SELECT COUNT(*) FROM sys.views AS v JOIN sys.indexes AS i ON i.object_id = v.object_id"
        " JOIN sys.sql_expression_dependencies AS d ON d.referencing_id = v.object_id"
    )
    assert partitioned.rows(f"{indexed} WHERE d.referenced_id = {own}") == [(1,)]
    facts = "uses_ansi_nulls, is_memory_optimized, temporal_type, is_replicated, lock_escalation_desc"
    assert partitioned.rows(f"SELECT {facts} FROM sys.tables WHERE object_id = {own}") == [
        (False, True, 2, True, "AUTO")
    ]
    assert partitioned.rows(f"SELECT OBJECTPROPERTY({own}, 'IsQuotedIdentOn')") == [(0,)]
    has = f"HAS_PERMS_BY_NAME(N'{own_schema}.a', 'OBJECT', "
    denied = f"SELECT {has}'INSERT'), {has}'ALTER')"
    assert partitioned.rows(denied) == [(0, 1)]
    mine = f"SELECT permission_name FROM fn_my_permissions(N'{own_schema}.a', 'OBJECT')"
    assert partitioned.rows(f"{mine} WHERE permission_name IN ('INSERT', 'SELECT')") == [("SELECT",)]


def test_the_columns_of_the_catalogue_can_be_asked_for(partitioned: Warehouse) -> None:
    asked = "SELECT name FROM sys.all_columns WHERE object_id = OBJECT_ID(N'sys.tables') AND name IN ('is_node', 'ledger_type')"
    assert partitioned.rows(f"{asked} ORDER BY name") == [("is_node",), ("ledger_type",)]


# ---- splitting and merging ---------------------------------------------------------------------------------------
def test_split_and_merge_keep_compression_and_filegroups_in_place(warehouse: Warehouse) -> None:
    warehouse.run(
        "ALTER DATABASE CURRENT ADD FILEGROUP fg1",
        "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf TO ([PRIMARY], [PRIMARY], fg1)",
        "CREATE TABLE t (k int NOT NULL) ON ps(k) WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (2))",
        "INSERT t VALUES (5), (12), (17), (25)",
        "ALTER PARTITION SCHEME ps NEXT USED fg1",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE (15)",
    )
    kinds = "SELECT data_compression_desc, rows FROM sys.partitions WHERE object_id = OBJECT_ID('t') ORDER BY partition_number"
    groups = (
        "SELECT f.name FROM sys.destination_data_spaces AS d JOIN sys.filegroups AS f ON f.data_space_id = d.data_space_id"
        " ORDER BY d.destination_id"
    )
    assert warehouse.rows(kinds) == [("NONE", 1), ("PAGE", 1), ("PAGE", 1), ("NONE", 1)]
    assert warehouse.rows(groups) == [("PRIMARY",), ("PRIMARY",), ("fg1",), ("fg1",)]
    warehouse.run("ALTER PARTITION FUNCTION pf() MERGE RANGE (20)")
    assert warehouse.rows(kinds) == [("NONE", 1), ("PAGE", 1), ("PAGE", 2)]
    assert warehouse.rows(groups) == [("PRIMARY",), ("PRIMARY",), ("fg1",)]


def test_a_columnstore_partition_is_split_and_merged_when_empty(warehouse: Warehouse) -> None:
    warehouse.run(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE t (k int NOT NULL) ON ps(k)",
        "CREATE CLUSTERED COLUMNSTORE INDEX cci ON t",
        "INSERT t VALUES (5), (15)",
    )
    assert warehouse.number("ALTER PARTITION FUNCTION pf() SPLIT RANGE (7)") == 35346
    assert warehouse.number("ALTER PARTITION FUNCTION pf() MERGE RANGE (10)") == 35344
    warehouse.run("ALTER PARTITION FUNCTION pf() SPLIT RANGE (30)", "ALTER PARTITION FUNCTION pf() MERGE RANGE (20)")


def test_a_failed_switch_ends_the_transaction_without_xact_abort(warehouse: Warehouse) -> None:
    warehouse.publishable()
    warehouse.run("SET XACT_ABORT OFF", "BEGIN TRAN", "INSERT dbo.marker VALUES (1)")
    assert warehouse.number("ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_in PARTITION 2; SELECT 1") == 4904
    assert warehouse.rows("SELECT @@TRANCOUNT, (SELECT COUNT(*) FROM dbo.marker)") == [(0, 0)]

"""Source to lake to a SQL Server warehouse over the wire, for the three kinds of table: the rows are compared as rows, and
what the target has beside its rows (keys, partitions) is looked up in its own catalogue."""

from __future__ import annotations

import pytest

from dltsync_core.config import ProcessingConfig, StaticTableConfig
from tests.support.server_shop import COLUMNS
from tests.support.sqlserver_shop import SqlServerShop


def test_the_first_run_makes_the_tables_and_switches_the_rows_in(house: SqlServerShop) -> None:
    assert house.methods() == dict.fromkeys(COLUMNS, "switch")
    house.assert_same()
    assert house.leftovers() == []
    types = {
        (table, column): (kind, length, scale, nullable)
        for table, column, kind, length, scale, nullable in house.target_query(
            "SELECT t.name, c.name, y.name, c.max_length, c.scale, c.is_nullable FROM sys.tables AS t "
            "JOIN sys.columns AS c ON c.object_id = t.object_id JOIN sys.types AS y ON y.user_type_id = c.user_type_id "
            "JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE s.name = 'warehouse'"
        )
    }
    assert types["Orders", "PlacedAt"][0::2] == ("datetime2", 3)
    assert types["Customers", "Changed"] == ("datetime2", 8, 7, False)
    assert types["Countries", "Code"] == ("nvarchar", 4, 0, False)
    partitions = house.target_query(
        "SELECT COUNT(*) FROM sys.partitions AS p JOIN sys.tables AS t ON t.object_id = p.object_id "
        "WHERE t.name = 'Orders' AND p.index_id IN (0, 1)"
    )
    assert partitions == [(3,)]


def test_a_second_run_loads_nothing(loaded: SqlServerShop) -> None:
    result = loaded.run()
    assert {unit.status for unit in result.units} == {"skipped"}
    assert result["notes"] == []


def test_changes_of_every_kind_come_over(loaded: SqlServerShop) -> None:
    loaded.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    loaded.execute("DELETE FROM {s}.Orders WHERE OrderNo >= 201")
    loaded.add_orders(301, None, 2)
    loaded.execute(
        "UPDATE {s}.Customers SET EndDate = '2026-01-20', IsLatest = 0, Changed = '2026-01-20T09:00:00.0000001' "
        "WHERE CustomerNo = 2"
    )
    loaded.add_version(2, "2026-01-20", "Bob", "2026-01-20T09:00:00.0000002")
    loaded.execute("UPDATE {s}.Countries SET Area = 41291 WHERE Code = 'CH'")
    loaded.execute("DELETE FROM {s}.Countries WHERE Code = 'JP'")
    assert loaded.methods() == {"Orders": "switch", "Customers": "update and insert", "Countries": "switch"}
    loaded.assert_same()
    assert loaded.leftovers() == []
    assert loaded.run()["total_records"] == 0


def test_a_deleted_version_is_found_and_the_table_is_replaced(loaded: SqlServerShop) -> None:
    loaded.execute("DELETE FROM {s}.Customers WHERE CustomerNo = 1 AND IsLatest = 0")
    assert loaded.methods() == {"Customers": "switch"}
    loaded.assert_same()


def test_an_upsert_leaves_the_rows_that_the_source_lost(house: SqlServerShop) -> None:
    house.overrides = {
        "static_tables": [StaticTableConfig(table_name="Countries", schema_name=house.schema, load_strategy="upsert")]
    }
    assert house.methods()["Countries"] == "update and insert"
    house.execute("DELETE FROM {s}.Countries WHERE Code = 'JP'")
    house.execute("UPDATE {s}.Countries SET Area = 1 WHERE Code = 'CH'")
    house.execute("INSERT INTO {s}.Countries (Code, Name, Area) VALUES ('IS', N'Ísland', 103125)")
    assert house.methods() == {"Countries": "update and insert"}
    codes = {code: area for code, _, area in house.warehouse_rows("Countries")}
    assert codes == {"CH": 1, "FR": 643801, "JP": 377975, "IS": 103125}


def test_a_split_of_the_source_splits_the_target_where_no_rows_move(loaded: SqlServerShop) -> None:
    loaded.execute("ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]")
    loaded.execute("ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE ('2026-04-01T00:00:00')")
    loaded.add_orders(401, "2026-04-05T10:00:00", 3)
    assert loaded.methods() == {"Orders": "switch"}
    loaded.assert_same()
    assert loaded.run()["total_records"] == 0


def test_a_split_of_the_source_within_rows_deletes_and_inserts(loaded: SqlServerShop) -> None:
    loaded.add_orders(120, "2026-02-20T10:00:00", 3)
    loaded.execute("ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]")
    loaded.execute("ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE ('2026-02-03T00:00:00')")
    result = loaded.run()
    assert result.success, result["errors"]
    methods = {unit.load_method for unit in result.units if unit.status == "committed"}
    assert methods == {"delete and insert"}
    assert all("4973" in reason for unit in result.units for reason in unit.load_method_reasons)
    loaded.assert_same()


def test_a_merge_of_the_source_switches_both_partitions_of_the_target(loaded: SqlServerShop) -> None:
    loaded.execute("ALTER PARTITION FUNCTION pf_{s}() MERGE RANGE ('2026-02-01T00:00:00')")
    assert loaded.methods() == {"Orders": "switch"}
    loaded.assert_same()
    assert loaded.run()["total_records"] == 0


@pytest.mark.parametrize("table", list(COLUMNS))
def test_a_table_that_was_dropped_in_the_warehouse_is_filled_from_the_lake(loaded: SqlServerShop, table: str) -> None:
    loaded.target_query(f"DROP TABLE warehouse.{table}")
    result = loaded.run()
    assert result.success, result["errors"]
    assert result["total_records"] == 0
    loaded.assert_same()


def test_validation_compares_every_value_of_the_warehouse(loaded: SqlServerShop) -> None:
    with loaded.pipeline() as pipeline:
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]
        loaded.target_query("UPDATE warehouse.Orders SET Note = N'other' WHERE OrderNo = 103")
        loaded.target_query("DELETE FROM warehouse.Countries WHERE Code = N'FR'")
        report = pipeline.validate_all_tables(fingerprint="sha256", row_diff=True)
    assert {table["table"].partition(".")[2] for table in report["tables"] if not table["valid"]} == {
        "Orders",
        "Countries",
    }
    assert "103" in str(report)


def test_switching_that_is_switched_off_deletes_and_inserts(house: SqlServerShop) -> None:
    house.overrides = {"processing": ProcessingConfig(enable_sql_server_partition_switching=False)}
    assert set(house.methods().values()) == {"delete and insert"}
    house.assert_same()
    house.execute("UPDATE {s}.Orders SET Amount = 1")
    assert house.methods() == {"Orders": "delete and insert"}
    house.assert_same()


def test_a_plan_says_what_stands_against_switching(loaded: SqlServerShop) -> None:
    loaded.target_query("CREATE UNIQUE NONCLUSTERED INDEX ux ON warehouse.Orders (OrderNo) ON [PRIMARY]")
    loaded.execute("UPDATE {s}.Orders SET Amount = 2")
    with loaded.pipeline() as pipeline:
        (plan,) = pipeline.plan(table_names=[f"{loaded.schema}.Orders"])
    assert any("7733" in note and "ux" in note for note in plan.notes), plan.notes
    assert loaded.methods() == {"Orders": "delete and insert"}
    loaded.assert_same()

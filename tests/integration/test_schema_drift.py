"""A source whose columns change, under each policy and for each kind of table, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.errors import DriftError
from dltsync_core.run.result import RunResult
from tests.support.server_shop import ServerShop
from tests.support.shop_copies import LoadedShops, shops_loaded_once

ALL = ("Orders", "Customers", "Countries")


class DriftShop(ServerShop):
    """Changes of partitions are told by a column of theirs, so that a widened type alone makes nothing look changed."""

    def configure(self) -> None:
        settle(self)


def settle(shop: ServerShop, *only: str, policy: str = "evolve") -> None:
    """From now on these tables (all, when none is named), with this policy."""
    shop.overrides = {
        "partition_tables": [
            PartitionTableConfig(
                table_name="Orders",
                schema_name=shop.schema,
                change_detection="last_modified",
                last_modified_column="PlacedAt",
                schema_drift=policy,
            )
        ],
        "scd_tables": [
            SCDTableConfig(
                table_name="Customers",
                schema_name=shop.schema,
                last_modified_column="Changed",
                schema_drift=policy,
            )
        ],
        "static_tables": [StaticTableConfig(table_name="Countries", schema_name=shop.schema, schema_drift=policy)],
    }
    for kind, tables in shop.overrides.items():
        shop.overrides[kind] = [table for table in tables if not only or table.table_name in only]


@pytest.fixture(scope="module")
def loaded_shops(request: pytest.FixtureRequest) -> Iterator[LoadedShops]:
    with shops_loaded_once(request, DriftShop) as shops:
        yield shops


@pytest.fixture
def shop(loaded_shops: LoadedShops, tmp_path: Path) -> Iterator[ServerShop]:
    """After a first run."""
    with loaded_shops.copied(tmp_path) as copy:
        yield copy


def remade(shop: ServerShop, table: str, columns: str, copied: str, *, rest: str = "") -> None:
    """The table anew with other columns and the same rows, as ALTER COLUMN would leave them. `copied` selects them."""
    shop.execute(f"CREATE TABLE {{s}}.Old{table} ({columns}){rest}")
    shop.execute(f"INSERT INTO {{s}}.Old{table} SELECT {copied} FROM {{s}}.{table}")
    shop.execute(f"DROP TABLE {{s}}.{table}")
    shop.execute(f"CREATE TABLE {{s}}.{table} ({columns}){rest}")
    shop.execute(f"INSERT INTO {{s}}.{table} SELECT * FROM {{s}}.Old{table}")
    shop.execute(f"DROP TABLE {{s}}.Old{table}")


def orders(shop: ServerShop, amount: str, *, number: str = "int NOT NULL", note: str = "nvarchar(50) NULL") -> None:
    remade(
        shop,
        "Orders",
        f"OrderNo {number}, PlacedAt datetime2(3) NULL, Amount {amount}, Note {note}",
        "OrderNo, PlacedAt, Amount, Note",
        rest=" ON ps_{s}(PlacedAt)",
    )


def customers(shop: ServerShop, name: str) -> None:
    remade(
        shop,
        "Customers",
        "CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, IsLatest bit NOT NULL, "
        f"Name {name}, Changed datetime2(7) NOT NULL, PRIMARY KEY (CustomerNo, EffectiveDate)",
        "CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed",
    )


def countries(shop: ServerShop, area: str, copied: str = "Area") -> None:
    remade(
        shop,
        "Countries",
        f"Code char(2) NOT NULL, Name nvarchar(100) NULL, Area {area}, PRIMARY KEY (Code)",
        f"Code, Name, {copied}",
    )


def kinds(result: RunResult) -> set[tuple[str, str, str]]:
    return {(f.table.split(".")[1], f.column, f.kind) for f in result.drift}


def read(result: RunResult) -> dict[str, int]:
    found: dict[str, int] = {}
    for unit in result.units:
        found[unit.table.table] = found.get(unit.table.table, 0) + unit.rows_read
    return found


def house(shop: ServerShop, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(shop.root / "house.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def type_of(shop: ServerShop, table: str, column: str) -> str:
    found = house(
        shop, f"SELECT data_type FROM duckdb_columns() WHERE table_name = '{table}' AND column_name = '{column}'"
    )
    return str(found[0][0]) if found else ""


def lake_rows(shop: ServerShop, table: str, columns: str) -> list[tuple[Any, ...]]:
    """As docs/lake.md says to read it."""
    files = [str(file) for file in shop.root.glob(f"lake/*/{shop.schema}_{table}*/data/**/*.parquet")]
    with duckdb.connect(":memory:") as connection:
        return connection.execute(
            f"SELECT {columns} FROM read_parquet(?, union_by_name = true, hive_partitioning = false) ORDER BY ALL",
            [files],
        ).fetchall()


def assert_valid(shop: ServerShop) -> None:
    with shop.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
    assert report["valid"], report


def everything(shop: ServerShop) -> list[Any]:
    tables = house(shop, "SELECT table_name, sql FROM duckdb_tables() WHERE schema_name = 'warehouse' ORDER BY 1")
    lake = sorted(str(p) for p in (shop.root / "lake").rglob("*") if p.is_file())
    return [tables, lake, *(shop.warehouse_rows(table) for table in ALL)]


def test_a_widened_decimal_reaches_the_warehouse_and_unchanged_partitions_are_not_read(shop: ServerShop) -> None:
    settle(shop, "Orders")
    orders(shop, "decimal(18,4) NOT NULL", number="bigint NOT NULL", note="nvarchar(200) NULL")
    shop.execute("UPDATE {s}.Orders SET Amount = 123456789.1234, PlacedAt = '2026-02-06' WHERE OrderNo = 101")
    shop.execute("INSERT INTO {s}.Orders VALUES (3000000000, '2026-02-07', 1.0001, N'far')")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {("Orders", c, "widened") for c in ("OrderNo", "Amount", "Note")}
    assert read(result)["Orders"] == 9, [unit.reason for unit in result.units]
    assert (type_of(shop, "Orders", "Amount"), type_of(shop, "Orders", "OrderNo")) == ("DECIMAL(18,4)", "BIGINT")
    shop_rows = sorted(shop.source_rows("Orders"))
    assert sorted(shop.warehouse_rows("Orders")) == shop_rows
    files_say = lake_rows(shop, "Orders", "OrderNo, Amount")
    assert files_say == sorted((row[0], row[2]) for row in shop_rows)
    assert_valid(shop)
    again = shop.run()
    assert (again.drift, {u.status for u in again.units}) == ((), {"skipped"})


def test_a_partition_with_older_types_is_read_again_when_the_warehouse_lost_it(shop: ServerShop) -> None:
    """The lake has its rows, in types of another time: the source is asked."""
    settle(shop, "Orders")
    orders(shop, "decimal(18,4) NOT NULL")
    shop.execute("UPDATE {s}.Orders SET PlacedAt = '2026-02-06' WHERE OrderNo = 101")
    assert shop.run().success
    with duckdb.connect(str(shop.root / "house.duckdb")) as connection:
        connection.execute('DELETE FROM warehouse."Orders" WHERE "OrderNo" < 5')
    result = shop.run()
    assert result.success, result["errors"]
    assert read(result)["Orders"] == 9
    assert sorted(shop.warehouse_rows("Orders")) == sorted(shop.source_rows("Orders"))


def test_new_columns_go_through_for_every_kind(shop: ServerShop) -> None:
    for table in ALL:
        shop.execute(f"ALTER TABLE {{s}}.{table} ADD Extra nvarchar(20) NULL")
        shop.execute(f"UPDATE {{s}}.{table} SET Extra = N'there'")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {(table, "Extra", "added") for table in ALL}
    for table in ALL:
        assert {row[0] for row in house(shop, f'SELECT "Extra" FROM warehouse."{table}"')} == {"there"}
    shop.assert_same()
    assert_valid(shop)


def test_a_column_that_left_stays_in_the_warehouse(shop: ServerShop) -> None:
    shop.execute("ALTER TABLE {s}.Orders DROP COLUMN Note")
    shop.execute("ALTER TABLE {s}.Countries DROP COLUMN Area")
    shop.execute("ALTER TABLE {s}.Customers DROP COLUMN Name")
    shop.execute("UPDATE {s}.Orders SET PlacedAt = '2026-02-06' WHERE OrderNo = 101")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {
        ("Orders", "Note", "dropped"),
        ("Countries", "Area", "dropped"),
        ("Customers", "Name", "dropped"),
    }
    assert read(result)["Orders"] == 8
    kept = dict(house(shop, 'SELECT "OrderNo" // 100, count("Note") FROM warehouse."Orders" GROUP BY ALL'))
    assert kept == {0: 9, 1: 0, 2: 7}
    assert house(shop, 'SELECT count("Area"), count(*) FROM warehouse."Countries"') == [(0, 3)]
    assert len(lake_rows(shop, "Orders", "OrderNo, Note")) == 24
    assert_valid(shop)


def test_a_narrowed_column_keeps_its_wider_type_in_the_warehouse(shop: ServerShop) -> None:
    orders(shop, "decimal(8,1) NOT NULL")
    countries(shop, "int NULL")
    customers(shop, "nvarchar(60) NULL")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {
        ("Orders", "Amount", "narrowed"),
        ("Countries", "Area", "narrowed"),
        ("Customers", "Name", "narrowed"),
    }
    assert read(result)["Orders"] == 24  # a decimal may have been rounded
    assert (type_of(shop, "Orders", "Amount"), type_of(shop, "Countries", "Area")) == ("DECIMAL(12,2)", "BIGINT")
    shop.assert_same()


def test_admitting_null_reads_nothing(shop: ServerShop) -> None:
    settle(shop, "Orders", "Customers")
    orders(shop, "decimal(12,2) NULL")
    customers(shop, "nvarchar(150) NOT NULL")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {
        ("Orders", "Amount", "widened"),
        ("Customers", "Name", "widened"),
        ("Customers", "Name", "narrowed"),
    }
    assert (read(result)["Orders"], read(result)["Customers"]) == (0, 0)
    shop.execute("INSERT INTO {s}.Orders VALUES (900, '2026-03-20', NULL, NULL)")
    assert shop.run().success
    assert house(shop, 'SELECT count(*) FROM warehouse."Orders" WHERE "Amount" IS NULL') == [(1,)]


def test_a_renamed_column_is_told_and_read_again(shop: ServerShop) -> None:
    settle(shop, "Countries")
    remade(
        shop,
        "Countries",
        "Code char(2) NOT NULL, Name nvarchar(100) NULL, Surface bigint NULL, PRIMARY KEY (Code)",
        "Code, Name, Area",
    )
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {("Countries", "Area", "renamed")}
    assert any("probably renamed" in note for note in result.notes)
    assert house(shop, 'SELECT count("Area"), min("Surface") FROM warehouse."Countries"') == [(0, 41285)]


def test_another_collation_is_told(shop: ServerShop) -> None:
    settle(shop, "Customers")
    customers(shop, "nvarchar(100) COLLATE Latin1_General_100_BIN2 NULL")
    result = shop.run()
    assert result.success, result["errors"]
    assert kinds(result) == {("Customers", "Name", "collation changed")}
    assert read(result)["Customers"] == 0


def test_another_type_is_refused_for_its_table_and_nothing_is_written(shop: ServerShop) -> None:
    settle(shop, "Orders", "Countries")
    countries(shop, "nvarchar(30) NULL", "CAST(Area AS nvarchar(30))")
    shop.execute("UPDATE {s}.Orders SET PlacedAt = '2026-02-06' WHERE OrderNo = 101")
    before = type_of(shop, "Countries", "Area"), shop.warehouse_rows("Countries")
    result = shop.run()
    failed = [unit for unit in result.units if unit.status == "failed"]
    assert [(unit.table.table, unit.error_type, unit.exit_code) for unit in failed] == [("Countries", "DriftError", 11)]
    assert "Area was bigint, is nvarchar(30): no type of the warehouse holds both exactly" in str(failed[0].error)
    assert kinds(result) == {("Countries", "Area", "incompatible")}
    assert read(result)["Orders"] == 8  # the others go on
    assert (type_of(shop, "Countries", "Area"), shop.warehouse_rows("Countries")) == before
    with duckdb.connect(str(shop.root / "house.duckdb")) as connection:
        connection.execute('DROP TABLE warehouse."Countries"')
    assert shop.run().success
    shop.assert_same(("Countries",))


CHANGES: list[tuple[str, str, Callable[[ServerShop], None]]] = [
    ("Orders", "widened", lambda shop: orders(shop, "decimal(18,4) NOT NULL")),
    ("Customers", "added", lambda shop: shop.execute("ALTER TABLE {s}.Customers ADD Extra int NULL")),
    ("Countries", "dropped", lambda shop: shop.execute("ALTER TABLE {s}.Countries DROP COLUMN Area")),
]


@pytest.mark.parametrize("policy", ["freeze", "ask"])
def test_a_policy_stops_every_kind_of_table_until_it_is_answered(shop: ServerShop, policy: str) -> None:
    settle(shop, policy=policy)
    for _, _, change in CHANGES:
        change(shop)
    before = everything(shop)
    stopped = shop.run()
    assert {(u.table.table, u.error_type) for u in stopped.units} == {(table, "DriftError") for table in ALL}
    assert {(table, kind) for table, _, kind in kinds(stopped)} == {(table, kind) for table, kind, _ in CHANGES}
    assert everything(shop) == before
    names = [f"{shop.schema}.{table}" for table in ALL]
    with shop.pipeline() as pipeline, pytest.raises(DriftError, match=f"schema_drift is {policy}"):
        pipeline.plan()
    answered = shop.run(accept_drift=names)
    if policy == "freeze":
        assert {u.error_type for u in answered.units} == {"DriftError"}
        return
    assert answered.success, answered["errors"]
    again = shop.run()
    assert (again.drift, {u.status for u in again.units}) == ((), {"skipped"})
    assert_valid(shop)


def test_an_answer_for_one_table_is_none_for_another(shop: ServerShop) -> None:
    settle(shop, policy="ask")
    for _, _, change in CHANGES:
        change(shop)
    result = shop.run(accept_drift=["Customers"])
    assert {u.table.table for u in result.units if u.status == "failed"} == {"Orders", "Countries"}
    assert {u.table.table for u in result.units if u.status == "committed"} == {"Customers"}


def test_a_plan_shows_what_changed(shop: ServerShop) -> None:
    settle(shop, "Countries")
    shop.execute("ALTER TABLE {s}.Countries ADD Extra int NULL")
    with shop.pipeline() as pipeline:
        (plan,) = pipeline.plan(table_names=["Countries"])
    assert [(f.column, f.kind, f.before, f.after) for f in plan.drift] == [("Extra", "added", "", "int NULL")]
    assert any(note.startswith("schema added: Extra") for note in plan.notes)

"""Names and paths of any kind: kept exactly, found whatever their case, or refused with a word."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import (
    ConfigError,
    UnsupportedColumn,
    WarehouseError,
)
from dltsync_core.plan.steps import MergeKeys, ReplaceScope
from dltsync_core.ranges import parse_key
from tests.support.local_warehouse import TARGET, LocalWarehouse, leftovers, orders, rows

AWKWARD = [
    "Order Details",
    "a.b",
    "o'r\"d]er[s",
    "trailing_",
    "x" * 128,
    "😀 Bestellungen",
    "Order;DROP TABLE x--",
    "{braces} 100%s",
    "a=b/c\\d*?",
    "new\nline",
    "VACUUM DROP TABLE alter",
]


def scope_of(name: str) -> ReplaceScope:
    column = ColumnFacts(name, 1, "int", 4, 10, 0, None, is_nullable=True)
    return scope_for(column, pa.int32(), [parse_key("(-inf,3)")])


def test_any_name_is_kept_exactly(house: LocalWarehouse) -> None:
    """As table, schema and column, and in the condition that dlt sends through str.format. All of them come in together."""
    tables = {
        name: pa.table({name: pa.array([1, 5, None], pa.int32()), " b ": pa.array(["x", "y", "z"])}) for name in AWKWARD
    }
    for _ in range(2):
        house.warehouse.load_group([house.request((name, name), table) for name, table in tables.items()])
        house.warehouse.load_group(
            [house.request((name, name), table.slice(0, 1), how=scope_of(name)) for name, table in tables.items()]
        )
    assert {name: house.types((name, name)) for name in AWKWARD} == {
        name: {name: "INTEGER", " b ": "VARCHAR"} for name in AWKWARD
    }
    assert {name: house.warehouse.count((name, name)) for name in AWKWARD} == dict.fromkeys(AWKWARD, 2)
    assert {name: house.warehouse.count((name, name), scope_of(name)) for name in AWKWARD} == dict.fromkeys(AWKWARD, 1)
    house.warehouse.load_group(
        [
            house.request((name, name), table.slice(1, 1).set_column(0, name, pa.array([9], pa.int32())), how=how)
            for name, table in tables.items()
            for how in [MergeKeys((name, " b "))]
        ]
    )
    assert {name: house.warehouse.count((name, name)) for name in AWKWARD} == dict.fromkeys(AWKWARD, 3)


def test_columns_that_differ_in_case_only_are_refused(house: LocalWarehouse) -> None:
    with pytest.raises(UnsupportedColumn, match="'Code' and 'CODE' differ in upper and lower case only"):
        house.load(TARGET, pa.table({"Code": [1], "CODE": [2]}))


def test_a_target_is_found_whatever_its_case(house: LocalWarehouse) -> None:
    house.load(("sales", "Orders"), orders({1: "a"}))
    house.load(("SALES", "ORDERS"), orders({2: "b"}))
    assert rows(house) == [(2, "b")]
    assert house.warehouse.count(("Sales", "orders")) == 1


def test_the_file_may_be_called_like_the_schema(tmp_path: Path) -> None:
    """`warehouse.orders` in warehouse.duckdb is ambiguous for DuckDB, unless the catalog is named."""
    house = LocalWarehouse(tmp_path, file_name="sales.duckdb")
    for number in (1, 2):
        house.load(TARGET, orders({number: "a"}), how=MergeKeys(("No",)))
    with duckdb.connect(str(house.path), read_only=True) as connection:
        assert connection.execute('SELECT count(*) FROM sales.sales."Orders"').fetchone() == (2,)


@pytest.mark.parametrize("target", [("information_schema", "x"), ("_dltsync", "markers")])
def test_reserved_targets_are_refused(house: LocalWarehouse, target: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="reserved"):
        house.load(target, orders({1: "a"}))


def test_a_view_is_not_loaded_into(house: LocalWarehouse) -> None:
    with duckdb.connect(str(house.path)) as connection:
        connection.execute('CREATE SCHEMA sales; CREATE VIEW sales."Orders" AS SELECT 1 AS No')
    with pytest.raises(WarehouseError, match="is a view"):
        house.load(TARGET, orders({1: "a"}))


def test_paths_that_mean_something_to_a_glob_do_no_harm(tmp_path: Path) -> None:
    root = tmp_path / "it's [a] *place* a=b"
    root.mkdir()
    house = LocalWarehouse(root)
    house.load(TARGET, orders({1: "a"}))
    assert rows(house) == [(1, "a")]
    assert leftovers(house) == []


def test_a_file_that_is_no_database_is_named(house: LocalWarehouse) -> None:
    house.path.write_text("hello")
    with pytest.raises(WarehouseError, match=r"house\.duckdb"):
        house.load(TARGET, orders({1: "a"}))


def test_looking_creates_no_file(house: LocalWarehouse) -> None:
    assert house.warehouse.count(TARGET) == 0
    assert house.warehouse.columns(TARGET) == {}
    house.warehouse.drop_table(TARGET)
    assert not house.path.exists()


def test_the_file_is_closed_to_others(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    assert house.path.stat().st_mode & 0o777 == 0o640

"""Rows of synced tables as Arrow and DuckDB: the whole table or single partitions, from the lake and from the warehouse."""

from __future__ import annotations

import shutil
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.errors import ConfigError, LakeError, WarehouseError
from dltsync_core.run.read_lake import ReadFrom
from dltsync_core.testing import text_column
from tests.support.lake_shop import LakeShop
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, order, version


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> LakeShop:
    """A shop that tests only read."""
    made = LakeShop(tmp_path_factory.mktemp("shared"))
    made.run()
    return made


@pytest.fixture
def synced(shared: LakeShop, tmp_path: Path) -> LakeShop:
    """A copy of it, to change."""
    shutil.copytree(shared.root, tmp_path / "shop")
    made = LakeShop(tmp_path / "shop")
    made.source = deepcopy(shared.source)
    return made


def values(table: pa.Table, column: str) -> list[Any]:
    """A column's values, sorted."""
    found: list[Any] = table[column].to_pylist()
    return sorted(found)


PLACES: tuple[ReadFrom, ...] = ("lake", "warehouse")


@pytest.mark.parametrize("read_from", PLACES)
def test_every_table_is_read_whole_from_lake_and_warehouse(shared: LakeShop, read_from: ReadFrom) -> None:
    orders = shared.read("Orders", read_from=read_from)
    assert values(orders, "OrderNo") == list(range(1, 30))
    assert values(shared.read("Parcels", read_from=read_from), "No") == [-5, 5, 1500]
    assert values(shared.read("Countries", read_from=read_from), "Code") == ["ch", "fr", "jp"]
    customers = shared.read("Customers", read_from=read_from)
    assert (values(customers, "CustomerNo"), values(customers, "Name")) == ([1, 1, 2, 3], ["Ann", "Anne", "Bob", "Cat"])


def test_both_places_give_the_same_types(shared: LakeShop) -> None:
    for table in ("Orders", "Parcels", "Customers", "Countries"):
        types = [{f.name: f.type for f in shared.read(table, read_from=place).schema} for place in PLACES]
        assert types[0] == types[1], table


@pytest.mark.parametrize("read_from", PLACES)
def test_exactly_the_asked_partitions_are_read(shared: LakeShop, read_from: ReadFrom) -> None:
    rows = shared.read("Orders", partition_keys=["[20,+inf)", "(-inf,10)"], read_from=read_from)
    assert values(rows, "OrderNo") == [*range(1, 10), *range(20, 30)]
    assert shared.read("Orders", partition_keys=["[10,20)"], read_from=read_from, columns=["note"]).to_pydict() == {
        "Note": ["x"] * 10
    }


def test_partitions_of_the_lake_come_in_boundary_order(shared: LakeShop) -> None:
    rows = shared.read("Parcels", partition_keys=["[1000,+inf)", "[0,1000)", "(-inf,0)"])
    assert rows["No"].to_pylist() == [-5, 5, 1500]


def test_a_partition_in_the_warehouse_needs_the_name_of_its_column(shared: LakeShop) -> None:
    with pytest.raises(ConfigError, match="set partition_column, or read the partitions from the lake"):
        shared.read("Parcels", partition_keys=["(-inf,0)"], read_from="warehouse")


def test_versions_that_were_loaded_twice_are_one_row(synced: LakeShop) -> None:
    synced.source.tables[CUSTOMERS].rows[-1] = version(3, 6, "Kat", changed=20)
    synced.run()
    for place in (*PLACES, "auto"):
        rows = synced.read("Customers", read_from=place)
        assert values(rows, "Name") == ["Ann", "Anne", "Bob", "Kat"], place


def test_rows_that_an_upsert_retains_are_read_from_the_warehouse(tmp_path: Path) -> None:
    shop = LakeShop(tmp_path)
    shop.static = {"load_strategy": "upsert"}
    shop.run()
    del shop.source.tables[COUNTRIES].rows[0]
    shop.run()
    assert values(shop.read("Countries"), "Code") == ["ch", "fr", "jp"]
    assert values(shop.read("Countries", read_from="lake"), "Code") == ["fr", "jp"]


def test_a_partition_that_is_loaded_again_while_it_is_read_is_whole(synced: LakeShop) -> None:
    with synced.pipeline() as pipeline, pipeline.read("Orders") as rows:
        first = rows.read_next_batch()
        for row in synced.source.tables[ORDERS].rows:
            row["Note"] = "y"
        synced.run()
        rest = rows.read_all()
    read = pa.Table.from_batches([first, *rest.to_batches()])
    assert read["OrderNo"].to_pylist() == list(range(1, 30))
    assert read["Note"].to_pylist() == ["x"] * 9 + ["y"] * 20, "the first partition was read before, the others after"


def test_what_was_never_loaded_is_named(tmp_path: Path, shared: LakeShop) -> None:
    fresh = LakeShop(tmp_path / "other")
    with pytest.raises(LakeError, match=r"the lake holds no load of sales\.Orders"):
        fresh.read("Orders")
    with pytest.raises(WarehouseError, match=r"no table warehouse\.Customers yet"):
        fresh.read("Customers")
    with pytest.raises(LakeError, match=r"no load of partition \[7,8\)"):
        shared.read("Orders", partition_keys=["[7,8)"])
    with pytest.raises(ConfigError, match="it has no partitions"):
        shared.read("Countries", partition_keys=["all"])
    with pytest.raises(ConfigError, match="has no column 'Nope'"):
        shared.read("Orders", columns=["Nope"])


def test_a_damaged_file_is_never_read(synced: LakeShop) -> None:
    (file,) = (synced.root / "lake").glob("*/*Countries*/data/*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(LakeError):
        synced.read("Countries")


@pytest.mark.parametrize("read_from", [*PLACES, "auto"])
def test_a_relation_is_read_as_often_as_it_is_used(shared: LakeShop, read_from: ReadFrom) -> None:
    with shared.pipeline() as pipeline:
        orders = pipeline.relation("Orders", partition_keys=["[10,20)", "[20,+inf)"], read_from=read_from)
        customers = pipeline.relation("Customers", read_from=read_from)
    for _ in range(2):
        assert orders.filter("OrderNo > 25").aggregate("count(*)").fetchall() == [(4,)]
        assert customers.filter("EffectiveDate >= TIMESTAMP '2026-01-05'").aggregate("count(*)").fetchall() == [(2,)]


def test_the_warehouse_is_free_after_it_was_read(shared: LakeShop) -> None:
    shared.read("Customers", read_from="warehouse")
    with duckdb.connect(str(shared.root / "house.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM warehouse.Customers").fetchall() == [(4,)]


def test_an_empty_table_has_its_columns(synced: LakeShop) -> None:
    synced.source.tables[COUNTRIES].rows.clear()
    synced.source.tables[ORDERS].rows[:] = [order(15)]
    synced.run()
    for place in PLACES:
        rows = synced.read("Countries", read_from=place)
        assert (rows.num_rows, rows.column_names) == (0, ["Code", "Name"])
        assert synced.read("Orders", partition_keys=["[20,+inf)"], read_from=place).num_rows == 0


def test_loads_of_narrower_columns_are_widened(synced: LakeShop) -> None:
    table = synced.source.tables[ORDERS]
    table.columns = (table.columns[0], table.columns[1], text_column("Extra"))
    for row in table.rows:
        row["Extra"] = "new" if row["OrderNo"] is not None and row["OrderNo"] >= 20 else None
    table.rows[-1]["Note"] = "z"
    synced.run(table_names=["Orders"], partition_keys=["[20,+inf)"])
    rows = synced.read("Orders")
    assert rows.column_names == ["OrderNo", "Note", "Extra"]
    assert rows["Extra"].to_pylist() == [None] * 19 + ["new"] * 10
    with synced.pipeline() as pipeline:
        relation = pipeline.relation("Orders")
    assert relation.filter("Extra = 'new'").aggregate("count(*)").fetchall() == [(10,)]


def test_the_time_of_day_of_a_version_is_exact(shared: LakeShop) -> None:
    rows = shared.read("Customers", read_from="lake", columns=["EffectiveDate", "CustomerNo"])
    assert values(rows, "EffectiveDate")[0] == datetime(2026, 1, 1)

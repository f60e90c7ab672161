"""Rows of synced tables as Arrow and DuckDB: the whole table or single partitions, from the lake and from the warehouse."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.errors import ConfigError, LakeError, WarehouseError
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.read_table import ReadFrom
from dltsync_core.testing import FakeTable, int_column, text_column
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, order, shop, version

PARCELS = TableName("sales", "Parcels")


class Shop:
    """Two partition tables, one of versions and one of reference data; the lake on a disk and a real DuckDB file."""

    def __init__(self, root: Path) -> None:
        self.source = shop()
        self.source.tables[PARCELS] = FakeTable(
            (int_column("No"), text_column("Note")),
            [{"No": n, "Note": "p"} for n in (-5, 5, 1500)],
            primary_key=("No",),
            partition_column="No",
            boundaries=[0, 1000],
        )
        self.static: dict[str, Any] = {}
        self.root = root

    def config(self) -> PipelineConfig:
        return PipelineConfig(
            database=DatabaseConfig(server="fake", database="shop", username="u", password="hunter22"),
            partition_tables=[
                PartitionTableConfig(table_name="Orders", schema_name="sales", partition_column="OrderNo"),
                PartitionTableConfig(table_name="Parcels", schema_name="sales"),
            ],
            scd_tables=[
                SCDTableConfig(
                    table_name="Customers",
                    schema_name="sales",
                    last_modified_column="Changed",
                    business_key_columns=["CustomerNo"],
                )
            ],
            static_tables=[StaticTableConfig(table_name="Countries", **self.static)],
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config(), source=self.source)

    def run(self, **arguments: Any) -> None:
        with self.pipeline() as pipeline:
            result = pipeline.run(**arguments)
        assert result.success, result.failed

    def read(self, table: str, **arguments: Any) -> pa.Table:
        self.source.unreachable = AssertionError("the source is asked")  # type: ignore[assignment]
        try:
            with self.pipeline() as pipeline, pipeline.read(table, **arguments) as rows:
                return rows.read_all()
        finally:
            self.source.unreachable = None


@pytest.fixture
def synced(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.run()
    return made


PLACES: tuple[ReadFrom, ...] = ("lake", "warehouse")


@pytest.mark.parametrize("read_from", PLACES)
def test_every_table_is_read_whole_from_lake_and_warehouse(synced: Shop, read_from: ReadFrom) -> None:
    orders = synced.read("Orders", read_from=read_from)
    assert sorted(orders["OrderNo"].to_pylist()) == list(range(1, 30))
    assert sorted(synced.read("Parcels", read_from=read_from)["No"].to_pylist()) == [-5, 5, 1500]
    assert sorted(synced.read("Countries", read_from=read_from)["Code"].to_pylist()) == ["ch", "fr", "jp"]
    customers = synced.read("Customers", read_from=read_from)
    assert sorted(zip(customers["CustomerNo"].to_pylist(), customers["Name"].to_pylist(), strict=True)) == [
        (1, "Ann"),
        (1, "Anne"),
        (2, "Bob"),
        (3, "Cat"),
    ]


def test_both_places_give_the_same_types(synced: Shop) -> None:
    for table in ("Orders", "Parcels", "Customers", "Countries"):
        types = [{f.name: f.type for f in synced.read(table, read_from=place).schema} for place in PLACES]
        assert types[0] == types[1], table


@pytest.mark.parametrize("read_from", PLACES)
def test_exactly_the_asked_partitions_are_read(synced: Shop, read_from: ReadFrom) -> None:
    rows = synced.read("Orders", partition_keys=["[20,+inf)", "(-inf,10)"], read_from=read_from)
    assert sorted(rows["OrderNo"].to_pylist()) == [*range(1, 10), *range(20, 30)]
    assert synced.read("Orders", partition_keys=["[10,20)"], read_from=read_from, columns=["note"]).to_pydict() == {
        "Note": ["x"] * 10
    }


def test_partitions_of_the_lake_come_in_boundary_order(synced: Shop) -> None:
    rows = synced.read("Parcels", partition_keys=["[1000,+inf)", "[0,1000)", "(-inf,0)"])
    assert rows["No"].to_pylist() == [-5, 5, 1500]


def test_a_partition_in_the_warehouse_needs_the_name_of_its_column(synced: Shop) -> None:
    with pytest.raises(ConfigError, match="set partition_column, or read the partitions from the lake"):
        synced.read("Parcels", partition_keys=["(-inf,0)"], read_from="warehouse")


def test_versions_that_were_loaded_twice_are_one_row(synced: Shop) -> None:
    synced.source.tables[CUSTOMERS].rows[-1] = version(3, 6, "Kat", changed=20)
    synced.run()
    for place in (*PLACES, "auto"):
        rows = synced.read("Customers", read_from=place)
        assert sorted(rows["Name"].to_pylist()) == ["Ann", "Anne", "Bob", "Kat"], place


def test_rows_that_an_upsert_retains_are_read_from_the_warehouse(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.static = {"load_strategy": "upsert"}
    shop.run()
    del shop.source.tables[COUNTRIES].rows[0]
    shop.run()
    assert sorted(shop.read("Countries")["Code"].to_pylist()) == ["ch", "fr", "jp"]
    assert sorted(shop.read("Countries", read_from="lake")["Code"].to_pylist()) == ["fr", "jp"]


def test_a_partition_that_is_loaded_again_while_it_is_read_is_whole(synced: Shop) -> None:
    with synced.pipeline() as pipeline, pipeline.read("Orders") as rows:
        first = rows.read_next_batch()
        for row in synced.source.tables[ORDERS].rows:
            row["Note"] = "y"
        synced.run()
        rest = rows.read_all()
    read = pa.Table.from_batches([first, *rest.to_batches()])
    assert read["OrderNo"].to_pylist() == list(range(1, 30))
    assert read["Note"].to_pylist() == ["x"] * 9 + ["y"] * 20, "the first partition was read before, the others after"


def test_what_was_never_loaded_is_named(tmp_path: Path, synced: Shop) -> None:
    fresh = Shop(tmp_path / "other")
    with pytest.raises(LakeError, match=r"the lake holds no load of sales\.Orders"):
        fresh.read("Orders")
    with pytest.raises(WarehouseError, match=r"no table warehouse\.Customers yet"):
        fresh.read("Customers")
    with pytest.raises(LakeError, match=r"no load of partition \[7,8\)"):
        synced.read("Orders", partition_keys=["[7,8)"])
    with pytest.raises(ConfigError, match="it has no partitions"):
        synced.read("Countries", partition_keys=["all"])
    with pytest.raises(ConfigError, match="has no column 'Nope'"):
        synced.read("Orders", columns=["Nope"])


def test_a_damaged_file_is_never_read(synced: Shop) -> None:
    (file,) = (synced.root / "lake").glob("*/*Countries*/data/*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(LakeError):
        synced.read("Countries")


@pytest.mark.parametrize("read_from", [*PLACES, "auto"])
def test_a_relation_is_read_as_often_as_it_is_used(synced: Shop, read_from: ReadFrom) -> None:
    with synced.pipeline() as pipeline:
        orders = pipeline.relation("Orders", partition_keys=["[10,20)", "[20,+inf)"], read_from=read_from)
        customers = pipeline.relation("Customers", read_from=read_from)
    for _ in range(2):
        assert orders.filter("OrderNo > 25").aggregate("count(*)").fetchall() == [(4,)]
        assert customers.filter("EffectiveDate >= TIMESTAMP '2026-01-05'").aggregate("count(*)").fetchall() == [(2,)]


def test_the_warehouse_is_free_after_it_was_read(synced: Shop) -> None:
    synced.read("Customers", read_from="warehouse")
    with duckdb.connect(str(synced.root / "house.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM warehouse.Customers").fetchall() == [(4,)]


def test_an_empty_table_has_its_columns(synced: Shop) -> None:
    synced.source.tables[COUNTRIES].rows.clear()
    synced.source.tables[ORDERS].rows[:] = [order(15)]
    synced.run()
    for place in PLACES:
        rows = synced.read("Countries", read_from=place)
        assert (rows.num_rows, rows.column_names) == (0, ["Code", "Name"])
        assert synced.read("Orders", partition_keys=["[20,+inf)"], read_from=place).num_rows == 0


def test_loads_of_narrower_columns_are_widened(synced: Shop) -> None:
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


def test_the_time_of_day_of_a_version_is_exact(synced: Shop) -> None:
    rows = synced.read("Customers", read_from="lake", columns=["EffectiveDate", "CustomerNo"])
    assert sorted(rows["EffectiveDate"].to_pylist())[0] == datetime(2026, 1, 1)

"""Synced tables as inputs of assets downstream, and by the resource `DltsyncTables`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import DltsyncTables, LocationSettings, TableTranslator, build_definitions
from dltsync_dagster.translator import TableTranslatorData
from tests.support.lake_shop import LakeShop
from tests.support.memory_shop import COUNTRIES

FIRST, SECOND, LAST = "(-inf,10)", "[10,20)", "[20,+inf)"


def key_of(shop: LakeShop, table: str) -> dg.AssetKey:
    config = shop.config()
    (found,) = [one for one in config.tables if one.table_name == table]
    return TableTranslator().get_table_key(TableTranslatorData(config, found))


def definitions(shop: LakeShop, *more: Any) -> dg.Definitions:
    def opened(config: PipelineConfig) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(config, source=shop.source)

    ours = build_definitions(shop.config(), settings=LocationSettings(), open_pipeline=opened)
    return dg.Definitions.merge(ours, dg.Definitions(assets=list(more)))


def run(shop: LakeShop, asset: dg.AssetsDefinition, instance: dg.DagsterInstance, **how: Any) -> Any:
    """Materialize the one asset; what the run said."""
    job = definitions(shop, asset).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, asset_selection=[asset.key], raise_on_error=False, **how)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> LakeShop:
    made = LakeShop(tmp_path_factory.mktemp("tables"))
    made.run()
    return made


@pytest.fixture
def partitions(shop: LakeShop) -> dg.DynamicPartitionsDefinition:
    found = definitions(shop).resolve_asset_graph().get(key_of(shop, "Orders")).partitions_def
    assert isinstance(found, dg.DynamicPartitionsDefinition)
    return found


def numbers(orders: pa.Table) -> list[int]:
    found: list[Any] = orders["OrderNo"].to_pylist()
    return found


def table_input(orders: pa.Table) -> list[int]:
    return numbers(orders)


def batches_input(orders: pa.RecordBatchReader) -> list[int]:
    return numbers(orders.read_all())


def relation_input(orders: duckdb.DuckDBPyRelation) -> list[int]:
    return [number for (number,) in orders.project("OrderNo").fetchall()]


def pandas_input(orders: pd.DataFrame) -> list[int]:
    assert str(orders.dtypes["OrderNo"]) == "int32[pyarrow]"
    return [int(number) for number in orders["OrderNo"]]


FORMS: list[Callable[..., list[int]]] = [table_input, batches_input, relation_input, pandas_input]


@pytest.mark.parametrize("read", FORMS)
def test_a_typed_input_of_an_unpartitioned_asset_is_the_whole_table(
    shop: LakeShop, partitions: dg.DynamicPartitionsDefinition, read: Callable[..., list[int]]
) -> None:
    """Dagster would ask for every partition that it knows, also one that was never loaded."""
    report = dg.asset(name="report", ins={"orders": dg.AssetIn(key_of(shop, "Orders"))})(read)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(partitions.name), [FIRST, SECOND, LAST, "[99,100)"])
        done = run(shop, report, instance)
        assert done.success, done.all_events
        assert sorted(done.output_for_node("report")) == list(range(1, 30))


def test_a_partition_downstream_gets_exactly_its_partition(
    shop: LakeShop, partitions: dg.DynamicPartitionsDefinition
) -> None:
    orders = dg.AssetIn(key_of(shop, "Orders"), metadata={"columns": ["OrderNo"]})

    @dg.asset(partitions_def=partitions, ins={"orders": orders})
    def per_partition(orders: pa.Table) -> tuple[list[str], list[int]]:
        return orders.column_names, numbers(orders)

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(partitions.name), [LAST, FIRST, SECOND, "[99,100)"])
        one = run(shop, per_partition, instance, partition_key=SECOND)
        assert one.output_for_node("per_partition") == (["OrderNo"], list(range(10, 20)))
        never = run(shop, per_partition, instance, partition_key="[99,100)")
        assert "no load of partition [99,100)" in str(never.get_step_failure_events()[0].event_specific_data)


def test_a_range_comes_in_boundary_order_whatever_dagsters_order_is(
    shop: LakeShop, partitions: dg.DynamicPartitionsDefinition
) -> None:
    read: list[int] = []

    @dg.asset(partitions_def=partitions, ins={"orders": dg.AssetIn(key_of(shop, "Orders"))})
    def of_range(orders: pa.Table) -> None:
        read.extend(numbers(orders))

    span = {"dagster/asset_partition_range_start": LAST, "dagster/asset_partition_range_end": FIRST}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(partitions.name), [SECOND, LAST, FIRST])
        assert run(shop, of_range, instance, tags=span).success
    assert read == [*range(1, 10), *range(20, 30)]


def test_several_tables_of_each_kind_in_one_asset(shop: LakeShop) -> None:
    ins = {name.lower(): dg.AssetIn(key_of(shop, name)) for name in ("Customers", "Countries", "Parcels")}
    ins["stored"] = dg.AssetIn(key_of(shop, "Orders"), metadata={"read_from": "warehouse"})

    @dg.asset(ins=ins)
    def all_of_them(customers: pa.Table, countries: pd.DataFrame, parcels: pa.Table, stored: Any) -> list[int]:
        return [len(customers), len(countries), len(parcels), len(stored)]

    with dg.DagsterInstance.ephemeral() as instance:
        assert run(shop, all_of_them, instance).output_for_node("all_of_them") == [4, 3, 3, 29]


def test_a_type_that_no_table_can_be_and_a_wrong_place_are_refused_with_a_remedy(shop: LakeShop) -> None:
    countries = dg.AssetIn(key_of(shop, "Countries"))

    @dg.asset(ins={"countries": countries})
    def as_text(countries: str) -> None: ...

    @dg.asset(ins={"countries": dg.AssetIn(key_of(shop, "Countries"), metadata={"read_from": "moon"})})
    def elsewhere(countries: pa.Table) -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        for asset, said in ((as_text, "annotate the input as one of"), (elsewhere, "auto, lake, warehouse")):
            failed = run(shop, asset, instance)
            assert said in str(failed.get_step_failure_events()[0].event_specific_data)


def test_the_manager_of_tables_writes_nothing(shop: LakeShop) -> None:
    @dg.asset(io_manager_key="dltsync__tables")
    def ours() -> int:
        return 1

    with dg.DagsterInstance.ephemeral() as instance:
        failed = run(shop, ours, instance)
        assert "only reads them" in str(failed.get_step_failure_events()[0].event_specific_data)


def test_a_frame_without_its_package_says_what_to_install(shop: LakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.asset(ins={"countries": dg.AssetIn(key_of(shop, "Countries"))})
    def as_frame(countries: pd.DataFrame) -> int:
        return len(countries)

    monkeypatch.setitem(sys.modules, "pandas", None)
    with dg.DagsterInstance.ephemeral() as instance:
        failed = run(shop, as_frame, instance)
        assert "pip install 'dltsync[pandas]'" in str(failed.get_step_failure_events()[0].event_specific_data)


def test_polars_frames_are_exact(shop: LakeShop) -> None:
    polars = pytest.importorskip("polars")

    def read(orders: Any, lazy: Any) -> list[int]:
        assert orders.schema["OrderNo"] == polars.Int32
        assert lazy.select("Code").collect().height == 3
        return sorted(orders["OrderNo"].to_list())

    read.__annotations__ |= {"orders": polars.DataFrame, "lazy": polars.LazyFrame, "return": list[int]}
    ins = {"orders": dg.AssetIn(key_of(shop, "Orders")), "lazy": dg.AssetIn(key_of(shop, "Countries"))}
    asset = dg.asset(name="report", ins=ins)(read)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(shop, asset, instance).output_for_node("report") == list(range(1, 30))


# -- the resource -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config_file(shop: LakeShop) -> Path:
    written = yaml.safe_load(shop.config().model_dump_json(exclude_unset=True))
    written["database"]["password"] = "${SHOP_PASSWORD:-none}"
    file = shop.root / "shop.yaml"
    file.write_text(yaml.safe_dump(written))
    return file


def test_the_resource_gives_each_form_without_asking_the_source(shop: LakeShop, config_file: Path) -> None:
    @dg.asset
    def report(tables: DltsyncTables) -> list[Any]:
        return [
            tables.arrow("sales.Orders", partitions=[SECOND]).num_rows,
            sum(batch.num_rows for batch in tables.record_batches("Parcels")),
            len(tables.pandas("dbo.Countries", columns=["Code"])),
            tables.relation("sales.Customers").aggregate("count(*)").fetchone(),
            tables.arrow("sales.Customers", read_from="lake").num_rows,
        ]

    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([report], instance=instance, resources={"tables": DltsyncTables(config=str(config_file))})
        assert done.output_for_node("report") == [10, 3, 3, (4,), 4]


def test_the_path_may_be_an_environment_variable(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.asset
    def report(tables: DltsyncTables) -> int:
        return tables.arrow("sales.Orders").num_rows

    monkeypatch.setenv("SHOP_CONFIG", str(config_file))
    with dg.DagsterInstance.ephemeral() as instance:
        tables = DltsyncTables(config=dg.EnvVar("SHOP_CONFIG"))
        assert dg.materialize([report], instance=instance, resources={"tables": tables}).output_for_node("report") == 29


def test_another_location_reads_by_external_assets(config_file: Path) -> None:
    named = dg.AssetSpec("elsewhere", metadata={"dltsync/table": "dbo.Countries"})
    by_key = dg.AssetSpec(["warehouse", "Parcels"], metadata={"dagster/io_manager_key": "tables"})

    @dg.asset(ins={"one": dg.AssetIn("elsewhere", input_manager_key="tables"), "other": dg.AssetIn(by_key.key)})
    def report(one: pa.Table, other: pa.Table) -> tuple[int, int]:
        return len(one), len(other)

    defs = dg.Definitions(assets=[named, by_key, report], resources={"tables": DltsyncTables(config=str(config_file))})
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(instance=instance, asset_selection=[report.key])
        assert done.output_for_node("report") == (3, 3)


def test_tables_of_two_pipelines_are_read_by_one_asset(shop: LakeShop, tmp_path: Path) -> None:
    other = LakeShop(tmp_path, pipeline_name="second-shop")
    other.source.tables[COUNTRIES].rows.pop()
    other.run()

    class Second(TableTranslator):
        def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
            return super().get_table_key(data).with_prefix("second")

    def opened(config: PipelineConfig) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(config, source=other.source)

    second = build_definitions(other.config(), settings=LocationSettings(), translator=Second(), open_pipeline=opened)
    tables = {key: value for key, value in (second.resources or {}).items() if key.endswith("__tables")}
    ours = [asset for asset in second.assets or [] if isinstance(asset, dg.AssetsDefinition)]
    upstream = [spec for asset in ours for spec in asset.specs if spec.key.path[0] == "second"]
    keys = dg.AssetIn(key_of(shop, "Countries")), dg.AssetIn(key_of(shop, "Countries").with_prefix("second"))

    @dg.asset(ins={"one": keys[0], "two": keys[1]})
    def both(one: pa.Table, two: pa.Table) -> tuple[int, int]:
        return len(one), len(two)

    merged = dg.Definitions.merge(definitions(shop, both), dg.Definitions(assets=upstream, resources=tables))
    with dg.DagsterInstance.ephemeral() as instance:
        job = merged.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(instance=instance, asset_selection=[both.key])
        assert done.output_for_node("both") == (3, 2)

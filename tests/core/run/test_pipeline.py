"""What a pipeline says without running: keys, probes, committed units, status, comparison. Nothing is written by looking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dltsync_core.config import SCDTableConfig
from dltsync_core.errors import ConfigError, StateError, TableNotFound, WarehouseError
from dltsync_core.plan.keys import business_keys, keys_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.scd_target import scd_target
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, MemoryShop, order


@pytest.fixture
def place(tmp_path: Path) -> MemoryShop:
    return MemoryShop(tmp_path)


def test_partition_keys_come_in_catalogue_order(place: MemoryShop) -> None:
    with place.pipeline() as pipeline:
        assert pipeline.partition_keys("orders") == ["(-inf,10)", "[10,20)", "[20,+inf)"]
        with pytest.raises(ConfigError, match=r"dbo\.Countries is configured as static"):
            pipeline.partition_keys("Countries")


@pytest.mark.parametrize("table", ["Orders", "Customers", "Countries"])
def test_probes_equal_heads_until_something_changes(place: MemoryShop, table: str) -> None:
    place.run()
    with place.pipeline() as pipeline:
        committed_units = pipeline.committed(table)
        assert {unit: committed_unit.probe for unit, committed_unit in committed_units.items()} == pipeline.probe(table)
        place.rows(ORDERS).append(order(30))
        place.rows(COUNTRIES).clear()
        del place.rows(CUSTOMERS)[0]
        assert {unit: committed_unit.probe for unit, committed_unit in committed_units.items()} != pipeline.probe(table)


def test_committed_asks_the_ledger_only_whatever_the_case(place: MemoryShop) -> None:
    place.run()
    place.source.unreachable = TableNotFound("never asked")
    with place.pipeline() as pipeline:
        committed_units = pipeline.committed("SALES.ORDERS")
    assert {unit: committed_unit.rows for unit, committed_unit in committed_units.items()} == {
        "(-inf,10)": 9,
        "[10,20)": 10,
        "[20,+inf)": 10,
    }


def test_nothing_is_committed_before_the_first_run_and_looking_creates_nothing(
    place: MemoryShop, tmp_path: Path
) -> None:
    with place.pipeline() as pipeline:
        assert pipeline.committed("Orders") == {}
        status = pipeline.get_pipeline_status()
        report = pipeline.validate_all_tables()
    assert [(t["table"], t["units"], t["last_committed_at"]) for t in status["tables"]] == [
        ("sales.Orders", 0, None),
        ("sales.Customers", 0, None),
        ("dbo.Countries", 0, None),
    ]
    assert (report["valid"], report["valid_tables"], report["total_tables"]) == (False, 0, 3)
    assert list(tmp_path.iterdir()) == []


def test_the_status_is_json_and_tells_rows_and_watermark(place: MemoryShop) -> None:
    place.run()
    with place.pipeline() as pipeline:
        status = json.loads(json.dumps(pipeline.get_pipeline_status()))
    assert status["database_connected"] is True
    assert status["database_error"] is None
    assert status["lake_bytes"] > 0
    found = {t["table"]: (t["kind"], t["target"], t["units"], t["rows"], t["watermark"]) for t in status["tables"]}
    assert found == {
        "sales.Orders": ("partition", "warehouse.Orders", 3, 29, None),
        "sales.Customers": ("scd", "warehouse.Customers", 1, 4, "2026-01-06 00:00:00.000000"),
        "dbo.Countries": ("static", "warehouse.Countries", 1, 3, None),
    }


def test_the_password_is_nowhere(place: MemoryShop, tmp_path: Path) -> None:
    place.source.fail["extract dbo.Countries all"] = [RuntimeError("driver said PWD=hunter22;")]
    result = place.run()
    with place.pipeline() as pipeline:
        texts = [
            json.dumps(result.as_dict()),
            repr(result),
            json.dumps(pipeline.get_pipeline_status()),
            repr(pipeline.config),
        ]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("hunter22" in text for text in texts)
    assert not any(b"hunter22" in content for content in files)
    assert "PWD=***" in result["errors"][0]


def test_all_tables_are_valid_after_a_run(place: MemoryShop) -> None:
    place.run()
    with place.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
    assert (report["valid"], report["valid_tables"], report["total_tables"]) == (True, 3, 3)
    units = {(t["table"], u["unit"]): u["source"] for t in report["tables"] for u in t["units"]}
    assert units[("sales.Orders", "[10,20)")] == 10


def test_a_difference_is_found_where_it_is(place: MemoryShop) -> None:
    place.run()
    place.rows(ORDERS).append(order(12, "new"))
    place.warehouse.tables[("warehouse", "Countries")].pop()
    with place.pipeline() as pipeline:
        report = pipeline.validate_all_tables(["Orders", "Countries"])
    assert report["valid_tables"] == 0
    assert {t["table"]: t["messages"] for t in report["tables"]} == {
        "sales.Orders": ["[10,20): 11 rows in source, 10 in lake, 10 in warehouse"],
        "dbo.Countries": ["all: 3 rows in source, 3 in lake, 2 in warehouse"],
    }


def test_rows_of_no_partition_and_damaged_files_are_told(place: MemoryShop, tmp_path: Path) -> None:
    place.run()
    place.warehouse.tables[("warehouse", "Customers")].append({"CustomerNo": 99})
    torn = next(iter(sorted(tmp_path.glob("lake/*/dbo_Countries*/data/*.parquet"))))
    torn.write_bytes(b"torn")
    with place.pipeline() as pipeline:
        report = {t["table"]: t for t in pipeline.validate_all_tables()["tables"]}
    assert not report["sales.Customers"]["valid"]
    assert report["sales.Orders"]["valid"]
    assert any(torn.name in message for message in report["dbo.Countries"]["messages"])


def test_a_table_that_cannot_be_compared_says_why(place: MemoryShop) -> None:
    place.run()
    del place.source.tables[COUNTRIES]
    with place.pipeline() as pipeline:
        report = {t["table"]: t for t in pipeline.validate_all_tables()["tables"]}
    assert report["dbo.Countries"]["messages"] == ["no table dbo.Countries\n  -> did you mean sales.Orders?"]
    assert report["sales.Orders"]["valid"]


def test_a_plan_raises_what_a_table_meets(place: MemoryShop) -> None:
    del place.source.tables[COUNTRIES]
    with place.pipeline() as pipeline, pytest.raises(TableNotFound):
        pipeline.plan()


def test_a_damaged_ledger_is_told_before_anything_is_read(place: MemoryShop, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(StateError, match="is damaged"):
        place.run()
    assert place.source.extracts() == []


def test_a_copy_of_the_ledger_is_made_before_each_run(place: MemoryShop, tmp_path: Path) -> None:
    place.run()
    place.run()
    assert len(list((tmp_path / "state" / "backups").iterdir())) == 2


def test_the_copy_can_be_switched_off(tmp_path: Path) -> None:
    MemoryShop(tmp_path, backup_state_before_run=False).run()
    assert not (tmp_path / "state" / "backups").exists()


def test_a_pipeline_is_built_from_a_mapping(tmp_path: Path) -> None:
    pipeline = IncrementalSQLServerParquetPipeline(
        {
            "database": {"server": "s", "database": "d", "integrated_security": True},
            "static_tables": [{"table_name": "T"}],
            "state": {"state_directory": "here/state"},
        }
    )
    assert pipeline.config.state.state_directory == Path.cwd() / "here" / "state"
    assert not (Path.cwd() / "here").exists()


def test_version_keys_are_found_in_the_catalogue(place: MemoryShop) -> None:
    table = SCDTableConfig(table_name="Customers", schema_name="sales", last_modified_column="Changed")
    facts = place.source.read_tables([table])[CUSTOMERS]
    assert business_keys(facts, table) == ("CustomerNo",)
    assert keys_of(facts, table) == ("CustomerNo", "EffectiveDate")


def test_business_keys_that_cannot_be_found_are_asked_for(place: MemoryShop) -> None:
    place.source.tables[CUSTOMERS].unique_keys = ()
    place.source.tables[CUSTOMERS].primary_key = ()
    result = place.run(table_types=["scd"])
    assert result.failed[0].error_type == "ConfigError"
    assert "name it in business_key_columns" in str(result.failed[0].error)


def test_the_history_of_a_table_is_named_in_the_spelling_of_the_warehouse(place: MemoryShop) -> None:
    config = place.config()
    with pytest.raises(WarehouseError, match=r"no table warehouse\.Customers yet"):
        scd_target(config, place.source, place.warehouse, "customers")
    place.run()
    found = scd_target(config, place.source, place.warehouse, "customers")
    assert (found.target, found.columns.business_keys, found.columns.effective_date) == (
        ("warehouse", "Customers"),
        ("CustomerNo",),
        "EffectiveDate",
    )
    with pytest.raises(ConfigError, match="not configured as scd"):
        scd_target(config, place.source, place.warehouse, "Orders")

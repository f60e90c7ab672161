"""What the specified fields and methods do in a run, where no other test shows it (core/config/test_specified_fields.py)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import (
    DatabaseConfig,
    DestinationConfig,
    IncrementalSQLServerParquetPipeline,
    PartitionTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.clock import utc_now
from dltsync_core.connect.connection_string import data_string
from dltsync_core.plan import selection
from dltsync_core.testing import FakeTable, bit_column, datetime_column, int_column
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, MemoryShop, version


def opened(place: MemoryShop, **update: Any) -> IncrementalSQLServerParquetPipeline:
    """The pipeline of a shop with other parts of the config."""
    config = place.config().model_copy(update=update)
    return IncrementalSQLServerParquetPipeline(config, source=place.source, warehouse=place.warehouse)


def test_the_port_is_that_of_the_config() -> None:
    database = DatabaseConfig(server="db", port=1499, database="d", username="u", password="p")
    assert "{tcp:db,1499}" in data_string(database)


def test_target_names_are_those_of_the_warehouse(place: MemoryShop) -> None:
    table = PartitionTableConfig(table_name="Orders", schema_name="sales", target_table="Sales", target_schema="gold")
    countries = StaticTableConfig(table_name="Countries")
    destination = DestinationConfig(path=place.root / "house.duckdb", dataset_name="silver")
    with opened(
        place, partition_tables=[table], scd_tables=[], static_tables=[countries], destination=destination
    ) as made:
        assert made.run().success
    assert set(place.warehouse.tables) == {("gold", "Sales"), ("silver", "Countries")}
    assert len(place.warehouse.tables["gold", "Sales"]) == len(place.rows(ORDERS))


def test_versions_are_found_by_the_columns_of_the_config(place: MemoryShop) -> None:
    names = {"EffectiveDate": "Since", "EndDate": "Until", "IsLatest": "Current", "Changed": "Touched"}
    place.source.tables[CUSTOMERS] = FakeTable(
        (
            int_column("CustomerNo"),
            datetime_column("Since"),
            datetime_column("Until"),
            bit_column("Current"),
            datetime_column("Touched"),
        ),
        [
            {names.get(name, name): value for name, value in version(key, day, "").items() if name != "Name"}
            for key, day in ((1, 1), (1, 5), (2, 2))
        ],
        primary_key=("CustomerNo", "Since"),
    )
    given = {
        "effective_date_column": "Since",
        "end_date_column": "Until",
        "is_latest_column": "Current",
        "last_modified_column": "Touched",
    }
    place.scd = {**given, "business_key_columns": ["CustomerNo"]}
    assert place.run(table_types=["scd"]).success
    assert len(place.warehouse_rows(CUSTOMERS)) == 3
    for field in given:
        place.scd = {**given, field: "Nowhere"}
        result = place.run(table_types=["scd"])
        assert not result.success
        assert "Nowhere" in str(result["errors"]), field


@pytest.mark.parametrize(("lag", "read"), [(0, 2), (2 * 86_400, 3), (30 * 86_400, 5)])
def test_an_increment_reads_as_far_back_as_the_lag(place: MemoryShop, lag: int, read: int) -> None:
    """Stamps are of the days 1, 2, 5, 6 and, new, 7; the watermark is that of day 6."""
    place.scd = {"lag_seconds": lag}
    assert place.run(table_types=["scd"]).success
    place.rows(CUSTOMERS).append(version(4, 7, "Dan"))
    (unit,) = place.run(table_types=["scd"]).units
    assert (unit.status, unit.rows_read) == ("committed", read)


def test_an_old_load_is_done_again(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    place.static = {"force_reload_after": "7d"}
    for days, status in ((0, "committed"), (6, "skipped"), (8, "committed")):
        later = utc_now() + timedelta(days=days)
        monkeypatch.setattr(selection, "utc_now", lambda later=later: later)
        (unit,) = place.run(table_names=["dbo.Countries"]).units
        assert (days, unit.status) == (days, status)


@pytest.mark.parametrize(
    ("processing", "parallel", "at_once"),
    [
        ({"max_workers": 4, "partition_parallel_limit": 1}, True, 3),  # one partition, and two tables
        ({"max_workers": 4, "partition_parallel_limit": 2}, True, 4),
        ({"max_workers": 2, "partition_parallel_limit": 2}, True, 2),
        ({"max_workers": 4, "partition_parallel_limit": 2}, False, 1),
    ],
)
def test_units_are_read_in_parallel_up_to_the_limits(
    place: MemoryShop, processing: Mapping[str, Any], *, parallel: bool, at_once: int
) -> None:
    """As many as the limits allow, and after all of these are there, no other one for a moment."""
    place.processing = dict(processing)
    changed, inside, most, reached = threading.Condition(), 0, 0, False

    def reading() -> None:
        nonlocal inside, most, reached
        with changed:
            inside += 1
            most = max(most, inside)
            reached = reached or inside >= at_once
            changed.notify_all()
            assert changed.wait_for(lambda: reached, timeout=60), f"{most} units at once"
            changed.wait_for(lambda: inside > at_once, timeout=0.02)
            inside -= 1

    place.source.during_extract = reading
    assert place.run(parallel_execution=parallel).success
    assert most == at_once


def test_state_and_lake_lie_where_the_config_says(place: MemoryShop, tmp_path: Path) -> None:
    state = StateConfig(state_directory=tmp_path / "elsewhere", parquet_directory=tmp_path / "files")
    with opened(place, state=state, pipeline_name="nightly") as made:
        assert made.run().success
    assert list((tmp_path / "elsewhere").glob("*.db"))
    assert len(list((tmp_path / "files" / "nightly").iterdir())) == 3
    assert not (tmp_path / "lake").exists()


def test_a_run_gives_the_specified_figures(place: MemoryShop) -> None:
    with place.pipeline() as made:
        results = made.run(parallel_execution=True)
        assert (results["tables_processed"], results["total_records"]) == (3, 29 + 4 + 3)
        assert 0 < results["total_duration_seconds"] < 600
        found = made.validate_all_tables()
        assert (found["valid_tables"], found["total_tables"]) == (3, 3)
        assert made.get_pipeline_status()["database_connected"] is True
        assert callable(made.scd_handler.repair_scd_integrity)


@pytest.mark.parametrize(
    ("chosen", "tables"),
    [
        ({"table_types": ["partition"]}, {ORDERS}),
        ({"table_types": ["scd", "static"]}, {CUSTOMERS, COUNTRIES}),
        ({"table_names": ["sales.Orders"]}, {ORDERS}),
        ({"table_names": ["sales.Customers", "dbo.Countries"]}, {CUSTOMERS, COUNTRIES}),
    ],
)
def test_a_run_may_choose_tables_and_kinds(place: MemoryShop, chosen: dict[str, Any], tables: set[Any]) -> None:
    config = place.config()
    assert [len(each) for each in (config.partition_tables, config.scd_tables, config.static_tables)] == [1, 1, 1]
    result = place.run(**chosen)
    assert result.success
    assert {unit.table for unit in result.units} == tables

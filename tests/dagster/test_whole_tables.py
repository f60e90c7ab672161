"""scd and static tables, their observed sources, the check of versions, and the job for everything."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from dltsync_core.config import DestinationConfig
from dltsync_core.errors import CatalogError, FidelityError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import build_definitions
from tests.dagster.conftest import (
    COUNTRIES,
    CUSTOMERS,
    FEBRUARY,
    JANUARY,
    MARCH,
    NORTH,
    ORDERS,
    PIPELINE,
    ROUTES,
    SHIPMENTS,
    SOUTH,
    FakeLocation,
    shop_config,
)

SOURCE = dg.AssetKey(["sqlserver", "Shop", "dbo", "Countries"])


def latest(shop: FakeLocation, key: dg.AssetKey) -> dg.AssetMaterialization:
    event = shop.instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def test_a_load_shows_its_rows_and_its_version(shop: FakeLocation) -> None:
    assert shop.materialize(COUNTRIES).success
    event = latest(shop, COUNTRIES)
    assert event.metadata["dagster/row_count"].value == 7
    assert event.metadata["dltsync/counts_equal"].value is True
    assert (event.tags or {})["dagster/data_version"] == "v0"


def test_notes_of_a_run_are_an_observation_of_what_it_loaded(shop: FakeLocation) -> None:
    """They are known at the end of the run only, when its materializations are in Dagster already."""
    shop.world.notes = ("sales.Orders: rows were added, removed or moved while the run read",)
    shop.look("partition_boundaries")
    shop.materialize(COUNTRIES)
    shop.materialize(ORDERS, partition=JANUARY)
    for key in (COUNTRIES, ORDERS):
        (record,) = shop.instance.fetch_observations(key, limit=10).records
        assert record.asset_observation is not None
        assert record.asset_observation.metadata["dltsync/notes"].value == shop.world.notes[0]


def test_the_button_loads_and_the_sensor_only_what_changed(shop: FakeLocation) -> None:
    shop.materialize(COUNTRIES)
    shop.materialize(COUNTRIES)
    shop.materialize(COUNTRIES, options={"only_if_changed": True})
    assert [call.read for call in shop.world.calls] == [(WHOLE_TABLE,), (WHOLE_TABLE,), ()]
    assert latest(shop, COUNTRIES).metadata["dagster/row_count"].value == 7


def test_a_full_refresh_is_passed_on(shop: FakeLocation) -> None:
    shop.materialize(CUSTOMERS, options={"full_refresh": True})
    assert shop.world.calls[0].full_refresh


def test_observing_a_source_gives_the_probe_as_its_version(shop: FakeLocation) -> None:
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=shop.instance, asset_selection=[SOURCE]).success
    (record,) = shop.instance.fetch_observations(SOURCE, limit=10).records
    assert record.asset_observation is not None
    assert record.asset_observation.tags["dagster/data_version"] == "v0"


def checks(shop: FakeLocation, run: dg.ExecuteInProcessResult) -> dict[str, bool]:
    records = shop.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [record.get_dagster_event().asset_check_evaluation_data for record in records]
    return {evaluation.check_name: evaluation.passed for evaluation in found}


def test_versions_are_checked_with_each_load(shop: FakeLocation) -> None:
    assert checks(shop, shop.materialize(CUSTOMERS)) == {"row_counts": True, "schema": True, "version_integrity": True}
    shop.world.findings.append("several_latest")
    assert checks(shop, shop.materialize(CUSTOMERS)) == {"row_counts": True, "schema": True, "version_integrity": False}


def test_a_warehouse_that_checks_no_histories_is_loaded_without_that_check(shop: FakeLocation) -> None:
    """The step of the load evaluated it all the same, and failed after its commit."""
    login = {"server": "dw.example", "database": "dw", "username": "writer", "password": "p"}
    destination = DestinationConfig(type="dlt", destination="postgres", credentials="postgresql://dw.example/dw")
    for place in (DestinationConfig(type="sqlserver", connection=login), destination):
        if place.checks_histories:
            continue
        config = shop_config().model_copy(update={"destination": place})
        there = replace(shop, definitions=build_definitions(config, open_pipeline=shop.world.open))
        shop.world.findings.append("asked all the same")
        assert checks(there, there.materialize(CUSTOMERS)) == {"row_counts": True, "schema": True}


def everything(shop: FakeLocation) -> dg.ExecuteInProcessResult:
    return shop.definitions.resolve_job_def(f"{PIPELINE}__sync_everything").execute_in_process(
        instance=shop.instance, raise_on_error=False
    )


def test_the_job_for_everything_needs_no_sensor(shop: FakeLocation) -> None:
    assert everything(shop).success
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH]
    assert shop.instance.get_materialized_partitions(ORDERS) == {JANUARY, FEBRUARY, MARCH}
    assert latest(shop, CUSTOMERS).metadata["dagster/row_count"].value == 5
    shop.orders.change(FEBRUARY)
    assert everything(shop).success
    assert shop.world.calls[-1].read == (FEBRUARY,)


def test_the_job_for_everything_keeps_the_partitions_of_each_table_apart(shop: FakeLocation) -> None:
    assert everything(shop).success
    assert shop.stored_partitions(ROUTES) == [NORTH, SOUTH]
    assert shop.instance.get_materialized_partitions(SHIPMENTS) == {NORTH, SOUTH}
    assert shop.instance.get_materialized_partitions(ORDERS) == {JANUARY, FEBRUARY, MARCH}


def test_a_table_that_cannot_be_looked_at_stops_no_other(shop: FakeLocation) -> None:
    shop.world.broken["sales.Orders"] = CatalogError("sales.Orders is gone", remedy="look for it")
    run = everything(shop)
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert "sales.Orders is gone" in str(failure.step_failure_data.user_failure_data)
    assert shop.instance.get_materialized_partitions(SHIPMENTS) == {NORTH, SOUTH}
    assert latest(shop, COUNTRIES).metadata["dagster/row_count"].value == 7


def test_the_job_reports_what_is_done_when_a_table_fails(shop: FakeLocation) -> None:
    shop.world.failing[FEBRUARY] = FidelityError("a value does not fit")
    assert not everything(shop).success
    assert shop.instance.get_materialized_partitions(ORDERS) == {JANUARY, MARCH}
    assert latest(shop, COUNTRIES).metadata["dagster/row_count"].value == 7

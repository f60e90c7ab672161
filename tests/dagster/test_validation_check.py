"""The check `three_way_validation`: one result for each partition, only when it is asked for, and none of it hidden."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from dltsync_core.errors import CatalogError, FidelityError, ServerUnreachable, ValidationFailed
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.run.result import UnitResult
from dltsync_core.validate.column_stats import ColumnDifference
from dltsync_dagster.check_outcomes import outcomes_of
from dltsync_dagster.checks import load_outcomes
from tests.dagster.conftest import (
    COUNTRIES,
    CUSTOMERS,
    FEBRUARY,
    JANUARY,
    MARCH,
    NORTH,
    ORDERS,
    PIPELINE,
    SECRET,
    SHIPMENTS,
    SOUTH,
    SUPPLIERS,
    THREE_WAY,
    FakeLocation,
)
from tests.dagster.fakes import Comparison

AMOUNT = ColumnDifference("Amount", "sum", "10.00", "10.00", "9.99")


def loaded(shop: FakeLocation) -> FakeLocation:
    shop.begin_loaded("partition_boundaries")
    return shop


def test_a_range_is_checked_partition_by_partition(shop: FakeLocation) -> None:
    loaded(shop).world.damaged[FEBRUARY] = (AMOUNT,)
    run = shop.check(ORDERS, between=(JANUARY, FEBRUARY))
    assert run.success, "a check that fails is no run that fails"
    said = shop.evaluations(run, THREE_WAY)
    assert {key: one.passed for key, one in said.items()} == {JANUARY: True, FEBRUARY: False}
    assert said[FEBRUARY].description == f"{FEBRUARY}: Amount: sum source 10.00, lake 10.00, warehouse 9.99"
    assert said[FEBRUARY].severity is dg.AssetCheckSeverity.ERROR
    assert shop.partitions_shown(THREE_WAY) == {"SUCCEEDED": {JANUARY}, "FAILED": {FEBRUARY}}
    assert shop.world.comparisons == [Comparison("sales.Orders", (JANUARY, FEBRUARY), None)]


def test_the_result_shows_rows_and_figures_as_tables(shop: FakeLocation) -> None:
    loaded(shop).world.damaged[FEBRUARY] = (AMOUNT,)
    said = shop.evaluations(shop.check(ORDERS, partition=FEBRUARY), THREE_WAY)[FEBRUARY]
    assert [said.metadata[f"dltsync/{place}_rows"].value for place in ("source", "lake", "warehouse")] == [20, 20, 20]
    assert str(said.metadata["dltsync/differences"].value).splitlines()[2:] == [
        f"| `{FEBRUARY}` | `Amount` | sum | `10.00` | `10.00` | `9.99` |"
    ]


def test_a_new_load_makes_the_result_out_of_date(shop: FakeLocation) -> None:
    loaded(shop).world.damaged[FEBRUARY] = (AMOUNT,)
    shop.check(ORDERS, between=(JANUARY, FEBRUARY))
    shop.world.damaged.clear()
    shop.materialize(ORDERS, partition=FEBRUARY)
    assert FEBRUARY not in shop.partitions_shown(THREE_WAY).get("FAILED", set())
    shop.check(ORDERS, partition=FEBRUARY)
    assert shop.partitions_shown(THREE_WAY) == {"SUCCEEDED": {JANUARY, FEBRUARY}}


def test_without_a_partition_all_are_checked_and_the_table_beside_them(shop: FakeLocation) -> None:
    """Rows that lie in no partition, and files of a partition that is gone, belong to none of them."""
    loaded(shop).world.strange.append("the warehouse table holds 31 rows, its partitions 30")
    said = shop.evaluations(shop.check(ORDERS), THREE_WAY)
    assert {key: one.passed for key, one in said.items()} == {JANUARY: True, FEBRUARY: True, MARCH: True, None: False}
    assert said[None].description == "the warehouse table holds 31 rows, its partitions 30"
    assert len(str(said[None].metadata["dltsync/units"].value).splitlines()) == 5


@pytest.mark.parametrize("key", [CUSTOMERS, COUNTRIES])
def test_a_whole_table_has_one_result(shop: FakeLocation, key: dg.AssetKey) -> None:
    shop.materialize(key)
    assert shop.evaluations(shop.check(key), THREE_WAY)[None].passed
    shop.world.damaged[WHOLE_TABLE] = (AMOUNT,)
    said = shop.evaluations(shop.check(key), THREE_WAY)
    assert list(said) == [None]
    assert (said[None].passed, said[None].description) == (
        False,
        "all: Amount: sum source 10.00, lake 10.00, warehouse 9.99",
    )


def test_fingerprint_and_rows_are_asked_for_by_config(shop: FakeLocation) -> None:
    """Rows only then: their values are stored with the result."""
    shop.check(COUNTRIES, options={"fingerprint": "md5"})
    shop.check(COUNTRIES, options={"row_diff": True})
    assert shop.world.comparisons == [
        Comparison("dbo.Countries", None, "md5", row_diff=False),
        Comparison("dbo.Countries", None, None, row_diff=True),
    ]


@pytest.mark.parametrize("key", [ORDERS, CUSTOMERS])
def test_a_load_does_not_read_everything_again(shop: FakeLocation, key: dg.AssetKey) -> None:
    """Dagster runs the checks of an asset along with it, unless told otherwise: the button in the UI does not tell."""
    shop.add_partitions()
    run = shop.materialize(key, partition=JANUARY if key == ORDERS else None)
    assert run.success
    assert shop.world.comparisons == []
    assert shop.evaluations(run, THREE_WAY) == {}
    if key == ORDERS:
        assert shop.partitions_shown(THREE_WAY) == {"SKIPPED": {JANUARY}}


def test_a_sensor_asks_for_the_checks_that_belong_to_a_load(shop: FakeLocation) -> None:
    for table in (CUSTOMERS, SUPPLIERS):
        (request,) = shop.asked("scd_timestamps", table)
        assert {key.name for key in request.asset_check_keys or []} == {"row_counts", "schema", "version_integrity"}
        assert {key.asset_key for key in request.asset_check_keys or []} == {table}


def test_a_difference_beside_a_load_says_that_it_may_be_one(shop: FakeLocation) -> None:
    shop.world.damaged[WHOLE_TABLE] = (AMOUNT,)
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    shop.instance.create_run_for_job(job, asset_selection=frozenset([COUNTRIES]), status=dg.DagsterRunStatus.STARTED)
    said = shop.evaluations(shop.check(COUNTRIES), THREE_WAY)[None]
    assert "check again when it has ended" in str(said.description)


def test_a_partition_that_is_gone_is_refused_by_name(shop: FakeLocation) -> None:
    del loaded(shop).orders.units[FEBRUARY]
    run = shop.check(ORDERS, partition=FEBRUARY, raise_on_error=False)
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert f"no table has a partition {FEBRUARY}" in str(failure.step_failure_data.user_failure_data)


def test_a_server_that_is_down_fails_the_run_with_its_message_and_not_the_check(shop: FakeLocation) -> None:
    shop.world.down = ServerUnreachable("nobody answers at db.example:1433", remedy="start it")
    run = shop.check(COUNTRIES, raise_on_error=False)
    assert not run.success
    assert shop.evaluations(run, THREE_WAY) == {}
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert "nobody answers at db.example:1433" in str(failure.step_failure_data.user_failure_data)


def test_no_result_holds_the_password(shop: FakeLocation) -> None:
    shop.world.damaged[WHOLE_TABLE] = (AMOUNT,)
    run = shop.check(COUNTRIES)
    assert SECRET not in str(shop.instance.all_logs(run.run_id))


def everything(shop: FakeLocation, **options: list[str]) -> dg.ExecuteInProcessResult:
    return shop.definitions.resolve_job_def(f"{PIPELINE}__validate_everything").execute_in_process(
        instance=shop.instance,
        run_config={"ops": {f"{PIPELINE}__validate_all_tables": {"config": options}}},
        raise_on_error=False,
    )


def test_the_job_for_everything_shows_each_partition_and_fails_when_one_differs(shop: FakeLocation) -> None:
    loaded(shop)
    assert everything(shop).success
    assert shop.partitions_shown(THREE_WAY) == {"SUCCEEDED": {JANUARY, FEBRUARY, MARCH}}
    shop.world.damaged[FEBRUARY] = (AMOUNT,)
    run = everything(shop)
    assert not run.success
    assert shop.partitions_shown(THREE_WAY) == {"SUCCEEDED": {JANUARY, MARCH}, "FAILED": {FEBRUARY}}
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert f"sales.Orders: {FEBRUARY}: Amount: sum source" in str(failure.step_failure_data.user_failure_data)


def test_the_job_for_everything_shows_each_partition_on_its_own_table(shop: FakeLocation) -> None:
    loaded(shop).world.damaged[SOUTH] = (AMOUNT,)
    assert not everything(shop).success
    assert shop.partitions_shown(THREE_WAY, ORDERS) == {"SUCCEEDED": {JANUARY, FEBRUARY, MARCH}}
    assert shop.partitions_shown(THREE_WAY, SHIPMENTS) == {"SUCCEEDED": {NORTH}, "FAILED": {SOUTH}}


def test_a_table_that_cannot_be_looked_at_stops_no_comparison_of_another(shop: FakeLocation) -> None:
    loaded(shop).world.broken["sales.Orders"] = CatalogError("sales.Orders is gone", remedy="look for it")
    run = everything(shop)
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert "sales.Orders is gone" in str(failure.step_failure_data.user_failure_data)
    assert shop.partitions_shown(THREE_WAY, SHIPMENTS) == {"SUCCEEDED": {NORTH, SOUTH}}
    assert {one.table for one in shop.world.comparisons} == set(shop.world.tables)


def test_the_job_says_what_is_wrong_with_the_table_whose_partition_is_asked_for(shop: FakeLocation) -> None:
    loaded(shop).world.broken["sales.Orders"] = CatalogError("sales.Orders is gone", remedy="look for it")
    assert everything(shop, partitions=[NORTH]).success
    (failure,) = [event for event in everything(shop, partitions=[JANUARY]).all_events if event.is_step_failure]
    assert "sales.Orders is gone" in str(failure.step_failure_data.user_failure_data)


def test_the_failure_is_the_last_result_of_a_run(shop: FakeLocation) -> None:
    """The UI shows the last one as that of the check."""
    loaded(shop).world.damaged[JANUARY] = (AMOUNT,)
    run = shop.check(ORDERS, between=(JANUARY, MARCH))
    assert list(shop.evaluations(run, THREE_WAY)) == [FEBRUARY, MARCH, JANUARY]


def test_the_job_compares_the_partitions_that_are_asked_for(shop: FakeLocation) -> None:
    """The UI cannot execute a check for single partitions by itself; the launchpad of the job can."""
    run = everything(loaded(shop), partitions=[FEBRUARY])
    assert list(shop.evaluations(run, THREE_WAY)) == [FEBRUARY]
    assert shop.world.comparisons == [Comparison("sales.Orders", (FEBRUARY,), None)]


def test_the_job_compares_the_tables_that_are_asked_for(shop: FakeLocation) -> None:
    assert everything(shop, tables=["dbo.Countries"]).success
    assert [one.table for one in shop.world.comparisons] == ["dbo.Countries"]


@pytest.mark.parametrize("options", [{"partitions": ["[1,2)"]}, {"tables": ["dbo.Countreis"]}])
def test_the_job_refuses_what_there_is_not(shop: FakeLocation, options: dict[str, list[str]]) -> None:
    (failure,) = [event for event in everything(shop, **options).all_events if event.is_step_failure]
    assert str(next(iter(options.values()))[0]) in str(failure.step_failure_data.user_failure_data)
    assert shop.world.comparisons == []


def test_its_schedule_starts_stopped(shop: FakeLocation) -> None:
    schedule = shop.definitions.resolve_schedule_def(f"{PIPELINE}__weekly_validation")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_what_is_shown_is_bounded_and_differences_come_first() -> None:
    units: list[dict[str, Any]] = [
        {
            "unit": f"[{n},{n + 1})",
            "source": 1,
            "lake": 1,
            "warehouse": 1,
            "equal": n != 999,
            "columns": [],
            "messages": [],
            "row_diff": None,
        }
        for n in range(1000)
    ]
    units[999]["messages"] = ["[999,1000): 1 row in source, 1 in lake, 0 in warehouse"]
    whole = outcomes_of({"units": units, "problems": [f"p{n}" for n in range(100)], "notes": []}, None)[-1]
    rows = str(whole.metadata["dltsync/units"].value).splitlines()
    assert "[999,1000)" in rows[2]
    assert (len(rows), rows[-1]) == (54, "and 950 more")
    assert whole.sentence == "p0; p1; p2; p3; p4; and 96 more"


def test_a_table_that_cannot_be_compared_says_why_on_each_partition() -> None:
    said = outcomes_of({"units": [], "problems": ["the table is gone"], "notes": []}, [JANUARY, MARCH])
    assert [(one.unit, one.passed, one.sentence) for one in said] == [
        (JANUARY, False, "the table is gone"),
        (MARCH, False, "the table is gone"),
    ]


# -- the check that the load itself reports -------------------------------------------------------------------------


def test_a_load_shows_what_it_compared_for_each_partition(shop: FakeLocation) -> None:
    shop.add_partitions()
    said = shop.evaluations(shop.materialize(ORDERS, between=(JANUARY, MARCH)), "row_counts")
    assert said[FEBRUARY].description == (
        "20 rows in source, lake and warehouse; lake and warehouse agree on the NULLs of 2 columns and the sums of 1"
    )
    assert str(said[FEBRUARY].metadata["dltsync/columns"].value).splitlines()[2:] == [
        "| `Id` | `0` | `0` |  |  |",
        "| `Amount` | `1` | `1` | `10.00` | `10.00` |",
    ]


def test_a_load_that_found_another_sum_names_partition_column_and_both_numbers(shop: FakeLocation) -> None:
    shop.add_partitions()
    message = f"sales.Orders {FEBRUARY}: the warehouse holds other values than the lake: Amount: sum lake 10.00, warehouse 9.99"
    shop.world.failing[FEBRUARY] = ValidationFailed(message, remedy="run again")
    run = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    said = shop.evaluations(run, "row_counts")
    assert {key: one.passed for key, one in said.items()} == {JANUARY: True, FEBRUARY: False, MARCH: True}
    assert str(said[FEBRUARY].description).startswith(message)
    assert str(said[FEBRUARY].metadata["dltsync/columns"].value).splitlines()[2] == (
        "| `Amount` | `1` | `1` | `10.00` | `9.99` |"
    ), "what differs comes first"


def test_a_load_that_ended_before_it_compared_says_so(shop: FakeLocation) -> None:
    shop.world.failing[WHOLE_TABLE] = FidelityError("a value does not fit")
    said = shop.evaluations(shop.materialize(COUNTRIES, raise_on_error=False), "row_counts")[None]
    assert (said.passed, said.description) == (
        False,
        "the load failed before the comparison: a value does not fit",
    )


def test_a_retry_keeps_the_results_of_the_partitions_that_were_done(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.world.failing[FEBRUARY] = ServerUnreachable("nobody answers")

    def recover(unit: str) -> None:
        if unit == MARCH:
            shop.world.failing.clear()

    shop.world.on_unit = recover
    run = shop.materialize(ORDERS, between=(JANUARY, MARCH))
    assert shop.partitions_shown("row_counts") == {"SUCCEEDED": {JANUARY, FEBRUARY, MARCH}}
    assert str(shop.evaluations(run, "row_counts")[JANUARY].description).startswith("10 rows in source")


def test_a_table_that_fails_as_a_whole_fails_the_check_of_each_partition_that_was_asked_for() -> None:
    whole = UnitResult(
        TableName("sales", "Orders"), "partition", WHOLE_TABLE, "failed", "", error="not there", error_type="x"
    )
    said = load_outcomes([whole], [JANUARY, MARCH])
    assert [(one.unit, one.passed) for one in said] == [(JANUARY, False), (MARCH, False)]

"""Ranged runs of a partition table: exact events per partition, also when they fail half way."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from dltsync_core.errors import FidelityError, ServerUnreachable
from tests.dagster.conftest import FEBRUARY, JANUARY, MARCH, ORDERS, FakeLocation


def events_of(shop: FakeLocation) -> dict[str, Any]:
    """Metadata of the newest materialisation of each partition, and how many there were in all."""
    page = shop.instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=ORDERS), limit=100)
    found: dict[str, Any] = {}
    for record in page.records:
        event = record.asset_materialization
        assert event is not None
        found.setdefault(str(event.partition), {name: value.value for name, value in event.metadata.items()})
    return found


def count_events(shop: FakeLocation) -> int:
    return len(shop.instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=ORDERS), limit=100).records)


def test_every_partition_gets_its_own_row_count(shop: FakeLocation) -> None:
    """Dagster repeats a run's metadata on every partition of a range unless told otherwise."""
    shop.add_partitions()
    assert shop.materialize(ORDERS, between=(JANUARY, MARCH)).success
    rows = {key: values["dagster/partition_row_count"] for key, values in events_of(shop).items()}
    assert rows == {JANUARY: 10, FEBRUARY: 20, MARCH: 0}
    assert count_events(shop) == 3
    totals = [values["dagster/row_count"] for values in events_of(shop).values()]
    assert totals == [30, 30, 10], "those of the table when each was committed, newest first"


def test_the_button_loads_also_what_did_not_change(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.materialize(ORDERS, partition=JANUARY)
    shop.materialize(ORDERS, partition=JANUARY)
    assert [call.read for call in shop.world.calls] == [(JANUARY,), (JANUARY,)]


def test_only_if_changed_reads_nothing_and_shows_what_is_committed(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.materialize(ORDERS, between=(JANUARY, MARCH))
    shop.orders.change(FEBRUARY, rows=21)
    shop.materialize(ORDERS, between=(JANUARY, MARCH), options={"only_if_changed": True})
    assert shop.world.calls[-1].read == (FEBRUARY,)
    assert events_of(shop)[JANUARY]["dltsync/status"] == "skipped"
    assert events_of(shop)[JANUARY]["dagster/partition_row_count"] == 10
    assert events_of(shop)[FEBRUARY]["dagster/partition_row_count"] == 21


def test_a_range_that_fails_half_way_keeps_the_partitions_that_are_done(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.world.failing[FEBRUARY] = FidelityError("a value does not fit", remedy="choose text")
    result = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    assert not result.success
    assert set(events_of(shop)) == {JANUARY, MARCH}
    assert events_of(shop)[JANUARY]["dagster/partition_row_count"] == 10
    assert shop.instance.get_materialized_partitions(ORDERS) == {JANUARY, MARCH}


def test_the_failure_shows_the_message_and_is_not_tried_again(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.world.failing[FEBRUARY] = FidelityError("a value does not fit", remedy="choose text")
    result = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    assert data.user_failure_data.description == (f"sales.Orders {FEBRUARY}: a value does not fit\n  -> choose text")
    assert len(shop.world.calls) == 1


def test_a_passing_failure_is_tried_again_without_loading_twice(shop: FakeLocation) -> None:
    """The retry goes on where the first attempt stopped, and every partition ends with its own metadata."""
    shop.add_partitions()
    shop.world.failing[FEBRUARY] = ServerUnreachable("nobody answers")

    def recover(unit: str) -> None:
        if unit == MARCH:
            shop.world.failing.clear()

    shop.world.on_unit = recover
    assert shop.materialize(ORDERS, between=(JANUARY, MARCH)).success
    assert [call.read for call in shop.world.calls] == [(JANUARY, MARCH), (FEBRUARY,)]
    rows = {key: values["dagster/partition_row_count"] for key, values in events_of(shop).items()}
    assert rows == {JANUARY: 10, FEBRUARY: 20, MARCH: 0}


def test_retries_end(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.world.failing[FEBRUARY] = ServerUnreachable("nobody answers")
    result = shop.materialize(ORDERS, partition=FEBRUARY, raise_on_error=False)
    assert not result.success
    assert len(shop.world.calls) == 3  # once, and two retries by default
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "nobody answers" in str(failure.step_failure_data.user_failure_data)


def test_a_run_that_is_cut_off_reports_what_was_committed(shop: FakeLocation) -> None:
    shop.add_partitions()
    shop.world.crash_at = (MARCH, RuntimeError("killed"))
    result = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    assert not result.success
    assert {key: values["dagster/partition_row_count"] for key, values in events_of(shop).items()} == {
        JANUARY: 10,
        FEBRUARY: 20,
    }


def test_an_empty_range_fails_instead_of_succeeding_with_nothing(shop: FakeLocation) -> None:
    """The keys of a split stand at the end of Dagster's list."""
    shop.add_partitions([MARCH, FEBRUARY, JANUARY])
    result = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    assert not result.success
    assert shop.world.calls == []


def test_a_partition_that_is_gone_is_refused_by_name(shop: FakeLocation) -> None:
    shop.add_partitions()
    del shop.orders.units[FEBRUARY]
    result = shop.materialize(ORDERS, partition=FEBRUARY, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert f"sales.Orders has no partition {FEBRUARY}" in str(failure.step_failure_data.user_failure_data)


@pytest.mark.parametrize("failing", [False, True])
def test_the_row_count_check_speaks_for_each_partition(shop: FakeLocation, failing: bool) -> None:
    shop.add_partitions()
    if failing:
        shop.world.failing[FEBRUARY] = FidelityError("no")
    result = shop.materialize(ORDERS, between=(JANUARY, MARCH), raise_on_error=False)
    said = shop.evaluations(result, "row_counts")
    assert {key: e.passed for key, e in said.items()} == {JANUARY: True, FEBRUARY: not failing, MARCH: True}
    shown = (
        {"SUCCEEDED": {JANUARY, MARCH}, "FAILED": {FEBRUARY}} if failing else {"SUCCEEDED": {JANUARY, FEBRUARY, MARCH}}
    )
    assert shop.partitions_shown("row_counts") == shown

"""Tables whose boundaries are regular dates, partitioned by Dagster's time windows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.clock import utc_now
from dltsync_core.errors import ConfigError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import LocationSettings, TableTranslator, TimeWindows, build_definitions
from dltsync_dagster.translator import TableTranslatorData
from tests.dagster.conftest import NORTH, SOUTH, FakeLocation, shop_config
from tests.dagster.fakes import FakeTable, FakeWorld

MONTHS = TimeWindows(start="2024-01-01", cron_schedule="0 0 1 * *", end="2024-04-01")
JANUARY, FEBRUARY, MARCH = "2024-01-01", "2024-02-01", "2024-03-01"
BEFORE, AFTER = "(-inf,2024-01-01)", "[2024-04-01,+inf)"


def slot(lower: str, upper: str) -> str:
    return f"[{lower},{upper})"


class Monthly(TableTranslator):
    """Orders by month; shipments, whose boundaries are numbers, by boundaries as ever."""

    def get_time_windows(self, data: TableTranslatorData) -> TimeWindows | None:
        return MONTHS if data.table.table_name == "Orders" else None


@pytest.fixture
def shop() -> Iterator[FakeLocation]:
    world = FakeWorld(
        {
            "sales.Orders": FakeTable(
                {
                    BEFORE: 0,
                    slot(JANUARY, FEBRUARY): 10,
                    slot(FEBRUARY, MARCH): 20,
                    slot(MARCH, "2024-04-01"): 30,
                    AFTER: 0,
                }
            ),
            "sales.Shipments": FakeTable({NORTH: 4, SOUTH: 6}),
            "dbo.Customers": FakeTable({WHOLE_TABLE: 5}),
            "dbo.Suppliers": FakeTable({WHOLE_TABLE: 3}),
            "dbo.Countries": FakeTable({WHOLE_TABLE: 7}),
            "dbo.Currencies": FakeTable({WHOLE_TABLE: 2}),
        }
    )
    settings = LocationSettings(retry_delay_seconds=0)
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_definitions(shop_config(), settings=settings, translator=Monthly(), open_pipeline=world.open)
        yield FakeLocation(world, defs, instance)


def orders_key(shop: FakeLocation) -> dg.AssetKey:
    (table,) = [one for one in shop_config().tables if one.table_name == "Orders"]
    return TableTranslator().get_table_key(TableTranslatorData(shop_config(), table))


def look(shop: FakeLocation) -> Any:
    """One tick of the sensor of partition tables."""
    return shop.look("partition_boundaries")


def materialized(shop: FakeLocation) -> set[str]:
    return set(shop.instance.get_materialized_partitions(orders_key(shop)))


# -- which slot is which window -----------------------------------------------------------------------------------------


def test_a_slot_of_exactly_a_window_has_its_key() -> None:
    assert MONTHS.key_of(slot(FEBRUARY, MARCH)) == FEBRUARY
    assert MONTHS.key_of("[2024-02-01T00:00:00,2024-03-01T00:00:00)") == FEBRUARY
    assert (MONTHS.key_of(BEFORE), MONTHS.key_of(AFTER)) == (None, None)
    numbers = TimeWindows(start="2024-01-01", cron_schedule="0 0 1 * *", boundary_format="%Y%m%d")
    assert numbers.key_of("[20240201,20240301)") == FEBRUARY


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        ("[2024-02-01,2024-02-15)", "part of one"),
        ("[2024-01-01,2024-03-01)", "across several"),
        ("(-inf,2024-02-01)", "across several"),
        ("[2024-03-01,+inf)", "across several"),
        ("(2024-01-31,2024-02-29]", "RANGE LEFT"),
        ("[100,200)", "no date"),
    ],
)
def test_a_slot_that_fits_no_window_is_refused_with_a_remedy(unit: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        MONTHS.key_of(unit)
    assert "dynamic partitions" in refused.value.remedy


def test_windows_without_an_end_reach_to_the_one_of_now() -> None:
    days = TimeWindows(start="2024-01-01", cron_schedule="0 0 * * *")
    today = utc_now().date()
    assert days.key_of(slot(str(today), str(today + timedelta(days=1)))) == str(today)
    assert days.key_of(slot(str(today + timedelta(days=9)), str(today + timedelta(days=10)))) is None


@given(st.integers(min_value=0, max_value=34))
def test_every_window_is_the_key_of_its_own_slot(number: int) -> None:
    months = TimeWindows(start="2024-01-01", cron_schedule="0 0 1 * *", end="2027-01-01")
    key = months.definition.get_partition_keys()[number]
    window = months.definition.time_window_for_partition_key(key)
    assert months.key_of(slot(str(window.start.date()), str(window.end.date()))) == key


def test_a_schedule_that_dagster_refuses_is_told_with_an_example() -> None:
    with pytest.raises(ConfigError, match="by 'monthly'") as refused:
        _ = TimeWindows(start="2024-01-01", cron_schedule="monthly").definition
    assert "0 0 1 * *" in refused.value.remedy


# -- loading ------------------------------------------------------------------------------------------------------------


def test_the_sensor_requests_windows_and_the_other_tables_their_boundaries(shop: FakeLocation) -> None:
    requests = {next(iter(r.asset_selection or [])).path[-1]: r for r in look(shop).run_requests or []}
    assert requests["Orders"].tags["dagster/asset_partition_range_start"] == JANUARY
    assert requests["Orders"].tags["dagster/asset_partition_range_end"] == MARCH
    assert requests["Shipments"].tags["dagster/asset_partition_range_start"] == NORTH
    for request in requests.values():
        assert shop.execute(request).success
    assert materialized(shop) == {JANUARY, FEBRUARY, MARCH}
    assert [call.read for call in shop.world.calls if call.table == "sales.Orders"] == [
        (slot(JANUARY, FEBRUARY), slot(FEBRUARY, MARCH), slot(MARCH, "2024-04-01"))
    ]
    shop.orders.change(slot(FEBRUARY, MARCH))
    (again,) = look(shop).run_requests or []
    assert again.partition_key == FEBRUARY


def test_everything_at_once_reports_windows(shop: FakeLocation) -> None:
    (name,) = [job.name for job in shop.definitions.jobs or [] if job.name.endswith("sync_everything")]
    assert shop.definitions.resolve_job_def(name).execute_in_process(instance=shop.instance).success
    assert materialized(shop) == {JANUARY, FEBRUARY, MARCH}


def test_rows_outside_of_the_windows_are_never_passed_over(shop: FakeLocation) -> None:
    shop.orders.units[AFTER] = 7
    for request in look(shop).run_requests or []:
        assert request.tags["dltsync/table"] == "sales.Shipments"
        assert shop.execute(request).success
    with pytest.raises(Exception, match=r"7 rows lie in \[2024-04-01,\+inf\), outside of the table's time windows"):
        look(shop)
    (name,) = [job.name for job in shop.definitions.jobs or [] if job.name.endswith("sync_everything")]
    done = shop.definitions.resolve_job_def(name).execute_in_process(instance=shop.instance, raise_on_error=False)
    assert not done.success
    assert "7 rows lie in" in str(done.get_step_failure_events()[0].event_specific_data)
    assert materialized(shop) == {JANUARY, FEBRUARY, MARCH}, "what fits is loaded and reported"


def test_a_window_without_a_slot_says_what_is_missing(shop: FakeLocation) -> None:
    del shop.orders.units[slot(FEBRUARY, MARCH)]
    failed = shop.materialize(orders_key(shop), partition=FEBRUARY, raise_on_error=False)
    said = str(failed.get_step_failure_events()[0].event_specific_data)
    assert "the server has no partition for the time window 2024-02-01" in said
    assert "SPLIT" in said


def test_a_split_within_a_window_stops_the_table_and_no_other(shop: FakeLocation) -> None:
    units = shop.orders.units
    del units[slot(FEBRUARY, MARCH)]
    units |= {slot(FEBRUARY, "2024-02-15"): 1, slot("2024-02-15", MARCH): 1}
    requests = look(shop).run_requests or []
    assert [next(iter(request.asset_selection or [])).path[-1] for request in requests] == ["Shipments"]


def test_a_check_of_the_table_has_a_result_for_each_window(shop: FakeLocation) -> None:
    key = orders_key(shop)
    for request in look(shop).run_requests or []:
        assert shop.execute(request).success
    said = shop.evaluations(shop.check(key), "three_way_validation")
    assert {partition: one.passed for partition, one in said.items()} == dict.fromkeys(
        (JANUARY, FEBRUARY, MARCH, None), True
    )


# -- downstream ---------------------------------------------------------------------------------------------------------


def test_an_asset_by_quarter_gets_the_months_of_its_quarter(shop: FakeLocation) -> None:
    quarters = dg.TimeWindowPartitionsDefinition(
        start="2024-01-01", end="2024-07-01", fmt="%Y-%m-%d", cron_schedule="0 0 1 */3 *"
    )
    read: list[str] = []

    @dg.asset(partitions_def=quarters, ins={"orders": dg.AssetIn(orders_key(shop))})
    def report(orders: pa.Table) -> None:
        units: list[Any] = orders["unit"].to_pylist()
        read.extend(units)

    for request in look(shop).run_requests or []:
        assert shop.execute(request).success
    merged = dg.Definitions.merge(shop.definitions, dg.Definitions(assets=[report]))
    job: Any = merged.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(
        instance=shop.instance, asset_selection=[report.key], partition_key="2024-01-01"
    ).success
    assert [read.count(unit) for unit in dict.fromkeys(read)] == [10, 20, 30]

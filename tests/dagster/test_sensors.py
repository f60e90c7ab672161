"""What the sensors ask for, and what they keep quiet about."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from dltsync_core.errors import FidelityError, LoginFailed, ServerUnreachable
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.held_back import HeldBack
from tests.dagster.conftest import COUNTRIES, CUSTOMERS, FEBRUARY, JANUARY, MARCH, ORDERS, Shop

BOUNDARIES, TIMESTAMPS, HASHES = "partition_boundaries", "scd_timestamps", "static_hashes"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def skip_reason(found: SensorExecutionData) -> str:
    assert found.skip_message is not None
    return found.skip_message


def test_the_first_look_adds_all_partitions_and_asks_for_them_in_one_run(shop: Shop) -> None:
    found = shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH]
    (request,) = found.run_requests or []
    assert request.asset_selection == [ORDERS]
    assert (request.tags[RANGE[0]], request.tags[RANGE[1]]) == (JANUARY, MARCH)
    assert shop.execute(request).success
    assert shop.world.calls[-1].read == (JANUARY, FEBRUARY, MARCH)


def test_nothing_changed_asks_for_nothing(shop: Shop) -> None:
    for request in shop.look(BOUNDARIES).run_requests or []:
        shop.execute(request)
    found = shop.look(BOUNDARIES)
    assert not found.run_requests
    assert skip_reason(found) == "sales.Orders: unchanged"


def test_only_the_changed_partition_is_asked_for(shop: Shop) -> None:
    for request in shop.look(BOUNDARIES).run_requests or []:
        shop.execute(request)
    shop.orders.change(FEBRUARY)
    (request,) = shop.look(BOUNDARIES).run_requests or []
    assert request.partition_key == FEBRUARY
    assert shop.execute(request).success
    assert shop.world.calls[-1].read == (FEBRUARY,)


def test_changes_that_are_not_neighbours_become_runs_of_their_own(shop: Shop) -> None:
    """A range names only its ends: everything between them would be loaded too."""
    for request in shop.look(BOUNDARIES).run_requests or []:
        shop.execute(request)
    shop.orders.change(JANUARY)
    shop.orders.change(MARCH)
    requests = shop.look(BOUNDARIES).run_requests or []
    assert [request.partition_key for request in requests] == [JANUARY, MARCH]


def test_a_split_in_the_middle_keeps_boundary_order(shop: Shop) -> None:
    for request in shop.look(BOUNDARIES).run_requests or []:
        shop.execute(request)
    first, second = "[2024-02-01,2024-02-15)", "[2024-02-15,2024-03-01)"
    shop.orders.units = {JANUARY: 10, first: 12, second: 8, MARCH: 0}
    found = shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, first, second, MARCH]
    (request,) = found.run_requests or []
    assert (request.tags[RANGE[0]], request.tags[RANGE[1]]) == (first, second)
    (event,) = found.asset_events
    assert event.metadata["dltsync/vanished"].value == [FEBRUARY]


def test_the_order_is_not_rewritten_under_a_running_load(shop: Shop) -> None:
    for request in shop.look(BOUNDARIES).run_requests or []:
        shop.execute(request)
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    run = shop.instance.create_run_for_job(job, asset_selection=frozenset([ORDERS]), status=dg.DagsterRunStatus.STARTED)
    shop.orders.units = {JANUARY: 10, "[2024-02-01,+inf)": 20}
    found = shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH]
    assert "waiting for the run under way" in skip_reason(found)
    shop.instance.delete_run(run.run_id)
    shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, "[2024-02-01,+inf)"]


@pytest.mark.parametrize(
    ("sensor", "table", "key"), [(TIMESTAMPS, "dbo.Customers", CUSTOMERS), (HASHES, "dbo.Countries", COUNTRIES)]
)
def test_a_whole_table_is_asked_for_once_per_version(shop: Shop, sensor: str, table: str, key: dg.AssetKey) -> None:
    (request,) = shop.look(sensor).run_requests or []
    assert request.asset_selection == [key]
    assert shop.execute(request).success
    assert skip_reason(shop.look(sensor)) == f"{table}: unchanged"
    shop.world.tables[table].change()
    (again,) = shop.look(sensor).run_requests or []
    assert again.run_key != request.run_key
    shop.execute(again)
    assert [call.read for call in shop.world.calls] == [(WHOLE_TABLE,), (WHOLE_TABLE,)]


def test_what_holds_rows_back_is_told_where_nothing_is_asked_for(shop: Shop) -> None:
    (request,) = shop.look(TIMESTAMPS).run_requests or []
    assert shop.execute(request).success
    shop.world.tables["dbo.Customers"].held_back = HeldBack(2, "0x00000000000007D2", refused="no VIEW SERVER STATE")
    assert "unchanged; 2 committed rows lie at or above 0x00000000000007D2" in skip_reason(shop.look(TIMESTAMPS))
    shop.world.tables["dbo.Customers"].change()
    (event,) = shop.look(TIMESTAMPS).asset_events
    assert "no VIEW SERVER STATE" in str(event.metadata["dltsync/held_back"].value)


def test_a_table_that_changes_back_is_asked_for_again(shop: Shop) -> None:
    """Dagster ignores a run key it has seen: the same content after another load must not have the same key."""
    keys = []
    for change in (0, 1, 0):
        shop.world.tables["dbo.Countries"].versions[WHOLE_TABLE] = change
        (request,) = shop.look(HASHES).run_requests or []
        keys.append(request.run_key)
        shop.execute(request)
    assert len(set(keys)) == 3


def test_the_same_version_has_the_same_run_key(shop: Shop) -> None:
    first, second = (shop.look(HASHES).run_requests or [], shop.look(HASHES).run_requests or [])
    assert [r.run_key for r in first] == [r.run_key for r in second]


def test_a_load_under_way_is_not_asked_for_twice(shop: Shop) -> None:
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    shop.instance.create_run_for_job(job, asset_selection=frozenset([COUNTRIES]), status=dg.DagsterRunStatus.STARTING)
    assert skip_reason(shop.look(HASHES)) == "dbo.Countries: a run is under way"


def test_the_job_for_everything_holds_all_sensors_back(shop: Shop) -> None:
    shop.instance.create_run_for_job(
        shop.definitions.resolve_job_def("sync_everything"), status=dg.DagsterRunStatus.STARTED
    )
    for sensor in (BOUNDARIES, TIMESTAMPS, HASHES):
        assert not shop.look(sensor).run_requests


def test_after_a_failed_load_the_sensor_waits_and_then_asks_again(shop: Shop) -> None:
    """A run key that Dagster has seen is ignored for ever: a version whose load failed would never arrive."""
    shop.world.failing[WHOLE_TABLE] = FidelityError("a value does not fit")
    (request,) = shop.look(HASHES).run_requests or []
    assert not shop.execute(request).success
    assert "failed 1 times; asked for again after" in skip_reason(shop.look(HASHES))


def test_a_server_that_does_not_answer_is_a_reason_not_a_failure(shop: Shop) -> None:
    shop.world.down = ServerUnreachable("nobody answers at db.example:1433", remedy="start it")
    found = shop.look(BOUNDARIES)
    assert "nobody answers at db.example:1433" in skip_reason(found)
    assert shop.stored_partitions() == []


def test_a_refused_login_turns_the_tick_red(shop: Shop) -> None:
    shop.world.down = LoginFailed("reader may not log in to Shop", remedy="check the password")
    with pytest.raises(dg.Failure, match="reader may not log in"):
        shop.look(HASHES)


def test_a_sensor_records_what_it_saw_on_the_source(shop: Shop) -> None:
    found = shop.look(HASHES)
    (event,) = found.asset_events
    assert isinstance(event, dg.AssetObservation)
    assert event.asset_key == dg.AssetKey(["sqlserver", "Shop", "dbo", "Countries"])
    assert event.tags == {"dagster/data_version": "v0"}


def test_sensors_and_schedule_start_stopped(shop: Shop) -> None:
    for name in (BOUNDARIES, TIMESTAMPS, HASHES):
        assert shop.definitions.resolve_sensor_def(name).default_status is dg.DefaultSensorStatus.STOPPED
    assert shop.definitions.resolve_schedule_def("daily_sync").default_status is dg.DefaultScheduleStatus.STOPPED

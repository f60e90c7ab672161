"""What the sensors ask for, and what they keep quiet about."""

from __future__ import annotations

import dagster as dg
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import CatalogError, FidelityError, LoginFailed, ServerUnreachable
from dltsync_core.held_back import HeldBack
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import LocationSettings, build_definitions
from tests.dagster.conftest import (
    BOUNDARIES,
    COUNTRIES,
    CURRENCIES,
    CUSTOMERS,
    FEBRUARY,
    HASHES,
    JANUARY,
    MARCH,
    NORTH,
    ORDERS,
    PIPELINE,
    ROUTES,
    SHIPMENTS,
    SOUTH,
    TIMESTAMPS,
    FakeLocation,
    shop_config,
    skip_reason,
)
from tests.dagster.fakes import FakeTable

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def test_the_first_look_adds_all_partitions_and_asks_for_them_in_one_run(shop: FakeLocation) -> None:
    (request,) = shop.asked(BOUNDARIES, ORDERS)
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH]
    assert (request.tags[RANGE[0]], request.tags[RANGE[1]]) == (JANUARY, MARCH)
    assert shop.execute(request).success
    assert shop.world.calls[-1].read == (JANUARY, FEBRUARY, MARCH)


def test_every_table_gets_its_partitions_and_runs_of_its_own(shop: FakeLocation) -> None:
    """Two tables of a kind in one tick: their partitions are not the same ones, and a run is about one table only."""
    requests = shop.look(BOUNDARIES).run_requests or []
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH]
    assert shop.stored_partitions(ROUTES) == [NORTH, SOUTH]
    assert [list(request.asset_selection or []) for request in requests] == [[ORDERS], [SHIPMENTS]]
    for request in requests:
        assert shop.execute(request).success
    assert shop.instance.get_materialized_partitions(ORDERS) == {JANUARY, FEBRUARY, MARCH}
    assert shop.instance.get_materialized_partitions(SHIPMENTS) == {NORTH, SOUTH}
    shop.orders.change(FEBRUARY)
    shop.world.tables["sales.Shipments"].change(SOUTH)
    again = shop.look(BOUNDARIES).run_requests or []
    assert [(list(request.asset_selection or []), request.partition_key) for request in again] == [
        ([ORDERS], FEBRUARY),
        ([SHIPMENTS], SOUTH),
    ]
    for request in again:
        assert shop.execute(request).success
    assert [(call.table, call.read) for call in shop.world.calls[2:]] == [
        ("sales.Orders", (FEBRUARY,)),
        ("sales.Shipments", (SOUTH,)),
    ]


def test_a_run_says_which_table_it_is_for_and_why(shop: FakeLocation) -> None:
    """The runs of all tables belong to one job: its name says nothing."""
    shop.begin_loaded(BOUNDARIES)
    shop.orders.change(JANUARY, rows=11)
    shop.orders.change(FEBRUARY, rows=22)
    shop.world.tables["sales.Shipments"].change(SOUTH)
    told = {r.tags["dltsync/table"]: r.tags["dltsync/reason"] for r in shop.look(BOUNDARIES).run_requests or []}
    assert told["sales.Orders"] == "rows went from 10 to 11; 1 more partitions changed"
    assert set(told) == {"sales.Orders", "sales.Shipments"}


@pytest.fixture
def hurried(shop: FakeLocation) -> FakeLocation:
    """Three runs a tick, of one partition each."""
    settings = LocationSettings(requests_per_tick=3, partitions_per_run=1)
    shop.definitions = build_definitions(shop_config(), settings=settings, open_pipeline=shop.world.open)
    return shop


def test_a_table_with_much_to_do_leaves_room_for_the_others(hurried: FakeLocation) -> None:
    """It used to take all runs of a tick: a table that changes all the time would have kept the others waiting for ever."""
    hurried.orders.units = {JANUARY: 1, **{f"[{n},{n + 1})": 1 for n in range(50)}, MARCH: 1}
    asked = [list(request.asset_selection or []) for request in hurried.look(BOUNDARIES).run_requests or []]
    assert asked == [[ORDERS], [ORDERS], [SHIPMENTS]]


def test_tables_that_were_left_out_come_first_at_the_next_tick(hurried: FakeLocation) -> None:
    """Even when those before them change again in between."""
    tables = {f"dbo.T{n}": FakeTable({WHOLE_TABLE: n}) for n in range(7)}
    hurried.world.tables = tables
    config = shop_config().model_copy(
        update={
            "partition_tables": (),
            "scd_tables": (),
            "static_tables": tuple(StaticTableConfig(table_name=f"T{n}") for n in range(7)),
        }
    )
    settings = LocationSettings(requests_per_tick=3)
    hurried.definitions = build_definitions(config, settings=settings, open_pipeline=hurried.world.open)
    loaded, cursor = [], None
    for _ in range(3):
        found = hurried.look(HASHES, cursor)
        cursor = found.cursor
        seen = {event.asset_key.path[-1] for event in found.asset_events}
        assert seen == {(request.asset_selection or [])[0].path[-1] for request in found.run_requests or []}
        loaded.append(sorted(seen))
        for request in found.run_requests or []:
            hurried.execute(request)
        for table in tables.values():
            table.change()
    assert loaded == [["T0", "T1", "T2"], ["T3", "T4", "T5"], ["T0", "T1", "T6"]]


@pytest.mark.parametrize(
    ("sensor", "table", "other"), [(BOUNDARIES, "sales.Orders", SHIPMENTS), (HASHES, "dbo.Countries", CURRENCIES)]
)
def test_a_table_that_cannot_be_looked_at_does_not_hide_the_others(
    shop: FakeLocation, sensor: str, table: str, other: dg.AssetKey
) -> None:
    shop.world.broken[table] = CatalogError(f"{table} is gone", remedy="look for it")
    (request,) = shop.look(sensor).run_requests or []
    assert request.asset_selection == [other]
    assert shop.execute(request).success
    with pytest.raises(dg.Failure, match="is gone"):
        shop.look(sensor)


def test_nothing_changed_asks_for_nothing(shop: FakeLocation) -> None:
    shop.begin_loaded(BOUNDARIES)
    found = shop.look(BOUNDARIES)
    assert not found.run_requests
    assert skip_reason(found) == "unchanged: sales.Orders, sales.Shipments"


def test_only_the_changed_partition_is_asked_for(shop: FakeLocation) -> None:
    shop.begin_loaded(BOUNDARIES)
    shop.orders.change(FEBRUARY)
    (request,) = shop.look(BOUNDARIES).run_requests or []
    assert request.partition_key == FEBRUARY
    assert shop.execute(request).success
    assert shop.world.calls[-1].read == (FEBRUARY,)


def test_changes_that_are_not_neighbours_become_runs_of_their_own(shop: FakeLocation) -> None:
    """A range names only its ends: everything between them would be loaded too."""
    shop.begin_loaded(BOUNDARIES)
    shop.orders.change(JANUARY)
    shop.orders.change(MARCH)
    requests = shop.look(BOUNDARIES).run_requests or []
    assert [request.partition_key for request in requests] == [JANUARY, MARCH]


def test_the_halves_of_a_split_are_added_at_the_end_and_loaded_in_one_run(shop: FakeLocation) -> None:
    shop.begin_loaded(BOUNDARIES)
    first, second = "[2024-02-01,2024-02-15)", "[2024-02-15,2024-03-01)"
    shop.orders.units = {JANUARY: 10, first: 12, second: 8, MARCH: 0}
    found = shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, MARCH, first, second]
    (request,) = found.run_requests or []
    assert (request.tags[RANGE[0]], request.tags[RANGE[1]]) == (first, second)
    event, *observed = found.asset_events
    assert [event.partition for event in observed] == [first, second]
    assert event.metadata["dltsync/vanished"].value == [FEBRUARY]
    assert event.metadata["dltsync/appeared"].value == [first, second]
    assert shop.execute(request).success
    assert not shop.look(BOUNDARIES).run_requests


def test_ranges_go_by_the_order_in_which_dagster_has_the_partitions(shop: FakeLocation) -> None:
    """Everything between the ends of a range in Dagster's order is loaded: here that is nothing else."""
    shop.add_partitions([MARCH, JANUARY, FEBRUARY])
    shop.load_what_is_asked(BOUNDARIES)
    assert {call.read for call in shop.world.calls if call.table == "sales.Orders"} == {(MARCH, JANUARY, FEBRUARY)}
    shop.orders.change(MARCH)
    shop.orders.change(FEBRUARY)
    asked = [(r.partition_key, RANGE[0] in r.tags) for r in shop.asked(BOUNDARIES, ORDERS)]
    assert asked == [(FEBRUARY, False), (MARCH, False)], "in boundary order, and apart"


def test_nothing_is_deleted_under_a_running_load(shop: FakeLocation) -> None:
    shop.begin_loaded(BOUNDARIES)
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    run = shop.instance.create_run_for_job(job, asset_selection=frozenset([ORDERS]), status=dg.DagsterRunStatus.STARTED)
    merged = "[2024-02-01,+inf)"
    shop.orders.units = {JANUARY: 10, merged: 20}
    (event,) = shop.look(BOUNDARIES).asset_events
    assert event.metadata["dltsync/vanished"].value == []
    assert shop.stored_partitions() == [JANUARY, FEBRUARY, MARCH, merged]
    assert "after the running load" in skip_reason(shop.look(BOUNDARIES))
    shop.instance.delete_run(run.run_id)
    shop.look(BOUNDARIES)
    assert shop.stored_partitions() == [JANUARY, merged]


@pytest.mark.parametrize(
    ("sensor", "table", "key"), [(TIMESTAMPS, "dbo.Customers", CUSTOMERS), (HASHES, "dbo.Countries", COUNTRIES)]
)
def test_a_whole_table_is_asked_for_once_per_version(
    shop: FakeLocation, sensor: str, table: str, key: dg.AssetKey
) -> None:
    (request,) = shop.asked(sensor, key)
    assert shop.execute(request).success
    assert shop.asked(sensor, key) == []
    shop.world.tables[table].change()
    (again,) = shop.asked(sensor, key)
    assert again.run_key != request.run_key
    shop.execute(again)
    assert [(call.table, call.read) for call in shop.world.calls] == [(table, (WHOLE_TABLE,)), (table, (WHOLE_TABLE,))]


def test_what_holds_rows_back_is_told_where_nothing_is_asked_for(shop: FakeLocation) -> None:
    for request in shop.look(TIMESTAMPS).run_requests or []:
        assert shop.execute(request).success
    shop.world.tables["dbo.Customers"].held_back = HeldBack(2, "0x00000000000007D2", refused="no VIEW SERVER STATE")
    said = skip_reason(shop.look(TIMESTAMPS))
    assert "dbo.Customers: 2 committed rows lie at or above 0x00000000000007D2" in said
    assert "unchanged: dbo.Customers, dbo.Suppliers" in said
    shop.world.tables["dbo.Customers"].change()
    (event,) = shop.look(TIMESTAMPS).asset_events
    assert "no VIEW SERVER STATE" in str(event.metadata["dltsync/held_back"].value)


def test_a_table_that_changes_back_is_asked_for_again(shop: FakeLocation) -> None:
    """Dagster ignores a run key it has seen: the same content after another load must not have the same key."""
    keys = []
    for change in (0, 1, 0):
        shop.world.tables["dbo.Countries"].versions[WHOLE_TABLE] = change
        (request,) = shop.asked(HASHES, COUNTRIES)
        keys.append(request.run_key)
        shop.execute(request)
    assert len(set(keys)) == 3


def test_the_same_version_has_the_same_run_key(shop: FakeLocation) -> None:
    first, second = (shop.look(HASHES).run_requests or [], shop.look(HASHES).run_requests or [])
    assert [r.run_key for r in first] == [r.run_key for r in second]


def test_a_load_under_way_is_not_asked_for_twice(shop: FakeLocation) -> None:
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    shop.instance.create_run_for_job(job, asset_selection=frozenset([COUNTRIES]), status=dg.DagsterRunStatus.STARTING)
    assert [request.asset_selection for request in shop.look(HASHES).run_requests or []] == [[CURRENCIES]]


def test_the_job_for_everything_holds_all_sensors_back(shop: FakeLocation) -> None:
    shop.instance.create_run_for_job(
        shop.definitions.resolve_job_def(f"{PIPELINE}__sync_everything"), status=dg.DagsterRunStatus.STARTED
    )
    for sensor in (BOUNDARIES, TIMESTAMPS, HASHES):
        assert not shop.look(sensor).run_requests


def test_the_job_for_everything_of_another_location_holds_nobody_back(shop: FakeLocation) -> None:
    """Locations that share an instance have jobs of the same name."""
    other = shop_config().model_copy(update={"pipeline_name": "another"})
    job = build_definitions(other, settings=LocationSettings()).resolve_job_def("another__sync_everything")
    shop.instance.create_run_for_job(job, tags=job.tags, status=dg.DagsterRunStatus.STARTED)
    assert len(shop.look(BOUNDARIES).run_requests or []) == 2


def test_a_load_by_a_job_of_somebody_else_is_under_way_too(shop: FakeLocation) -> None:
    """A run of a job that was made of assets selects none of them: it is the whole job."""
    mine = dg.define_asset_job("mine", selection=dg.AssetSelection.assets(COUNTRIES))
    own = dg.Definitions.merge(shop.definitions, dg.Definitions(jobs=[mine])).resolve_job_def("mine")
    run = shop.instance.create_run_for_job(own, status=dg.DagsterRunStatus.STARTED)
    assert run.asset_selection is None
    assert shop.asked(HASHES, COUNTRIES) == []
    assert len(shop.asked(HASHES, CURRENCIES)) == 1


def test_after_a_failed_load_the_sensor_waits_and_then_asks_again(shop: FakeLocation) -> None:
    """A run key that Dagster has seen is ignored for ever: a version whose load failed would never arrive."""
    shop.world.failing[WHOLE_TABLE] = FidelityError("a value does not fit")
    for request in shop.look(HASHES).run_requests or []:
        assert not shop.execute(request).success
    assert skip_reason(shop.look(HASHES)).count("failed 1 time; requested again after") == 2


def test_a_server_that_does_not_answer_is_a_reason_not_a_failure(shop: FakeLocation) -> None:
    shop.world.down = ServerUnreachable("nobody answers at db.example:1433", remedy="start it")
    found = shop.look(BOUNDARIES)
    assert "nobody answers at db.example:1433" in skip_reason(found)
    assert shop.stored_partitions() == []


def test_a_refused_login_turns_the_tick_red(shop: FakeLocation) -> None:
    shop.world.down = LoginFailed("reader may not log in to Shop", remedy="check the password")
    with pytest.raises(dg.Failure, match="reader may not log in"):
        shop.look(HASHES)


def test_a_sensor_records_what_it_saw_on_the_source(shop: FakeLocation) -> None:
    shop.world.tables["dbo.Currencies"].change()
    events = [event for event in shop.look(HASHES).asset_events if isinstance(event, dg.AssetObservation)]
    assert {event.asset_key.path[-1]: event.tags for event in events} == {
        "Countries": {"dagster/data_version": "v0"},
        "Currencies": {"dagster/data_version": "v1"},
    }
    assert all(event.asset_key.path[:-1] == ["sqlserver", "Shop", "dbo"] for event in events)


def test_sensors_and_schedule_start_stopped(shop: FakeLocation) -> None:
    for name in (BOUNDARIES, TIMESTAMPS, HASHES):
        assert (
            shop.definitions.resolve_sensor_def(f"{PIPELINE}__{name}").default_status is dg.DefaultSensorStatus.STOPPED
        )
    assert (
        shop.definitions.resolve_schedule_def(f"{PIPELINE}__daily_sync").default_status
        is dg.DefaultScheduleStatus.STOPPED
    )

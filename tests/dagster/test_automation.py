"""Declarative automation of loads: changes of the source are observed, conditions request them, and what Dagster forgets is
requested by the sensor."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from dltsync_core.config import PipelineConfig
from dltsync_dagster import LocationSettings, build_definitions, sensors
from dltsync_dagster.automation import GRACE_SECONDS
from dltsync_dagster.compat import preview_accepted
from tests.dagster.conftest import (
    BOUNDARIES,
    COUNTRIES,
    CURRENCIES,
    FEBRUARY,
    HASHES,
    JANUARY,
    MARCH,
    ORDERS,
    PIPELINE,
    SHIPMENTS,
    SOUTH,
    FakeLocation,
    shop_config,
)

EAGER = {"automation_condition": "eager"}
DAILY = {"automation_condition": {"on_cron": "0 5 * * *"}}
START = datetime(2030, 1, 1, 3, tzinfo=timezone.utc)
SOURCE = dg.AssetKey(["sqlserver", "Shop", "sales", "Orders"])


def with_options(orders: dict[str, Any], countries: dict[str, Any]) -> PipelineConfig:
    """Of two tables of a kind the first one is automated."""
    config = shop_config()

    def given(tables: Any, options: dict[str, Any]) -> list[Any]:
        first, *rest = tables
        return [type(first)(**{**first.model_dump(exclude_unset=True), **options}), *rest]

    return PipelineConfig(
        pipeline_name=PIPELINE,
        database=config.database,
        partition_tables=given(config.partition_tables, orders),
        static_tables=given(config.static_tables, countries),
    )


class Automated:
    """A shop with automated tables, Dagster's evaluations of its conditions, and a clock for both."""

    def __init__(self, shop: FakeLocation, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
        self.shop, self.now = shop, START
        monkeypatch.setattr(sensors, "utc_now", lambda: self.now)
        self.config = with_options(options, options)
        shop.definitions = build_definitions(
            self.config, settings=LocationSettings(retry_delay_seconds=0), open_pipeline=shop.world.open
        )
        self.cursors: dict[str, str | None] = {}
        self.evaluated: Any = None

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def tick(self, sensor: str) -> Any:
        """One tick of a sensor as the daemon takes it."""
        found = self.shop.look(sensor, self.cursors.get(sensor))
        for event in found.asset_events:
            self.shop.instance.report_runless_asset_event(event)
        self.cursors[sensor] = found.cursor
        return found

    def requested(self) -> dict[dg.AssetKey, set[str | None]]:
        """One evaluation of all conditions: the partitions that they ask for."""
        with preview_accepted():
            result = dg.evaluate_automation_conditions(
                self.shop.definitions,
                self.shop.instance,
                cursor=self.evaluated.cursor if self.evaluated is not None else None,
                evaluation_time=self.now,
            )
        self.evaluated = result
        keys = {key: result.get_requested_partitions(key) for key in (ORDERS, SHIPMENTS, COUNTRIES, CURRENCIES)}
        return {key: set(partitions) for key, partitions in keys.items() if partitions}

    def load(self, key: dg.AssetKey, partition: str | None = None) -> None:
        """The run that a condition asked for."""
        job = self.shop.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection={key})
        tags = {"dagster/from_automation_condition": "true"}
        assert job.execute_in_process(instance=self.shop.instance, partition_key=partition, tags=tags).success


@pytest.fixture
def eager(shop: FakeLocation, monkeypatch: pytest.MonkeyPatch) -> Automated:
    return Automated(shop, monkeypatch, EAGER)


def loaded(shop: Automated) -> Automated:
    """After the first loads, which the sensor requests at once: Dagster takes what is missing at first for handled."""
    assert shop.requested() == {}
    requests = [request for sensor in (BOUNDARIES, HASHES) for request in shop.tick(sensor).run_requests or []]
    assert {request.asset_selection[0] for request in requests} == {ORDERS, SHIPMENTS, COUNTRIES, CURRENCIES}
    for request in requests:
        assert shop.shop.execute(request).success
    shop.later(minutes=1)
    assert shop.requested() == {}
    return shop


def test_a_change_is_observed_and_exactly_it_is_requested_by_the_condition(eager: Automated) -> None:
    """The tables beside it, without a condition, are requested by the sensor."""
    loaded(eager)
    eager.shop.orders.change(FEBRUARY)
    eager.shop.world.tables["sales.Shipments"].change(SOUTH)
    for table in ("dbo.Countries", "dbo.Currencies"):
        eager.shop.world.tables[table].change()
    found = [eager.tick(sensor) for sensor in (BOUNDARIES, HASHES)]
    requests = [request for tick in found for request in tick.run_requests or []]
    assert {request.asset_selection[0] for request in requests} == {SHIPMENTS, CURRENCIES}
    observed = {(event.asset_key.path[-1], event.partition) for tick in found for event in tick.asset_events}
    assert observed >= {("Orders", FEBRUARY), ("Countries", None)}
    assert ("Orders", JANUARY) not in observed
    assert eager.requested() == {ORDERS: {FEBRUARY}, COUNTRIES: {None}}
    eager.later(minutes=1)
    assert not any(event.asset_key == SOURCE for event in eager.tick(BOUNDARIES).asset_events), "it is observed once"


def test_a_change_that_dagster_forgets_is_requested_by_the_sensor(eager: Automated) -> None:
    """Observed in the evaluation right after a request: Dagster takes it for handled."""
    loaded(eager)
    eager.shop.orders.change(FEBRUARY)
    eager.tick(BOUNDARIES)
    assert eager.requested() == {ORDERS: {FEBRUARY}}
    eager.load(ORDERS, FEBRUARY)
    eager.later(seconds=30)
    eager.shop.orders.change(FEBRUARY)
    eager.later(minutes=1)
    eager.tick(BOUNDARIES)
    assert eager.requested() == {}, "it is forgotten"
    eager.later(minutes=1)
    by_sensor = [r for r in eager.tick(BOUNDARIES).run_requests or [] if r.asset_selection == [ORDERS]]
    assert by_sensor == [], "the automation may still come"
    eager.later(seconds=GRACE_SECONDS)
    (request,) = [r for r in eager.tick(BOUNDARIES).run_requests or [] if r.asset_selection == [ORDERS]]
    assert request.partition_key == FEBRUARY
    assert eager.shop.execute(request).success
    eager.later(minutes=1)
    assert not [r for r in eager.tick(BOUNDARIES).run_requests or [] if r.asset_selection == [ORDERS]]


def test_a_run_of_the_automation_skips_what_did_not_change(eager: Automated) -> None:
    loaded(eager)
    before = len(eager.shop.world.calls)
    eager.load(ORDERS, JANUARY)
    assert [call.read for call in eager.shop.world.calls[before:]] == [()]
    (event, *_) = [e for e in eager.shop.materializations(ORDERS) if e.partition == JANUARY]
    assert event.metadata["dltsync/status"].value == "skipped"


def test_a_run_of_the_automation_may_read_everything(shop: FakeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    always = loaded(Automated(shop, monkeypatch, {**EAGER, "automation_reads": "everything"}))
    always.load(ORDERS, JANUARY)
    assert shop.world.calls[-1].read == (JANUARY,)


def test_a_schedule_gathers_what_changed_before_it(shop: FakeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes wait for five o'clock, and what did not change is not asked for then."""
    daily = Automated(shop, monkeypatch, DAILY)
    daily.requested()
    daily.tick(BOUNDARIES), daily.tick(HASHES)
    assert daily.requested() == {}
    daily.later(hours=2, minutes=1)
    first = daily.requested()
    assert first == {ORDERS: {JANUARY, FEBRUARY, MARCH}, COUNTRIES: {None}}
    for partition in (JANUARY, FEBRUARY, MARCH):
        daily.load(ORDERS, partition)
    daily.load(COUNTRIES)
    daily.later(hours=10)
    daily.requested()
    shop.orders.change(MARCH)
    found = daily.tick(BOUNDARIES)
    assert not [r for r in found.run_requests or [] if r.asset_selection == [ORDERS]]
    assert daily.requested() == {}
    daily.later(hours=13)
    assert not [r for r in daily.tick(BOUNDARIES).run_requests or [] if r.asset_selection == [ORDERS]]
    daily.later(hours=1)
    assert daily.requested() == {ORDERS: {MARCH}}
    daily.later(seconds=GRACE_SECONDS + 60)
    assert [r.partition_key for r in daily.tick(BOUNDARIES).run_requests or [] if r.asset_selection == [ORDERS]] == [
        MARCH
    ]


def test_the_partitions_of_a_source_are_observed_on_demand_too(eager: Automated) -> None:
    """By its button in the UI, or a condition of its own: changed partitions only, and no event of the others."""
    loaded(eager)
    eager.shop.orders.change(MARCH)
    job = eager.shop.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection={SOURCE})
    between = {"dagster/asset_partition_range_start": JANUARY, "dagster/asset_partition_range_end": MARCH}
    done = job.execute_in_process(instance=eager.shop.instance, tags=between)
    assert done.success
    observed = [e.asset_observation_data.asset_observation for e in done.all_events if e.is_asset_observation]
    assert [(o.partition, o.tags["dagster/data_version"]) for o in observed] == [(MARCH, "v1")]
    assert eager.requested() == {ORDERS: {MARCH}}

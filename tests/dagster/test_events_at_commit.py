"""Each committed unit has one materialization in Dagster, from the moment of its commit."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from dltsync_core.errors import FidelityError
from dltsync_dagster import LocationSettings, build_definitions, compat
from tests.dagster.conftest import (
    COUNTRIES,
    CUSTOMERS,
    FEBRUARY,
    JANUARY,
    MARCH,
    NORTH,
    ORDERS,
    PARTITIONS,
    RANGE,
    ROUTES,
    SHIPMENTS,
    SOUTH,
    FakeLocation,
    shop_config,
)
from tests.support.forks import Forks

DOWNSTREAM = dg.AssetKey("report")


@pytest.fixture(params=["outputs without event", "older Dagster"])
def versions(request: pytest.FixtureRequest, shop: FakeLocation, monkeypatch: pytest.MonkeyPatch) -> FakeLocation:
    """The location as it is in this version of Dagster, and in one that lacks outputs without an event; with an asset downstream
    of the orders and one downstream of the countries."""
    if request.param == "older Dagster":
        monkeypatch.setattr(compat, "outputs_without_event", lambda: False)
    tables = build_definitions(
        shop_config(), settings=LocationSettings(retry_delay_seconds=0), open_pipeline=shop.world.open
    )
    partitions = dg.DynamicPartitionsDefinition(name=PARTITIONS)
    policy = dg.BackfillPolicy.single_run()

    with compat.preview_accepted():

        @dg.asset(key=DOWNSTREAM, deps=[ORDERS], partitions_def=partitions, backfill_policy=policy)
        def report() -> None: ...

        @dg.asset(deps=[COUNTRIES])
        def atlas() -> None: ...

    shop.definitions = dg.Definitions.merge(tables, dg.Definitions(assets=[report, atlas]))
    return shop


def run_together(
    shop: FakeLocation, *keys: dg.AssetKey, tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=shop.instance, asset_selection=list(keys), tags=tags or {}, raise_on_error=False
    )


def test_each_commit_is_one_event(versions: FakeLocation) -> None:
    """Alone, in a range, for a whole table, and with an asset downstream in the same run, which then runs too."""
    versions.add_partitions()
    versions.instance.add_dynamic_partitions(ROUTES, [NORTH, SOUTH])
    versions.materialize(ORDERS, partition=FEBRUARY)
    versions.materialize(SHIPMENTS, between=(NORTH, SOUTH))
    versions.materialize(CUSTOMERS)
    assert run_together(versions, ORDERS, DOWNSTREAM, tags=dict(zip(RANGE, (JANUARY, MARCH), strict=True))).success
    assert run_together(versions, COUNTRIES, dg.AssetKey("atlas")).success
    counted = {
        key: Counter(event.partition for event in versions.materializations(key))
        for key in (ORDERS, DOWNSTREAM, SHIPMENTS, CUSTOMERS, COUNTRIES, dg.AssetKey("atlas"))
    }
    assert counted == {
        ORDERS: {JANUARY: 1, FEBRUARY: 2, MARCH: 1},
        DOWNSTREAM: {JANUARY: 1, FEBRUARY: 1, MARCH: 1},
        SHIPMENTS: {NORTH: 1, SOUTH: 1},
        CUSTOMERS: {None: 1},
        COUNTRIES: {None: 1},
        dg.AssetKey("atlas"): {None: 1},
    }
    loads = {event.metadata["dltsync/load_id"].value for event in versions.materializations(ORDERS)}
    assert len(loads) == 4, "each event is about the load of its own commit"
    assert {
        e.partition: e.metadata["dagster/partition_row_count"].value for e in versions.materializations(ORDERS)
    } == {JANUARY: 10, FEBRUARY: 20, MARCH: 0}
    for key in (ORDERS, SHIPMENTS):
        assert set(versions.partitions_shown("row_counts", key)) == {"SUCCEEDED"}


def test_a_partition_is_there_when_the_next_one_begins(shop: FakeLocation) -> None:
    shop.add_partitions()
    seen = {}

    def begin(unit: str) -> None:
        seen[unit] = shop.instance.get_materialized_partitions(ORDERS)

    shop.world.on_unit = begin
    shop.materialize(ORDERS, between=(JANUARY, MARCH))
    assert seen == {JANUARY: set(), FEBRUARY: {JANUARY}, MARCH: {JANUARY, FEBRUARY}}


def test_an_event_has_the_versions_of_code_and_source(shop: FakeLocation) -> None:
    """By them the UI says that the source was observed to change since. Dagster itself gives them to outputs only."""
    shop.materialize(COUNTRIES)
    (event,) = shop.materializations(COUNTRIES)
    tags = event.tags or {}
    assert tags["dagster/data_version"] == "v0"
    assert tags["dagster/input_data_version/sqlserver/Shop/dbo/Countries"]
    assert len(tags["dagster/code_version"]) == 12


def test_an_event_that_cannot_be_written_at_the_commit_is_written_later(
    shop: FakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add_partitions()
    logged = dg.OpExecutionContext.log_event
    down = [True]

    def log_event(self: dg.OpExecutionContext, event: dg.AssetMaterialization) -> None:
        if down:
            down.pop()
            raise ConnectionError("the database of Dagster does not answer")
        logged(self, event)

    monkeypatch.setattr(dg.OpExecutionContext, "log_event", log_event)
    assert shop.materialize(ORDERS, between=(JANUARY, MARCH)).success
    counted = Counter(event.partition for event in shop.materializations(ORDERS))
    assert counted == {JANUARY: 1, FEBRUARY: 1, MARCH: 1}


TEN = [f"[{n},{n + 1})" for n in range(10)]


@pytest.mark.survives(
    "crash",
    "SIGKILL of the step of a Dagster run over ten partitions, when four are committed; then the run is executed again from its "
    "failure",
    "four partitions are green and six red; the run that follows loads and reports the six",
    "one event for each commit",
)
@pytest.mark.xdist_group("dagster_forks")
def test_what_a_killed_step_has_committed_is_green_and_its_rerun_reports_the_rest(
    shop: FakeLocation, dagster_forks: Forks, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions(PARTITIONS, TEN)
        ended = dagster_forks.run(
            "tests.dagster.one_run:killed_after",
            {"partitions": TEN, "commits": 4},
            environment={"DAGSTER_HOME": str(tmp_path)},
        )
        assert ended.status == -9, ended.stderr
        (killed,) = instance.get_runs()
        instance.report_run_failed(killed)  # as the daemon's run monitoring does
        assert instance.get_materialized_partitions(ORDERS) == set(TEN[:4])
        shop.instance = instance
        assert set(shop.partitions_shown("row_counts")["SUCCEEDED"]) == set(TEN[:4])
        shop.orders.units = dict.fromkeys(TEN, 1)
        tags = dict(zip(RANGE, (TEN[0], TEN[-1]), strict=True))
        tags |= {"dagster/is_resume_retry": "true", "dagster/parent_run_id": killed.run_id}
        assert run_together(shop, ORDERS, tags=tags).success
        assert shop.world.calls[-1].read == tuple(TEN[4:])
        assert Counter(event.partition for event in shop.materializations(ORDERS)) == dict.fromkeys(TEN, 1)


@pytest.mark.parametrize("key", [CUSTOMERS, ORDERS, COUNTRIES])
def test_a_failing_load_is_the_only_error_of_its_run(shop: FakeLocation, key: dg.AssetKey) -> None:
    """A step behind one that failed is an error in Dagster's log: the checks of the table are no such steps."""
    shop.add_partitions()
    for unit in (FEBRUARY, "all"):
        shop.world.failing[unit] = FidelityError("a value does not fit", remedy="choose text")
    run = shop.materialize(key, partition=FEBRUARY if key == ORDERS else None, raise_on_error=False)
    assert not run.success
    errors = [entry for entry in shop.instance.all_logs(run.run_id) if int(entry.level) >= logging.ERROR]
    assert {entry.step_key for entry in errors if entry.step_key} == {f"shop__sync_{'_'.join(_name(key))}"}
    assert not any("Not executing" in entry.user_message for entry in errors)


def _name(key: dg.AssetKey) -> tuple[str, str]:
    return ("sales" if key == ORDERS else "dbo", key.path[-1])

"""What the ledger has and Dagster does not know is reported by the sensors, and what no longer holds is shown as failed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import typer

from dltsync_core.errors import ConfigError, EnvironmentProblem, StateConflict
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import TableTranslator, TableTranslatorData, command, reconciliation, report_ledger, run_history
from dltsync_dagster.ledger_report import imported_translator, opened_instance
from tests.dagster.conftest import (
    COUNTRIES,
    CURRENCIES,
    CUSTOMERS,
    FEBRUARY,
    JANUARY,
    MARCH,
    NORTH,
    ORDERS,
    ROUTES,
    SHIPMENTS,
    SOUTH,
    SUPPLIERS,
    TABLES,
    FakeLocation,
    shop_config,
)

BOUNDARIES, TIMESTAMPS, HASHES = "partition_boundaries", "scd_timestamps", "static_hashes"
SENSORS = (BOUNDARIES, TIMESTAMPS, HASHES)
EVERYTHING = {
    ORDERS: {JANUARY: 1, FEBRUARY: 1, MARCH: 1},
    SHIPMENTS: {NORTH: 1, SOUTH: 1},
    **{key: {None: 1} for key in (CUSTOMERS, SUPPLIERS, COUNTRIES, CURRENCIES)},
}
"""One event for each unit of the shop."""


def counted(shop: FakeLocation) -> dict[dg.AssetKey, Counter[str | None]]:
    return {key: Counter(event.partition for event in shop.materializations(key)) for key in TABLES}


def loads(shop: FakeLocation, key: dg.AssetKey) -> dict[str | None, object]:
    """The load that Dagster's newest event of each unit is about."""
    return {event.partition: event.metadata["dltsync/load_id"].value for event in reversed(shop.materializations(key))}


def committed_loads(shop: FakeLocation, table: str) -> dict[str, object]:
    return {unit: known.load_id for unit, known in shop.world.committed_units[table].items()}


def test_loads_by_another_program_are_reported_once(shop: FakeLocation) -> None:
    """By `dltsync run`: tables of every kind, first loads and later ones. None of them is loaded again."""
    shop.run_elsewhere(*(str(table.name) for table in shop_config().tables))
    requested = [request for sensor in SENSORS for request in shop.tick(sensor).run_requests or []]
    assert requested == []
    assert counted(shop) == EVERYTHING
    shop.run_elsewhere("sales.Shipments", "dbo.Countries")
    for _ in range(2):
        for sensor in SENSORS:
            shop.tick(sensor)
    assert counted(shop) == {**EVERYTHING, SHIPMENTS: {NORTH: 2, SOUTH: 2}, COUNTRIES: {None: 2}}
    assert loads(shop, SHIPMENTS) == committed_loads(shop, "sales.Shipments")
    (event, _) = shop.materializations(COUNTRIES)
    assert event.metadata["dagster/row_count"].value == 7
    assert "reported from the ledger" in str(event.metadata["dltsync/reason"].value)
    assert (event.tags or {})["dagster/data_version"] == "v0"


def test_what_runs_of_dagster_loaded_is_not_reported_again(shop: FakeLocation) -> None:
    shop.begin_loaded(*SENSORS)
    before = counted(shop)
    assert before == EVERYTHING
    for sensor in SENSORS:
        assert not [event for event in shop.tick(sensor).asset_events if isinstance(event, dg.AssetMaterialization)]
    assert counted(shop) == before


@pytest.fixture
def another_instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_a_lost_dagster_database_is_filled_again_bit_by_bit(
    shop: FakeLocation, another_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.begin_loaded(*SENSORS)
    shop.instance = another_instance
    monkeypatch.setattr(reconciliation.Limits, "__init__", lambda self: self.__dict__.update(reports=2, records=3))
    reported = [len(shop.tick(BOUNDARIES).asset_events) for _ in range(4)]
    assert reported == [2 + 2, 2, 1, 0], "the partitions of both tables were added, too"
    for sensor in (TIMESTAMPS, HASHES):
        shop.tick(sensor)
    assert counted(shop) == EVERYTHING
    assert [call.read for call in shop.world.calls[len(TABLES) :]] == [], "nothing is loaded for it"


def test_a_load_that_the_ledger_has_lost_fails_its_check_until_it_is_loaded_again(shop: FakeLocation) -> None:
    shop.begin_loaded(*SENSORS)
    del shop.world.committed_units["sales.Orders"][FEBRUARY]
    del shop.world.committed_units["dbo.Countries"][WHOLE_TABLE]
    (request,) = shop.tick(BOUNDARIES).run_requests or []
    assert request.partition_key == FEBRUARY
    assert shop.partitions_shown("row_counts") == {"SUCCEEDED": {JANUARY, MARCH}, "FAILED": {FEBRUARY}}
    again = [event for event in shop.tick(BOUNDARIES).asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert not again, "it is said once"
    (evaluation,) = [e for e in shop.tick(HASHES).asset_events if isinstance(e, dg.AssetCheckEvaluation)]
    assert (evaluation.asset_key, evaluation.passed) == (COUNTRIES, False)
    assert "no committed load" in str(evaluation.description)
    assert shop.execute(request).success
    assert shop.partitions_shown("row_counts") == {"SUCCEEDED": {JANUARY, FEBRUARY, MARCH}}


def test_a_table_that_a_run_loads_is_left_to_the_run(shop: FakeLocation) -> None:
    """Its events may be on their way."""
    shop.run_elsewhere("dbo.Countries", "dbo.Currencies")
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    shop.instance.create_run_for_job(job, asset_selection=frozenset([COUNTRIES]), status=dg.DagsterRunStatus.STARTED)
    shop.tick(HASHES)
    assert (len(shop.materializations(COUNTRIES)), len(shop.materializations(CURRENCIES))) == (0, 1)


def test_a_run_that_begins_during_the_tick_is_not_reported_twice(
    shop: FakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits after the sensor looked for runs, and before it reads the ledger: its own event follows."""
    shop.run_elsewhere("dbo.Countries")
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    seen = run_history.tables_in_runs

    def begin(*arguments: object, **named: object) -> set[dg.AssetKey]:
        shop.instance.create_run_for_job(
            job, asset_selection=frozenset([COUNTRIES]), status=dg.DagsterRunStatus.STARTED
        )
        return seen(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(reconciliation, "tables_in_runs", begin)
    shop.tick(HASHES)
    assert shop.materializations(COUNTRIES) == []


def test_the_job_for_everything_reports_what_others_committed(shop: FakeLocation) -> None:
    shop.run_elsewhere("sales.Orders", "dbo.Countries")
    job = shop.definitions.resolve_job_def("shop__sync_everything")
    for _ in range(2):
        assert job.execute_in_process(instance=shop.instance).success
    assert counted(shop) == EVERYTHING


# -- the command ----------------------------------------------------------------------------------------------------------


def test_everything_is_reported_at_once_to_an_instance_that_knows_nothing(
    shop: FakeLocation, another_instance: dg.DagsterInstance
) -> None:
    shop.begin_loaded(*SENSORS)
    shop.instance = another_instance
    done = report_ledger(shop_config(), another_instance, open_pipeline=shop.world.open)
    assert {table["table"]: table["reported"] for table in done["tables"]}["sales.Orders"] == 3
    assert counted(shop) == EVERYTHING
    assert sorted(shop.stored_partitions()) == sorted([JANUARY, FEBRUARY, MARCH])
    again = report_ledger(shop_config(), another_instance, open_pipeline=shop.world.open)
    assert {table["reported"] for table in again["tables"]} == {0}


def test_a_wipe_forgets_the_chosen_tables_and_reports_what_is_committed(shop: FakeLocation) -> None:
    shop.begin_loaded(BOUNDARIES)
    shop.materialize(ORDERS, partition=JANUARY)
    del shop.world.committed_units["sales.Orders"][MARCH]
    done = report_ledger(
        shop_config(), shop.instance, tables=["sales.Orders"], wipe=True, open_pipeline=shop.world.open
    )
    assert done == {
        "wiped": True,
        "tables": [{"table": "sales.Orders", "asset": ORDERS.to_user_string(), "reported": 2, "withdrawn": 0}],
    }
    assert counted(shop)[ORDERS] == {JANUARY: 1, FEBRUARY: 1}
    assert counted(shop)[SHIPMENTS] == {NORTH: 1, SOUTH: 1}
    assert shop.instance.get_dynamic_partitions(ROUTES)


def test_it_is_refused_while_a_run_loads_one_of_the_tables(shop: FakeLocation) -> None:
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    shop.instance.create_run_for_job(job, asset_selection=frozenset([ORDERS]), status=dg.DagsterRunStatus.STARTED)
    with pytest.raises(StateConflict, match=r"a Dagster run is loading sales\.Orders"):
        report_ledger(shop_config(), shop.instance, wipe=True, open_pipeline=shop.world.open)


class Short(TableTranslator):
    """A translator of a user."""

    def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
        return dg.AssetKey(data.table.table_name)


def test_a_translator_of_the_location_names_the_assets(shop: FakeLocation) -> None:
    shop.run_elsewhere("dbo.Countries")
    translator = imported_translator(f"{__name__}:Short")
    report_ledger(shop_config(), shop.instance, translator=translator, open_pipeline=shop.world.open)
    assert len(shop.materializations(dg.AssetKey("Countries"))) == 1
    with pytest.raises(ConfigError, match="--translator no_such:Thing"):
        imported_translator("no_such:Thing")


def test_the_command_reports_to_the_instance_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that does not exist yet has nothing to report, and the source is not opened."""
    config = tmp_path / "dltsync.yaml"
    config.write_text(
        "database: {server: no-such-host.invalid, database: Shop, username: reader, password: none}\n"
        "static_tables: [{table_name: Countries}, {table_name: Currencies}]\n"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    command.report(config=config, tables=["Countries"], wipe=True, json=True)
    assert json.loads(capsys.readouterr().out) == {
        "wiped": True,
        "tables": [{"table": "dbo.Countries", "asset": COUNTRIES.to_user_string(), "reported": 0, "withdrawn": 0}],
    }
    with pytest.raises(typer.Exit) as ended:
        command.report(config=config, tables=["Nowhere"], json=True)
    assert ended.value.exit_code == 2


def test_without_an_instance_the_command_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(EnvironmentProblem, match="DAGSTER_HOME is not set"):
        opened_instance()

"""Several pipelines and a user's own definitions in one code location, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dltsync_core.config import DatabaseConfig, PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_dagster import (
    LocationSettings,
    PipelineResources,
    SqlServerConnection,
    StateStore,
    build_assets,
    build_definitions,
    build_location,
    build_table,
    step_executor,
)
from tests.dagster.conftest import COUNTRIES, CUSTOMERS, ORDERS, SECRET, SHIPMENTS, TABLES, FakeLocation, shop_config
from tests.dagster.fakes import FakeWorld
from tests.dagster.sandbox_location import CUSTOMERS as REAL_CUSTOMERS
from tests.dagster.sandbox_location import SandboxLocation, ShopKeys
from tests.support.sandbox_server import SandboxServer

SETTINGS = LocationSettings(retry_delay_seconds=0)


def archive_config() -> PipelineConfig:
    """Another pipeline with tables of the same names, in another database."""
    database = DatabaseConfig(server="db.example", database="Archive", username="reader", password=SECRET)
    return shop_config().model_copy(update={"pipeline_name": "archive", "database": database})


class Ours(dg.ConfigurableResource[None]):
    """A user's own resource, under a name that dltsync once took."""

    path: str


@dg.asset(deps=[ORDERS, dg.AssetKey(["Archive", "warehouse", "Countries"])])
def report(warehouse: Ours) -> None:
    assert warehouse.path == "mine"


@dg.asset_check(asset=COUNTRIES)
def enough() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def merged(world: FakeWorld) -> dg.Definitions:
    own = dg.Definitions(
        assets=[report],
        asset_checks=[enough],
        jobs=[dg.define_asset_job("sync_everything", selection=[COUNTRIES])],
        resources={"warehouse": Ours(path="mine"), "state": Ours(path="too")},
        executor=dg.in_process_executor,
    )
    pipelines = [
        build_definitions(config, settings=SETTINGS, open_pipeline=world.open)
        for config in (shop_config(), archive_config())
    ]
    return dg.Definitions.merge(*pipelines, own)


def test_two_pipelines_and_definitions_of_a_user_make_one_location(shop: FakeLocation) -> None:
    definitions = merged(shop.world)
    dg.Definitions.validate_loadable(definitions)
    names = [
        *(job.name for job in definitions.jobs or ()),
        *(schedule.name for schedule in definitions.schedules or ()),
        *(sensor.name for sensor in definitions.sensors or ()),
        *(node.name for node in definitions.resolve_implicit_global_asset_job_def().nodes),
    ]
    own = {"sync_everything", "report", "countries_enough", "Shop__warehouse__Countries_enough"}
    assert {name.partition("__")[0] for name in names if name not in own} == {"shop", "archive"}
    assert set(definitions.resources or {}) == {"warehouse", "state", "shop__tables", "archive__tables"}
    keys = definitions.resolve_asset_graph().materializable_asset_keys
    assert len(keys) == 2 * len(TABLES) + 1, "equal names of two databases are two assets"


def test_in_one_location_each_pipeline_loads_its_own(shop: FakeLocation) -> None:
    shop.definitions = merged(shop.world)
    other = dg.AssetKey(["Archive", "warehouse", "Countries"])
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(
        instance=shop.instance, asset_selection=[other, COUNTRIES, CUSTOMERS, report.key]
    ).success
    assert sorted(config.pipeline_name for config in shop.world.configs) == ["archive", "shop", "shop"]
    assert len(shop.materializations(other)) == len(shop.materializations(COUNTRIES)) == 1


def test_a_run_of_one_pipeline_holds_no_other_back(shop: FakeLocation) -> None:
    shop.definitions = merged(shop.world)
    shop.instance.create_run_for_job(
        shop.definitions.resolve_job_def("archive__sync_everything"), status=dg.DagsterRunStatus.STARTED
    )
    assert len(shop.look("static_hashes").run_requests or []) == 2


def test_the_executor_is_that_of_the_user_unless_one_is_asked_for() -> None:
    assert build_definitions(shop_config(), settings=SETTINGS).executor is None
    asked = build_definitions(shop_config(), settings=SETTINGS, executor=step_executor(SETTINGS))
    assert asked.executor is not None


def test_the_assets_of_some_tables_are_put_into_a_users_own_definitions(shop: FakeLocation) -> None:
    chosen = build_assets(
        shop_config(), tables=["Countries", "sales.Shipments"], settings=SETTINGS, open_pipeline=shop.world.open
    )
    table = build_table(shop_config(), "dbo.Customers", settings=SETTINGS, open_pipeline=shop.world.open)
    shop.definitions = dg.Definitions.merge(dg.Definitions(assets=chosen), table)
    dg.Definitions.validate_loadable(shop.definitions)
    graph = shop.definitions.resolve_asset_graph()
    assert graph.materializable_asset_keys == {COUNTRIES, SHIPMENTS, CUSTOMERS}
    assert {key.name for key in graph.get(CUSTOMERS).check_keys} == {
        "row_counts",
        "schema",
        "three_way_validation",
        "version_integrity",
    }
    assert shop.materialize(CUSTOMERS).success
    with pytest.raises(ConfigError, match="no_such"):
        build_table(shop_config(), "no_such", settings=SETTINGS)


def test_names_of_different_pipelines_differ() -> None:
    """Dagster takes letters, digits and underscores only; a merge of two equal names fails."""
    pipelines = ["a", "a-b", "a_b", "a__b", "a_", "A", "0", "a_sync", "a__sync"]
    configs = [shop_config().model_copy(update={"pipeline_name": name}) for name in pipelines]
    locations = [build_location(config, settings=SETTINGS) for config in configs]
    names = [location.named(name) for location in locations for name in ("sync", "sync_sync", "sync_everything")]
    assert len(set(names)) == 3 * len(pipelines)
    assert all(name.isidentifier() or name[0] == "0" for name in names)


@pytest.fixture
def real(sandbox: SandboxServer, tmp_path: Path) -> Iterator[SandboxLocation]:
    with dg.DagsterInstance.ephemeral() as instance:
        shop = SandboxLocation(sandbox, tmp_path, instance)
        yield shop
        shop.connection.close()


def test_resources_with_environment_variables_load_over_the_wire(
    real: SandboxLocation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The config has no password and another state directory; the run reads both from its environment."""
    database = real.config.database.model_copy(update={"password": None})
    config = real.config.model_copy(update={"database": database})
    resources = PipelineResources(
        sqlserver=SqlServerConnection(password=dg.EnvVar("SHOP_PASSWORD")),
        state=StateStore(directory=dg.EnvVar("SHOP_STATE")),
    )
    definitions = build_definitions(config, settings=SETTINGS, resources=resources, translator=ShopKeys())
    job = definitions.resolve_implicit_global_asset_job_def()
    monkeypatch.setenv("SHOP_PASSWORD", real.secret)
    monkeypatch.setenv("SHOP_STATE", str(tmp_path / "elsewhere"))
    run = job.execute_in_process(instance=real.instance, asset_selection=[REAL_CUSTOMERS])
    assert run.success
    assert real.warehouse("SELECT Name FROM warehouse.Customers") == [("Ann",)]
    assert (tmp_path / "elsewhere" / "ledger.db").is_file()
    assert real.secret not in str(real.instance.all_logs(run.run_id))

"""The location loads without a connection, says what is wrong with its config, and shows no secret."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import mssql_python
import pyodbc
import pytest
import yaml
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from dltsync_core.config import PartitionTableConfig, PipelineConfig, StaticTableConfig
from dltsync_core.errors import ConfigError
from dltsync_dagster import LocationSettings, PipelineResources, SqlServerConnection, build_definitions
from dltsync_dagster.settings import read_settings
from tests.dagster.conftest import (
    COUNTRIES,
    CUSTOMERS,
    ORDERS,
    PARTITIONS,
    PIPELINE,
    ROUTES,
    SECRET,
    SHIPMENTS,
    TABLES,
    FakeLocation,
    shop_config,
)
from tests.support.forks import Ended, Forks

ROOT = Path(__file__).resolve().parents[2]


def test_loading_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError("a connection was opened while the definitions were loaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(pyodbc, "connect", refuse)
    monkeypatch.setattr(mssql_python, "connect", refuse)
    definitions = build_definitions(shop_config(), settings=LocationSettings())
    dg.Definitions.validate_loadable(definitions)


def test_loading_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dg.Definitions.validate_loadable(build_definitions(shop_config(), settings=LocationSettings()))
    assert list(tmp_path.iterdir()) == []


def test_each_table_is_an_asset_below_its_source(shop: FakeLocation) -> None:
    graph = shop.definitions.resolve_asset_graph()
    for key, source in TABLES.items():
        upstream = dg.AssetKey(["sqlserver", "Shop", *source.split("_")])
        assert graph.get(key).parent_keys == {upstream}
        assert graph.get(key).kinds == {"dlt", "parquet", "duckdb"}
        assert "sqlserver" in graph.get(upstream).kinds
    for key, name in ((ORDERS, PARTITIONS), (SHIPMENTS, ROUTES)):
        definition = graph.get(key).partitions_def
        assert isinstance(definition, dg.DynamicPartitionsDefinition)
        assert definition.name == name
    assert graph.get(CUSTOMERS).partitions_def is None


def test_description_tags_and_owners_come_from_the_config() -> None:
    definitions = build_definitions(shop_config(), settings=LocationSettings(owners=("team:data",)))
    node = definitions.resolve_asset_graph().get(COUNTRIES)
    assert node.description == "All of them."
    assert node.tags["domain"] == "geo"
    assert list(node.owners) == ["team:data"]


def test_sources_of_every_kind_can_be_observed(shop: FakeLocation) -> None:
    graph = shop.definitions.resolve_asset_graph()
    observable = {key.path[-1] for key in graph.observable_asset_keys}
    assert observable == {"Orders", "Shipments", "Customers", "Suppliers", "Countries", "Currencies"}


@pytest.mark.parametrize("name", ["Order Details", "Bestellungen/2024", "注文", "a.b", "Don't"])
def test_any_table_name_makes_a_location(name: str) -> None:
    config = shop_config().model_copy(
        update={"static_tables": (StaticTableConfig(table_name=name), StaticTableConfig(table_name=f"{name} too"))}
    )
    definitions = build_definitions(config, settings=LocationSettings())
    dg.Definitions.validate_loadable(definitions)
    tables = [
        key for key in definitions.resolve_asset_graph().get_all_asset_keys() if key.path[:2] == ["Shop", "warehouse"]
    ]
    assert len(tables) == 6  # those of the shop's other kinds, and two that only differ in a word


Names = list[tuple[str, str]]


@pytest.mark.parametrize(
    "names",
    [
        [("a", "b_c"), ("a_b", "c")],
        [("dbo", "a b"), ("dbo", "a_b"), ("dbo", "a-b"), ("dbo", "a_b_1")],
        [("x", "y"), ("x_y", "check"), ("dbo", "注文"), ("dbo", "文注")],
    ],
)
@pytest.mark.parametrize("kind", ["partition_tables", "scd_tables", "static_tables"])
def test_tables_with_names_that_read_alike_have_steps_of_their_own(kind: str, names: Names) -> None:
    """Dagster makes identifiers of names: one step for two tables fails the location, or runs the wrong one."""
    column = {"last_modified_column": "Changed"} if kind == "scd_tables" else {}
    tables = [
        {"schema_name": schema, "table_name": name, "target_table": f"t{n}", **column}
        for n, (schema, name) in enumerate(names)
    ]
    config = PipelineConfig(database=shop_config().database, **{kind: tables})
    definitions = build_definitions(config, settings=LocationSettings())
    dg.Definitions.validate_loadable(definitions)
    steps = {node.name for node in definitions.resolve_implicit_global_asset_job_def().nodes}
    assert len(steps) == len(names) * {"partition_tables": 3, "scd_tables": 4, "static_tables": 3}[kind]


def test_versions_of_tables_whose_assets_read_alike_are_checked_apart() -> None:
    column = {"last_modified_column": "Changed"}
    tables = [
        {"table_name": "a", "target_schema": "x", "target_table": "y__z", **column},
        {"table_name": "b", "target_schema": "x__y", "target_table": "z", **column},
        {"table_name": "c", "target_table": "d-e", **column},
        {"table_name": "d", "target_table": "d_e", **column},
    ]
    config = PipelineConfig(database=shop_config().database, scd_tables=tables)
    dg.Definitions.validate_loadable(build_definitions(config, settings=LocationSettings()))


def test_the_step_of_a_table_does_not_depend_on_the_other_tables() -> None:
    """Run config names steps: a schedule's or a preset's must mean the same table when another one joins."""
    joined = shop_config().model_copy(
        update={"static_tables": (StaticTableConfig(table_name="a b"), StaticTableConfig(table_name="c d"))}
    )
    alone = joined.model_copy(update={"static_tables": joined.static_tables[1:]})
    (first, second) = (
        {node.name for node in build_definitions(config).resolve_implicit_global_asset_job_def().nodes}
        for config in (alone, joined)
    )
    assert first < second


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_the_password_is_in_no_definition() -> None:
    """What the UI and the instance's database get of a location: resource config, metadata, everything."""
    definitions = build_definitions(shop_config(), settings=LocationSettings())
    snapshot = serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))
    assert "db.example" in snapshot
    assert SECRET not in snapshot


def test_the_password_is_in_no_event(shop: FakeLocation) -> None:
    shop.add_partitions()
    for key in (CUSTOMERS, COUNTRIES):
        run = shop.materialize(key)
        assert SECRET not in json.dumps([str(entry) for entry in shop.instance.all_logs(run.run_id)])
    assert shop.world.configs[0].database.password is not None
    assert shop.world.configs[0].database.password.get_secret_value() == SECRET


def test_a_resource_puts_its_value_over_the_file(shop: FakeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICA_PASSWORD", "another secret")
    replica = SqlServerConnection(server="replica.example", password=dg.EnvVar("REPLICA_PASSWORD"))
    shop.definitions = build_definitions(
        shop_config(),
        settings=LocationSettings(),
        resources=PipelineResources(sqlserver=replica),
        open_pipeline=shop.world.open,
    )
    assert shop.materialize(COUNTRIES).success
    used = shop.world.configs[-1].database
    assert (used.server, used.database) == ("replica.example", "Shop")
    assert used.password is not None
    assert used.password.get_secret_value() == "another secret"


def test_a_token_of_a_resource_takes_the_place_of_the_files_login(
    shop: FakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "a token")
    shop.definitions = build_definitions(
        shop_config(),
        settings=LocationSettings(),
        resources=PipelineResources(sqlserver=SqlServerConnection(access_token=dg.EnvVar("SHOP_TOKEN"))),
        open_pipeline=shop.world.open,
    )
    assert shop.materialize(COUNTRIES).success
    used = shop.world.configs[-1].database
    assert used.access_token is not None
    assert used.access_token.get_secret_value() == "a token"
    assert (used.username, used.password) == (None, None)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_SYNC_DAGSTER_SENSORS", "running")
    definitions = build_definitions(shop_config())
    for sensor in ("partition_boundaries", "scd_timestamps", "static_hashes"):
        assert definitions.resolve_sensor_def(f"{PIPELINE}__{sensor}").default_status is dg.DefaultSensorStatus.RUNNING


def test_a_setting_that_means_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean DLT_SYNC_DAGSTER_SENSORS"):
        read_settings({"DLT_SYNC_DAGSTER_SENSOR": "running"})


def test_a_location_of_partition_tables_only_has_no_other_sensor() -> None:
    config = PipelineConfig(
        database=shop_config().database, partition_tables=[PartitionTableConfig(table_name="Orders")]
    )
    definitions = build_definitions(config, settings=LocationSettings())
    assert [sensor.name for sensor in definitions.sensors or []] == ["dltsync__partition_boundaries"]


@pytest.fixture
def validate(dagster_forks: Forks, tmp_path: Path) -> Callable[[Path | None], Ended]:
    """`dagster definitions validate -w workspace.yaml` with a config file, or without one."""

    def run(config: Path | None) -> Ended:
        environment = {"DAGSTER_HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "yes", "NO_COLOR": "1"}
        if config is not None:
            environment["DLT_SYNC_CONFIG"] = str(config)
        return dagster_forks.run("tests.dagster.validate_definitions:call", environment, directory=ROOT)

    return run


@pytest.mark.xdist_group("dagster_forks")
def test_the_workspace_is_valid_without_a_server(validate: Callable[[Path | None], Ended]) -> None:
    done = validate(None)
    assert done.status == 0, done.stdout + done.stderr


@pytest.mark.xdist_group("dagster_forks")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no config file"),
        ("database: [", "line 1"),
        ("database: {server: s, database: d}\nstatic_tabels: []\n", "did you mean"),
    ],
)
def test_a_wrong_config_fails_the_location_with_its_message(
    validate: Callable[[Path | None], Ended], tmp_path: Path, text: str | None, message: str
) -> None:
    config = tmp_path / "dltsync.yaml"
    if text is not None:
        config.write_text(text)
    done = validate(config)
    assert done.status != 0
    assert message in done.stdout + done.stderr


SEVERAL = """\
database: {server: 127.0.0.1, database: Shop, username: reader, password: none}
partition_tables:
  - {schema_name: sales, table_name: Orders}
  - {schema_name: sales, table_name: Shipments}
  - {schema_name: sales_eu, table_name: Orders, target_table: OrdersOfEurope}
scd_tables:
  - {table_name: Customers, last_modified_column: Changed}
  - {table_name: Suppliers, last_modified_column: Changed}
static_tables:
  - {table_name: Countries}
  - {table_name: Currencies}
"""


@pytest.mark.xdist_group("dagster_forks")
def test_a_location_with_several_tables_of_every_kind_is_valid(
    validate: Callable[[Path | None], Ended], tmp_path: Path
) -> None:
    config = tmp_path / "dltsync.yaml"
    config.write_text(SEVERAL)
    done = validate(config)
    assert done.status == 0, done.stdout + done.stderr


def test_the_location_is_named_alike_everywhere() -> None:
    """Different names make Dagster warn on every load."""
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert f'code_location_name = "{entry["python_module"]["location_name"]}"' in (ROOT / "pyproject.toml").read_text()

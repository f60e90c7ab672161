"""A location over a fake pipeline: two tables of each kind, and an instance that lives as long as a test."""

from __future__ import annotations

import copy
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.partitions.subset import PartitionsSubset
from dagster._core.definitions.sensor_definition import SensorExecutionData

from dltsync_core.config import (
    DatabaseConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StaticTableConfig,
)
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import LocationSettings, build_definitions
from tests.dagster.fakes import FakeTable, FakeWorld
from tests.dagster.instances import Copied, revisions_read_once
from tests.support.forks import Forks

SECRET = "Sesame-open-1"
JANUARY, FEBRUARY, MARCH = "(-inf,2024-02-01)", "[2024-02-01,2024-03-01)", "[2024-03-01,+inf)"
NORTH, SOUTH = "(-inf,100]", "(100,+inf)"
PARTITIONS, ROUTES = "db.example/Shop/sales/Orders", "db.example/Shop/sales/Shipments"
PIPELINE = "shop"
"""The pipeline's name, with which the names of its jobs, sensors and steps begin."""
ORDERS = dg.AssetKey(["Shop", "warehouse", "Orders"])
SHIPMENTS = dg.AssetKey(["Shop", "warehouse", "Shipments"])
CUSTOMERS = dg.AssetKey(["Shop", "warehouse", "Customers"])
SUPPLIERS = dg.AssetKey(["Shop", "warehouse", "Suppliers"])
COUNTRIES = dg.AssetKey(["Shop", "warehouse", "Countries"])
CURRENCIES = dg.AssetKey(["Shop", "warehouse", "Currencies"])
TABLES = {
    ORDERS: "sales_Orders",
    SHIPMENTS: "sales_Shipments",
    CUSTOMERS: "dbo_Customers",
    SUPPLIERS: "dbo_Suppliers",
    COUNTRIES: "dbo_Countries",
    CURRENCIES: "dbo_Currencies",
}
"""The tables by their assets, as the names of their steps end."""
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
THREE_WAY = "three_way_validation"
BOUNDARIES, TIMESTAMPS, HASHES = "partition_boundaries", "scd_timestamps", "static_hashes"
"""The sensors, as their names end."""


def skip_reason(found: SensorExecutionData) -> str:
    """What a tick says that requests nothing."""
    assert found.skip_message is not None
    return found.skip_message


def shop_config() -> PipelineConfig:
    return PipelineConfig(
        pipeline_name=PIPELINE,
        database=DatabaseConfig(server="db.example", database="Shop", username="reader", password=SECRET),
        partition_tables=[
            PartitionTableConfig(table_name="Orders", schema_name="sales"),
            PartitionTableConfig(table_name="Shipments", schema_name="sales"),
        ],
        scd_tables=[
            SCDTableConfig(table_name="Customers", last_modified_column="LastModified"),
            SCDTableConfig(table_name="Suppliers", last_modified_column="LastModified"),
        ],
        static_tables=[
            StaticTableConfig(table_name="Countries", tags={"domain": "geo"}, description="All of them."),
            StaticTableConfig(table_name="Currencies"),
        ],
    )


@dataclass
class FakeLocation:
    """The location under test and the world it works on."""

    world: FakeWorld
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    @property
    def orders(self) -> FakeTable:
        return self.world.tables["sales.Orders"]

    def add_partitions(self, keys: Sequence[str] = (JANUARY, FEBRUARY, MARCH)) -> None:
        self.instance.add_dynamic_partitions(PARTITIONS, list(keys))

    def materialize(
        self,
        key: dg.AssetKey,
        *,
        partition: str | None = None,
        between: tuple[str, str] | None = None,
        options: dict[str, bool] | None = None,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        tags = {}
        if between is not None:
            tags = dict(zip(RANGE, between, strict=True))
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[key],
            partition_key=partition,
            tags=tags,
            run_config={"ops": {f"{PIPELINE}__sync_{TABLES[key]}": {"config": options}}} if options else None,
            raise_on_error=raise_on_error,
        )

    def check(
        self,
        key: dg.AssetKey,
        *,
        partition: str | None = None,
        between: tuple[str, str] | None = None,
        options: dict[str, Any] | None = None,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """What the UI does when the check is executed by itself. The partition is a tag of the run, as the API has it: asked for
        as a partition of the job, it would have to be one of every partition table."""
        tags = dict(zip(RANGE, between, strict=True)) if between is not None else {}
        if partition is not None:
            tags["dagster/partition"] = partition
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(), asset_check_selection={dg.AssetCheckKey(key, THREE_WAY)}
        )
        return job.execute_in_process(
            instance=self.instance,
            tags=tags,
            run_config={"ops": {f"{PIPELINE}__validate_{TABLES[key]}": {"config": options}}} if options else None,
            raise_on_error=raise_on_error,
        )

    def evaluations(self, run: dg.ExecuteInProcessResult, check: str) -> dict[str | None, dg.AssetCheckEvaluation]:
        """What a check said in a run, by partition."""
        records = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found = [record.get_dagster_event().asset_check_evaluation_data for record in records]
        return {said.partition: said for said in found if said.check_name == check}

    def partitions_shown(self, check: str, asset: dg.AssetKey = ORDERS) -> dict[str, set[str]]:
        """How the UI colours the partitions of a table: keys by status. A result about an older load is no status."""
        key = dg.AssetCheckKey(asset, check)
        definition = self.definitions.resolve_asset_graph().get(key).partitions_def
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            state = self.instance.event_log_storage.get_asset_check_state([(key, definition)])[key]
            subsets = {status.value: subset.subset_value for status, subset in state.subsets.items()}
            return {
                status: set(subset.get_partition_keys())
                for status, subset in subsets.items()
                if isinstance(subset, PartitionsSubset) and not subset.is_empty
            }

    def look(self, sensor: str, cursor: str | None = None) -> SensorExecutionData:
        """One tick, with the checks that the daemon makes of what a sensor returns."""
        context = dg.build_sensor_context(instance=self.instance, definitions=self.definitions, cursor=cursor)
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            return self.definitions.resolve_sensor_def(f"{PIPELINE}__{sensor}").evaluate_tick(context)

    def tick(self, sensor: str, cursor: str | None = None) -> SensorExecutionData:
        """One tick as the daemon takes it: the events are recorded, the runs are not launched."""
        found = self.look(sensor, cursor)
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        return found

    def run_elsewhere(self, *tables: str) -> None:
        """Load tables as `dltsync run` does: Dagster hears nothing of it."""
        with self.world.open(shop_config()) as pipeline:
            assert pipeline.run(table_names=tables, force=True).success

    def materializations(self, key: dg.AssetKey) -> list[dg.AssetMaterialization]:
        """All events of an asset, newest first."""
        records = self.instance.fetch_materializations(key, limit=1000).records
        return [record.asset_materialization for record in records if record.asset_materialization is not None]

    def asked(self, sensor: str, table: dg.AssetKey) -> list[dg.RunRequest]:
        """What one tick asks for of one table."""
        return [request for request in self.look(sensor).run_requests or [] if request.asset_selection == [table]]

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What the daemon would do with a request."""
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(request.asset_selection or []),
            asset_check_selection=set(request.asset_check_keys or []),
        )
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            run_config=dict(request.run_config),
            raise_on_error=False,
        )

    def load_what_is_asked(self, sensor: str) -> None:
        """One tick, and its runs."""
        for request in self.look(sensor).run_requests or []:
            assert self.execute(request).success

    def begin_loaded(self, *sensors: str) -> None:
        """As after a tick of each of these sensors and its runs. They are executed once in this process: the locations of later
        tests get a copy of what that left in the world and in Dagster. For a location as it is made, before anything else."""
        if sensors not in _LOADED:
            for sensor in sensors:
                self.load_what_is_asked(sensor)
            _LOADED[sensors] = Loaded(self.world.after_loads(), Copied(self.instance))
            return
        loaded = _LOADED[sensors]
        loaded.events.into(self.instance)
        for name, value in copy.deepcopy(loaded.world).items():
            setattr(self.world, name, value)

    def stored_partitions(self, name: str = PARTITIONS) -> list[str]:
        return list(self.instance.get_dynamic_partitions(name))


@dataclass(frozen=True)
class Loaded:
    """What runs left: fields of the world by their names, and what Dagster knows."""

    world: dict[str, Any]
    events: Copied


_LOADED: dict[tuple[str, ...], Loaded] = {}
"""By the sensors whose runs were executed."""


@pytest.fixture(scope="session", autouse=True)
def cheap_instances() -> Iterator[None]:
    """For all instances that this process makes."""
    with revisions_read_once():
        yield


@pytest.fixture(scope="session")
def dagster_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that have Dagster loaded when they start."""
    made = Forks(
        tmp_path_factory.mktemp("dagster_forks"),
        imports=["tests.dagster.one_run", "tests.dagster.validate_definitions"],
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def shop() -> Iterator[FakeLocation]:
    world = FakeWorld(
        {
            "sales.Orders": FakeTable({JANUARY: 10, FEBRUARY: 20, MARCH: 0}),
            "sales.Shipments": FakeTable({NORTH: 4, SOUTH: 6}),
            "dbo.Customers": FakeTable({WHOLE_TABLE: 5}),
            "dbo.Suppliers": FakeTable({WHOLE_TABLE: 3}),
            "dbo.Countries": FakeTable({WHOLE_TABLE: 7}),
            "dbo.Currencies": FakeTable({WHOLE_TABLE: 2}),
        }
    )
    settings = LocationSettings(retry_delay_seconds=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield FakeLocation(
            world, build_definitions(shop_config(), settings=settings, open_pipeline=world.open), instance
        )


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may open the database: definitions are loaded where it cannot be reached."""
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)

    def refused(*_: object) -> None:
        raise AssertionError("a connection is opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr("dltsync_core.extract.source.open_control_session", refused)

"""A location over a fake pipeline: one table of each kind, and an instance that lives as long as a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import pytest
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

SECRET = "Sesame-open-1"
JANUARY, FEBRUARY, MARCH = "[-inf,2024-02-01)", "[2024-02-01,2024-03-01)", "[2024-03-01,+inf)"
PARTITIONS = "db.example/Shop/sales/Orders"
ORDERS = dg.AssetKey(["warehouse", "Orders"])
CUSTOMERS = dg.AssetKey(["warehouse", "Customers"])
COUNTRIES = dg.AssetKey(["warehouse", "Countries"])


def shop_config() -> PipelineConfig:
    return PipelineConfig(
        database=DatabaseConfig(server="db.example", database="Shop", username="reader", password=SECRET),
        partition_tables=[PartitionTableConfig(table_name="Orders", schema_name="sales")],
        scd_tables=[SCDTableConfig(table_name="Customers", last_modified_column="LastModified")],
        static_tables=[StaticTableConfig(table_name="Countries", tags={"domain": "geo"}, description="All of them.")],
    )


@dataclass
class Shop:
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
            tags = dict(
                zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), between, strict=True)
            )
        job = self.definitions.resolve_implicit_global_asset_job_def()
        op = {ORDERS: "sync_sales_Orders", CUSTOMERS: "sync_dbo_Customers", COUNTRIES: "sync_dbo_Countries"}[key]
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[key],
            partition_key=partition,
            tags=tags,
            run_config={"ops": {op: {"config": options}}} if options else None,
            raise_on_error=raise_on_error,
        )

    def look(self, sensor: str) -> SensorExecutionData:
        """One tick, with the checks that the daemon makes of what a sensor returns."""
        context = dg.build_sensor_context(
            instance=self.instance, definitions=self.definitions, resources=dict(self.definitions.resources or {})
        )
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            return self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What the daemon would do with a request."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=list(request.asset_selection or []),
            partition_key=request.partition_key,
            tags=dict(request.tags),
            run_config=dict(request.run_config),
            raise_on_error=False,
        )

    def stored_partitions(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions(PARTITIONS))


@pytest.fixture
def shop() -> Iterator[Shop]:
    world = FakeWorld(
        {
            "sales.Orders": FakeTable({JANUARY: 10, FEBRUARY: 20, MARCH: 0}),
            "dbo.Customers": FakeTable({WHOLE_TABLE: 5}),
            "dbo.Countries": FakeTable({WHOLE_TABLE: 7}),
        }
    )
    settings = LocationSettings(retry_delay_seconds=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Shop(world, build_definitions(shop_config(), settings=settings, open_pipeline=world.open), instance)

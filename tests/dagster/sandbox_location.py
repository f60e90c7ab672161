"""The code location over the real core: a database in the sandbox, Parquet files, a DuckDB warehouse, Dagster runs in process."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import dagster as dg
import duckdb
import pyodbc
from dagster._core.definitions.sensor_definition import SensorExecutionData

from dltsync_core.config import (
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_dagster import LocationSettings, TableTranslator, TableTranslatorData, build_definitions
from tests.support.sandbox_server import SandboxServer

ORDERS, SHIPMENTS = (dg.AssetKey(["shop", "warehouse", name]) for name in ("Orders", "Shipments"))


CUSTOMERS, SUPPLIERS = (dg.AssetKey(["shop", "warehouse", name]) for name in ("Customers", "Suppliers"))


COUNTRIES, CURRENCIES = (dg.AssetKey(["shop", "warehouse", name]) for name in ("Countries", "Currencies"))


ALL_TABLES = (ORDERS, SHIPMENTS, CUSTOMERS, SUPPLIERS, COUNTRIES, CURRENCIES)


SENSORS = ("partition_boundaries", "scd_timestamps", "static_hashes")


class ShopKeys(TableTranslator):
    """The database has another name in each test, and the assets the same keys."""

    def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
        return dg.AssetKey(["shop", *super().get_table_key(data).path[1:]])


class SandboxLocation:
    """Two tables of each kind in a database of their own, and the location over them, or over those `tables` alone."""

    def __init__(
        self,
        sandbox: SandboxServer,
        root: Path,
        instance: dg.DagsterInstance,
        tables: Sequence[str] = (),
        *,
        name: str = "dltsync",
        settings: LocationSettings | None = None,
    ) -> None:
        self.name = name
        self.database = f"shop_{uuid.uuid4().hex[:8]}"
        self.instance, self.root = instance, root
        with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as master:
            master.execute(f"CREATE DATABASE {self.database}")
            master.execute(f"ALTER DATABASE {self.database} SET ALLOW_SNAPSHOT_ISOLATION ON")
        self.connection = pyodbc.connect(sandbox.odbc(database=self.database), autocommit=True)
        for statement in TABLES:
            self.connection.execute(statement)

        def asked(*names: str) -> list[str]:
            return [name for name in names if not tables or name in tables]

        self.config = config = PipelineConfig(
            pipeline_name=name,
            database=sandbox.database_config(database=self.database),
            partition_tables=[PartitionTableConfig(table_name=name) for name in asked("Orders", "Shipments")],
            scd_tables=[
                SCDTableConfig(table_name=name, last_modified_column="Changed")
                for name in asked("Customers", "Suppliers")
            ],
            static_tables=[StaticTableConfig(table_name=name) for name in asked("Countries", "Currencies")],
            state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
            destination=DestinationConfig(path=root / "house.duckdb"),
            log_file=root / "dltsync.log",
        )
        self.secret = sandbox.password
        kinds = (config.partition_tables, config.scd_tables, config.static_tables)
        self.sensors = [sensor for sensor, tables_of_kind in zip(SENSORS, kinds, strict=True) if tables_of_kind]
        self.definitions = build_definitions(
            config,
            settings=settings or LocationSettings(retry_delay_seconds=0),
            translator=ShopKeys() if name == "dltsync" else None,
        )

    def look(self) -> list[dg.RunRequest]:
        """What all sensors ask for."""
        found: list[dg.RunRequest] = []
        for name in self.sensors:
            context = dg.build_sensor_context(instance=self.instance, definitions=self.definitions)
            with dg.partition_loading_context(dynamic_partitions_store=self.instance):
                found += (
                    self.definitions.resolve_sensor_def(f"dltsync__{name}").evaluate_tick(context).run_requests or []
                )
        return found

    def tick(self, sensor: str, cursor: str | None = None) -> SensorExecutionData:
        """One tick of one sensor."""
        context = dg.build_sensor_context(instance=self.instance, definitions=self.definitions, cursor=cursor)
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            return self.definitions.resolve_sensor_def(f"{self.name}__{sensor}").evaluate_tick(context)

    def execute(self, requests: list[dg.RunRequest]) -> None:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        for request in requests:
            asked = job.get_subset(
                asset_selection=set(request.asset_selection or []),
                asset_check_selection=set(request.asset_check_keys or []),
            )
            assert asked.execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                tags=dict(request.tags),
                run_config=dict(request.run_config),
            ).success

    def validate(self, partition: str | None = None, **options: object) -> dict[str | None, dg.AssetCheckEvaluation]:
        """The check of the orders, executed by itself; what it says, by partition."""
        check = dg.AssetCheckKey(ORDERS, "three_way_validation")
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(), asset_check_selection={check}
        )
        done = job.execute_in_process(
            instance=self.instance,
            tags={"dagster/partition": partition} if partition is not None else {},
            run_config={"ops": {"dltsync__validate_dbo_Orders": {"config": options}}},
        )
        said = [
            e.asset_check_evaluation_data for e in done.all_events if e.event_type_value == "ASSET_CHECK_EVALUATION"
        ]
        return {one.partition: one for one in said}

    def warehouse(self, query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.root / "house.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def metadata(self, key: dg.AssetKey) -> dict[str, object]:
        event = self.instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}


VERSIONS = """CREATE TABLE dbo.{0} (No int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL,
    IsLatest bit NOT NULL, Name nvarchar(20) NULL, Changed datetime2(3) NOT NULL,
    CONSTRAINT pk_{0} PRIMARY KEY (No, EffectiveDate))"""


TABLES = (
    "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (100, 200)",
    "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
    "CREATE TABLE dbo.Orders (No int NOT NULL, Note nvarchar(20) NULL, CONSTRAINT pk_o PRIMARY KEY (No)) ON ps(No)",
    "CREATE PARTITION FUNCTION by_day (date) AS RANGE LEFT FOR VALUES ('2024-01-31', '2024-02-29', '2024-03-31')",
    "CREATE PARTITION SCHEME by_day AS PARTITION by_day ALL TO ([PRIMARY])",
    "CREATE TABLE dbo.Shipments (Day date NOT NULL, No int NOT NULL, CONSTRAINT pk_s PRIMARY KEY (Day, No)) ON by_day(Day)",
    VERSIONS.format("Customers"),
    VERSIONS.format("Suppliers"),
    "CREATE TABLE dbo.Countries (Code char(2) NOT NULL CONSTRAINT pk_l PRIMARY KEY, Name nvarchar(40) NOT NULL)",
    "CREATE TABLE dbo.Currencies (Code char(3) NOT NULL CONSTRAINT pk_m PRIMARY KEY)",
    "INSERT INTO dbo.Shipments (Day, No) VALUES ('2024-01-31', 1), ('2024-02-01', 2), ('2024-02-29', 3), ('2024-05-01', 4)",
    "INSERT INTO dbo.Suppliers VALUES (7, '2024-01-01', NULL, 1, N'Bob', '2024-01-01')",
    "INSERT INTO dbo.Currencies (Code) VALUES ('CHF'), ('JPY'), ('EUR')",
    "INSERT INTO dbo.Orders (No, Note) VALUES (1, N'a'), (2, N'b'), (150, N'c'), (250, N'd')",
    "INSERT INTO dbo.Customers VALUES (1, '2024-01-01', NULL, 1, N'Ann', '2024-01-01')",
    "INSERT INTO dbo.Countries (Code, Name) VALUES ('CH', N'Schweiz'), ('JP', N'日本')",
)

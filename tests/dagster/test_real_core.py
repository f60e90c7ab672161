"""The location over the real core: a sandbox over the wire, Parquet files, a DuckDB warehouse, Dagster runs in process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import duckdb
import pyodbc
import pytest

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import LocationSettings, build_definitions
from tests.support.sandbox_server import SandboxServer

ORDERS, SHIPMENTS = (dg.AssetKey(["warehouse", name]) for name in ("Orders", "Shipments"))
CUSTOMERS, SUPPLIERS = (dg.AssetKey(["warehouse", name]) for name in ("Customers", "Suppliers"))
COUNTRIES, CURRENCIES = (dg.AssetKey(["warehouse", name]) for name in ("Countries", "Currencies"))
ALL_TABLES = (ORDERS, SHIPMENTS, CUSTOMERS, SUPPLIERS, COUNTRIES, CURRENCIES)
SENSORS = ("partition_boundaries", "scd_timestamps", "static_hashes")


class RealShop:
    """Two tables of each kind in a database of their own, and the location over them."""

    def __init__(self, sandbox: SandboxServer, root: Path, instance: dg.DagsterInstance) -> None:
        self.database = f"shop_{uuid.uuid4().hex[:8]}"
        self.instance, self.root = instance, root
        with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as master:
            master.execute(f"CREATE DATABASE {self.database}")
            master.execute(f"ALTER DATABASE {self.database} SET ALLOW_SNAPSHOT_ISOLATION ON")
        self.connection = pyodbc.connect(sandbox.odbc(database=self.database), autocommit=True)
        for statement in TABLES:
            self.connection.execute(statement)
        self.config = config = PipelineConfig(
            database=DatabaseConfig(
                server=sandbox.host,
                port=sandbox.port,
                database=self.database,
                username=sandbox.user,
                password=sandbox.password,
                trust_server_certificate=True,
            ),
            partition_tables=[PartitionTableConfig(table_name=name) for name in ("Orders", "Shipments")],
            scd_tables=[
                SCDTableConfig(table_name=name, last_modified_column="Changed") for name in ("Customers", "Suppliers")
            ],
            static_tables=[StaticTableConfig(table_name=name) for name in ("Countries", "Currencies")],
            state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
            destination=DestinationConfig(path=root / "house.duckdb"),
        )
        self.secret = sandbox.password
        self.definitions = build_definitions(config, settings=LocationSettings(retry_delay_seconds=0))

    def look(self) -> list[dg.RunRequest]:
        """What all sensors ask for."""
        found: list[dg.RunRequest] = []
        for name in SENSORS:
            context = dg.build_sensor_context(
                instance=self.instance, definitions=self.definitions, resources=dict(self.definitions.resources or {})
            )
            with dg.partition_loading_context(dynamic_partitions_store=self.instance):
                found += self.definitions.resolve_sensor_def(name).evaluate_tick(context).run_requests or []
        return found

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
            run_config={"ops": {"validate_dbo_Orders": {"config": options}}},
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


@pytest.fixture
def real(sandbox: SandboxServer, tmp_path: Path) -> Iterator[RealShop]:
    with dg.DagsterInstance.ephemeral() as instance:
        shop = RealShop(sandbox, tmp_path, instance)
        yield shop
        shop.connection.close()


def test_the_sensors_bring_everything_over_and_then_keep_quiet(real: RealShop) -> None:
    real.execute(real.look())
    assert real.look() == []
    assert real.warehouse("SELECT No, Note FROM warehouse.Orders ORDER BY No") == [
        (1, "a"),
        (2, "b"),
        (150, "c"),
        (250, "d"),
    ]
    assert real.warehouse("SELECT Name FROM warehouse.Countries ORDER BY Code") == [("Schweiz",), ("日本",)]
    assert real.instance.get_materialized_partitions(ORDERS) == {"(-inf,100)", "[100,200)", "[200,+inf)"}
    assert real.warehouse("SELECT No FROM warehouse.Shipments ORDER BY No") == [(1,), (2,), (3,), (4,)]
    assert real.instance.get_materialized_partitions(SHIPMENTS) == {
        "(-inf,2024-01-31]",
        "(2024-01-31,2024-02-29]",
        "(2024-02-29,2024-03-31]",
        "(2024-03-31,+inf)",
    }
    assert real.warehouse("SELECT Name FROM warehouse.Suppliers") == [("Bob",)]
    assert real.warehouse("SELECT count(*) FROM warehouse.Currencies") == [(3,)]


def test_only_what_changed_is_read(real: RealShop) -> None:
    real.execute(real.look())
    real.connection.execute("UPDATE dbo.Orders SET Note = N'changed' WHERE No = 150")
    real.connection.execute("UPDATE dbo.Shipments SET No = 33 WHERE No = 3")
    real.connection.execute("UPDATE dbo.Countries SET Name = N'Suisse' WHERE Code = 'CH'")
    requests = real.look()
    assert [(list(r.asset_selection or []), r.partition_key) for r in requests] == [
        ([ORDERS], "[100,200)"),
        ([SHIPMENTS], "(2024-01-31,2024-02-29]"),
        ([COUNTRIES], None),
    ]
    real.execute(requests)
    assert real.metadata(SHIPMENTS)["dltsync/rows_read"] == 2
    assert real.metadata(ORDERS)["dltsync/rows_read"] == 1
    assert real.warehouse("SELECT Note FROM warehouse.Orders WHERE No = 150") == [("changed",)]


def test_a_split_is_followed_in_boundary_order(real: RealShop) -> None:
    real.execute(real.look())
    real.connection.execute("ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]")
    real.connection.execute("ALTER PARTITION FUNCTION pf() SPLIT RANGE (2)")
    real.execute(real.look())
    definition = real.definitions.resolve_asset_graph().get(ORDERS).partitions_def
    assert isinstance(definition, dg.DynamicPartitionsDefinition)
    assert list(real.instance.get_dynamic_partitions(str(definition.name))) == [
        "(-inf,2)",
        "[2,100)",
        "[100,200)",
        "[200,+inf)",
    ]
    assert real.warehouse("SELECT count(*) FROM warehouse.Orders") == [(4,)]
    assert real.look() == []


def test_a_load_shows_columns_with_their_declared_types(real: RealShop) -> None:
    real.execute(real.look())
    schema = real.metadata(COUNTRIES)["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(c.name, c.description, c.constraints.nullable) for c in schema.columns] == [
        ("Code", "char(2); lossless; blank-padded to its length, as stored", False),
        ("Name", "nvarchar(40); lossless; half of a surrogate pair stops the load", False),
    ]
    assert real.metadata(COUNTRIES)["dltsync/lossy_columns"] == {}
    contracts = real.metadata(COUNTRIES)["dltsync/column_contracts"]
    assert isinstance(contracts, dict)
    assert contracts["Name"]["sql_type"] == "nvarchar(40)"
    assert contracts["Name"]["lossless"] is True


def test_a_damaged_warehouse_row_fails_the_check_of_its_partition_until_it_is_loaded_again(real: RealShop) -> None:
    real.execute(real.look())
    assert {key: one.passed for key, one in real.validate(fingerprint="sha256").items()} == dict.fromkeys(
        ("(-inf,100)", "[100,200)", "[200,+inf)", None), True
    )
    with duckdb.connect(str(real.root / "house.duckdb")) as connection:
        connection.execute("UPDATE warehouse.Orders SET Note = NULL WHERE No = 150")
    said = real.validate()
    assert {key: one.passed for key, one in said.items()} == {
        "(-inf,100)": True,
        "[100,200)": False,
        "[200,+inf)": True,
        None: False,
    }
    assert said["[100,200)"].description == "[100,200): Note: nulls source 0, lake 0, warehouse 1"
    named = real.validate("[100,200)", narrow=True)["[100,200)"].metadata["dltsync/rows"].value
    assert "No '150'" in str(named)
    assert "Note: source 'c', lake 'c', warehouse NULL" in str(named)
    assert set(real.validate("(-inf,100)")) == {"(-inf,100)"}, "only the partition that was asked for"
    with IncrementalSQLServerParquetPipeline(real.config) as pipeline:  # as `dltsync run --force` does
        assert pipeline.run(table_names=["Orders"], partition_keys=["[100,200)"], force=True).success
    assert real.validate("[100,200)")["[100,200)"].passed


def test_a_load_shows_what_it_compared(real: RealShop) -> None:
    real.execute(real.look())
    said = [
        record.get_dagster_event().asset_check_evaluation_data
        for run in real.instance.get_runs()
        for record in real.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    (first,) = [one for one in said if (one.check_name, one.partition) == ("row_counts", "(-inf,100)")]
    assert first.description == (
        "2 rows in source, lake and warehouse; lake and warehouse agree on the NULLs of 2 columns"
    )
    assert "`Note`" in str(first.metadata["dltsync/columns"].value)


def test_no_event_holds_the_password(real: RealShop) -> None:
    real.execute(real.look())
    for run in real.instance.get_runs():
        assert real.secret not in str(real.instance.all_logs(run.run_id))


def test_versions_are_checked_in_the_warehouse(real: RealShop) -> None:
    real.execute(real.look())
    runs = real.instance.get_runs()
    evaluations = [
        record.get_dagster_event().asset_check_evaluation_data
        for run in runs
        for record in real.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    assert {(e.asset_key, e.check_name, e.passed) for e in evaluations} == {
        *((table, check, True) for table in ALL_TABLES for check in ("row_counts", "schema")),
        (CUSTOMERS, "version_integrity", True),
        (SUPPLIERS, "version_integrity", True),
    }

"""The two databases of the live tests, and how a deployment reads them: ledger and warehouse in PostgreSQL, lake in a bucket.

Each test has tables of its own: Orders and Shipments of the shop are backfilled, Visits is killed, the archive has sensors.
"""

from __future__ import annotations

import os
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyodbc
import yaml

from dltsync_core.config import load_config
from dltsync_core.identity import slashed
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.dagster_processes import LOCATION, DagsterProcesses
from tests.support.object_stores import Bucket
from tests.support.postgres_server import PostgresServer
from tests.support.sandbox_server import SandboxServer

SLOTS = 24
ROWS = 3
"""Rows of each slot."""
UNLOADABLE = "2026-05-05T00:00:00.1234567"
"""PostgreSQL has no seventh digit: a partition with such a row fails, and no other one."""

_PART = "CREATE PARTITION FUNCTION {0} ({1}) AS RANGE {2} FOR VALUES ({3})"
_SCHEME = "CREATE PARTITION SCHEME {0} AS PARTITION {0} ALL TO ([PRIMARY])"
_TABLE = (
    "CREATE TABLE dbo.{0} ({1} NOT NULL, No int NOT NULL, Seen datetime2(7) NULL, Note nvarchar(20) NULL) ON {0}({2})"
)


class LiveShop:
    """The sources, the warehouse read by psycopg alone, and the deployment's settings."""

    def __init__(self, sandbox: SandboxServer, postgres: PostgresServer, bucket: Bucket, root: Path) -> None:
        self._sandbox, self._postgres, self._bucket, self._root = sandbox, postgres, bucket, root
        suffix = uuid.uuid4().hex[:8]
        self.shop, self.archive = f"shop_{suffix}", f"archive_{suffix}"
        for name in ("dagster", "ledger", "warehouse_shop", "warehouse_archive"):
            postgres.execute(f"CREATE DATABASE {name}")
        with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as master:
            for name in (self.shop, self.archive):
                master.execute(f"CREATE DATABASE {name}")
                master.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
        self._make_sources()
        self._write("shop", self.shop, partition=["Orders", "Shipments", "Visits"], static=["Stores"])
        self._write("archive", self.archive, partition=["Entries"], static=["Rates", "Countries"])

    @property
    def environment(self) -> dict[str, str]:
        """For the processes of the deployment: where the configs are, and Dagster's database."""
        host, _, port = self._postgres.address.rpartition("@")[2].rpartition(":")
        return {
            "LIVE_SHOP": str(self._root / "shop.yaml"),
            "LIVE_ARCHIVE": str(self._root / "archive.yaml"),
            "DLT_SYNC_DAGSTER_SENSOR_INTERVAL_SECONDS": "5",
            "DAGSTER_POSTGRES_HOST": host,
            "DAGSTER_POSTGRES_PORT": port,
            "DAGSTER_POSTGRES_USER": "ledger",
            "DAGSTER_POSTGRES_PASSWORD": "loopback",
            "DAGSTER_POSTGRES_DB": "dagster",
            "DAGSTER_COMPUTE_LOGS": str(self._root / "logs"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]),
        }

    def execute(self, database: str, statement: str) -> None:
        """Change a source."""
        with closing(pyodbc.connect(self._sandbox.odbc(database=database), autocommit=True)) as connection:
            connection.execute(statement)

    def partition_keys(self, table: str, config: str = "shop") -> list[str]:
        """Those of the source, in boundary order."""
        with IncrementalSQLServerParquetPipeline(load_config(self._root / f"{config}.yaml")) as pipeline:
            return list(pipeline.partition_keys(f"dbo.{table}"))

    def partitions_name(self, database: str, table: str) -> str:
        """What the dynamic partitions of a table are called."""
        return slashed(self._sandbox.host, database, "dbo", table)

    def warehouse(self, which: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse of the pipeline `shop` or `archive`."""
        address = f"postgresql://{self._postgres.address}/warehouse_{which}"
        with psycopg.connect(address) as connection:
            return connection.execute(query.encode()).fetchall()

    def _write(self, pipeline: str, database: str, *, partition: list[str], static: list[str]) -> None:
        server = self._postgres.address
        config = {
            "pipeline_name": pipeline,
            "database": {
                "server": self._sandbox.host,
                "port": self._sandbox.port,
                "database": database,
                "username": self._sandbox.user,
                "password": self._sandbox.password,
                "trust_server_certificate": True,
            },
            # At every tick: on a busy machine a probe takes seconds, and by its cost the next one would come minutes later.
            "partition_tables": [{"table_name": name, "check_every": "5s"} for name in partition],
            "static_tables": [{"table_name": name, "check_every": "5s"} for name in static],
            "processing": {"max_workers": 2, "memory_limit_mb": 768},
            "state": {
                "state_directory": str(self._root / "state"),
                "state_url": f"postgresql+psycopg://{server}/ledger",
                "parquet_directory": self._bucket.url,
                "storage_options": self._bucket.options,
            },
            "destination": {
                "type": "dlt",
                "destination": "postgres",
                "credentials": f"postgresql://{server.replace('@', ':loopback@')}/warehouse_{pipeline}",
                "dataset_name": "warehouse",
            },
        }
        (self._root / f"{pipeline}.yaml").write_text(yaml.safe_dump(config))

    def _make_sources(self) -> None:
        days = [f"'{2024 + n // 12}-{n % 12 + 1:02d}-01'" for n in range(1, SLOTS)]
        numbers = [str(n * 100) for n in range(1, SLOTS)]
        for table, column, kind, side, bounds in (
            ("Orders", "Day", "date", "RIGHT", days),
            ("Shipments", "Item", "int", "LEFT", numbers),
            ("Visits", "Item", "int", "RIGHT", numbers[:7]),
        ):
            self.execute(self.shop, _PART.format(table, kind, side, ", ".join(bounds)))
            self.execute(self.shop, _SCHEME.format(table))
            self.execute(self.shop, _TABLE.format(table, f"{column} {kind}", column))
            for slot in range(len(bounds) + 1):
                first = f"'{2024 + slot // 12}-{slot % 12 + 1:02d}-15'" if kind == "date" else str(slot * 100 + 50)
                rows = ", ".join(f"({first}, {slot * ROWS + n}, '2026-05-05', N'row {n}')" for n in range(ROWS))
                self.execute(self.shop, f"INSERT INTO dbo.{table} VALUES {rows}")
        self.execute(self.shop, f"UPDATE dbo.Orders SET Seen = '{UNLOADABLE}' WHERE No = 16")
        self.execute(self.shop, f"UPDATE dbo.Shipments SET Seen = '{UNLOADABLE}' WHERE No = 61")
        self.execute(self.archive, _PART.format("Entries", "int", "RIGHT", "100, 200"))
        self.execute(self.archive, _SCHEME.format("Entries"))
        self.execute(self.archive, _TABLE.format("Entries", "Item int", "Item"))
        self.execute(
            self.archive,
            "INSERT INTO dbo.Entries VALUES (50, 1, NULL, N'a'), (150, 2, NULL, N'b'), (250, 3, NULL, N'c')",
        )
        for database, table in ((self.shop, "Stores"), (self.archive, "Rates"), (self.archive, "Countries")):
            self.execute(database, f"CREATE TABLE dbo.{table} (Code char(3) NOT NULL PRIMARY KEY, Value int NULL)")
            self.execute(database, f"INSERT INTO dbo.{table} VALUES ('CHF', 1), ('JPY', 2)")


class LiveDagster:
    """What a user asks the deployment for, by the webserver's GraphQL."""

    def __init__(self, processes: DagsterProcesses) -> None:
        self.processes = processes

    def backfill(self, partitions: dict[tuple[str, ...], list[str]]) -> str:
        """Request whole ranges of several assets in one backfill; its id."""
        chosen = [
            {"assetKey": {"path": list(key)}, "partitions": {"range": {"start": keys[0], "end": keys[-1]}}}
            for key, keys in partitions.items()
        ]
        return self._backfill_id(
            self.processes.query(_BACKFILL, params={"partitionsByAssets": chosen, "title": "live"})
        )

    def backfill_from_failure(self, backfill: str) -> str:
        """Request again what failed; the id of the new backfill."""
        params = {"parentRunId": backfill, "strategy": "FROM_FAILURE"}
        return self._backfill_id(self.processes.query(_BACKFILL_AGAIN, params=params))

    def ended_backfill(self, backfill: str) -> dict[str, Any]:
        """Its status, its counts by the last part of the asset's key, and its runs, once it has ended."""

        def ended() -> dict[str, Any] | None:
            found = self.processes.query(_BACKFILL_STATUS, id=backfill)
            return found if found["status"] not in ("REQUESTED", "CANCELING", "FAILING") else None

        found: dict[str, Any] = self.processes.wait_for("the backfill to end", ended)
        counts = found["assetBackfillData"]["assetBackfillStatuses"]
        return {
            "status": found["status"],
            "runs": found["runs"],
            "counts": {
                one["assetKey"]["path"][-1]: (
                    one["numPartitionsTargeted"],
                    one["numPartitionsMaterialized"],
                    one["numPartitionsFailed"],
                )
                for one in counts
            },
        }

    def partitions(self, key: tuple[str, ...]) -> dict[str, list[str]]:
        """How the partitions page colours the keys of an asset: materialized, failed, materializing, unmaterialized."""
        node = self.processes.query(_PARTITIONS, key={"path": list(key)})
        found = {
            name.removesuffix("Partitions"): keys
            for name, keys in node["assetPartitionStatuses"].items()
            if name != "__typename"
        }
        found["unmaterialized"] = [key for key in found["unmaterialized"] if key not in found["failed"]]
        return {name: keys for name, keys in found.items() if keys}

    def start_sensor(self, name: str) -> None:
        self.processes.query(_START_SENSOR, selector={**_REPOSITORY, "sensorName": name})

    def stop_sensor(self, name: str) -> None:
        state = self.processes.query(_SENSOR, selector={**_REPOSITORY, "sensorName": name})
        self.processes.query(_STOP_SENSOR, id=state["sensorState"]["id"])

    def materialize(self, key: tuple[str, ...]) -> str:
        """A run of one asset without partitions; its id."""
        selector = {**_REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": list(key)}]}
        found = self.processes.query(
            _RUN, params={"selector": {**selector, "assetCheckSelection": []}, "mode": "default"}
        )
        return str(found["run"]["runId"])

    def run_from_failure(self, run: str) -> str:
        """Re-execute a run from failure; the new run's id."""
        params = {"parentRunId": run, "strategy": "FROM_FAILURE"}
        return str(self.processes.query(_RUN_AGAIN, params=params)["run"]["runId"])

    def ended_run(self, run: str) -> str:
        """Its status, once it has ended."""

        def ended() -> str | None:
            status = self.processes.query(_RUN_STATUS, id=run)["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return self.processes.wait_for("the run to end", ended)

    @staticmethod
    def _backfill_id(found: dict[str, Any]) -> str:
        if found["__typename"] != "LaunchBackfillSuccess":
            raise RuntimeError(str(found))
        return str(found["backfillId"])


_REPOSITORY = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}
_FAILURES = "... on PythonError { message } ... on UnauthorizedError { message }"
_BACKFILL = f"""mutation($params: LaunchBackfillParams!) {{ launchPartitionBackfill(backfillParams: $params) {{ __typename
    ... on LaunchBackfillSuccess {{ backfillId }} {_FAILURES} }} }}"""
_BACKFILL_AGAIN = f"""mutation($params: ReexecutionParams!) {{ reexecutePartitionBackfill(reexecutionParams: $params) {{
    __typename ... on LaunchBackfillSuccess {{ backfillId }} {_FAILURES} }} }}"""
_BACKFILL_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
    ... on PythonError { message }
    ... on PartitionBackfill { status runs(limit: 50) { id status startTime endTime tags { key value } }
        assetBackfillData { assetBackfillStatuses { ... on AssetPartitionsStatusCounts { assetKey { path }
            numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed } } } } } }"""
_PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename ... on AssetNode {
    assetPartitionStatuses { __typename ... on DefaultPartitionStatuses {
        materializedPartitions failedPartitions materializingPartitions unmaterializedPartitions } } } } }"""
_SENSOR = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { __typename
    ... on Sensor { sensorState { id status } } } }"""
_START_SENSOR = """mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename
    ... on PythonError { message } } }"""
_STOP_SENSOR = "mutation($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }"
_RUN = f"""mutation($params: ExecutionParams!) {{ launchPipelineExecution(executionParams: $params) {{ __typename
    ... on LaunchRunSuccess {{ run {{ runId }} }} ... on RunConfigValidationInvalid {{ errors {{ message }} }}
    {_FAILURES} }} }}"""
_RUN_AGAIN = f"""mutation($params: ReexecutionParams!) {{ launchRunReexecution(reexecutionParams: $params) {{ __typename
    ... on LaunchRunSuccess {{ run {{ runId }} }} {_FAILURES} }} }}"""
_RUN_STATUS = "query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status } } }"

"""The location over the real core: a sandbox over the wire, Parquet files, a DuckDB warehouse, Dagster runs in process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.dagster.sandbox_location import (
    ALL_TABLES,
    COUNTRIES,
    CUSTOMERS,
    ORDERS,
    SHIPMENTS,
    SUPPLIERS,
    SandboxLocation,
)
from tests.support.sandbox_server import SandboxServer

TABLE_NAMES = ("Orders", "Shipments", "Customers", "Suppliers", "Countries", "Currencies")


@contextmanager
def loaded_location(sandbox: SandboxServer, root: Path, tables: Sequence[str] = ()) -> Iterator[SandboxLocation]:
    """A location that has executed what its sensors first asked for."""
    with dg.DagsterInstance.ephemeral() as instance:
        made = SandboxLocation(sandbox, root, instance, tables)
        try:
            made.execute(made.look())
            yield made
        finally:
            made.connection.close()


@pytest.fixture
def real(sandbox: SandboxServer, tmp_path: Path) -> Iterator[SandboxLocation]:
    """Tables that change and one that does not; `unchanged` has those of the third kind."""
    with loaded_location(sandbox, tmp_path, ["Orders", "Shipments", "Countries", "Currencies"]) as made:
        yield made


@pytest.fixture
def only_orders(sandbox: SandboxServer, tmp_path: Path) -> Iterator[SandboxLocation]:
    """For what happens to one table."""
    with loaded_location(sandbox, tmp_path, ["Orders"]) as made:
        yield made


@pytest.fixture(scope="module")
def unchanged(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLocation]:
    """For the tests that change nothing in it and execute nothing."""
    with loaded_location(sandbox, tmp_path_factory.mktemp("unchanged")) as made:
        yield made


def test_the_sensors_bring_everything_over_and_then_keep_quiet(unchanged: SandboxLocation) -> None:
    assert unchanged.look() == []
    assert unchanged.warehouse("SELECT No, Note FROM warehouse.Orders ORDER BY No") == [
        (1, "a"),
        (2, "b"),
        (150, "c"),
        (250, "d"),
    ]
    assert unchanged.warehouse("SELECT Name FROM warehouse.Countries ORDER BY Code") == [("Schweiz",), ("日本",)]
    assert unchanged.instance.get_materialized_partitions(ORDERS) == {"(-inf,100)", "[100,200)", "[200,+inf)"}
    assert unchanged.warehouse("SELECT No FROM warehouse.Shipments ORDER BY No") == [(1,), (2,), (3,), (4,)]
    assert unchanged.instance.get_materialized_partitions(SHIPMENTS) == {
        "(-inf,2024-01-31]",
        "(2024-01-31,2024-02-29]",
        "(2024-02-29,2024-03-31]",
        "(2024-03-31,+inf)",
    }
    assert unchanged.warehouse("SELECT Name FROM warehouse.Suppliers") == [("Bob",)]
    assert unchanged.warehouse("SELECT count(*) FROM warehouse.Currencies") == [(3,)]


def test_events_go_to_the_log_of_dagster_and_to_the_log_file(unchanged: SandboxLocation) -> None:
    records = [record for run in unchanged.instance.get_runs() for record in unchanged.instance.all_logs(run.run_id)]
    told = [record.user_message for record in records]
    lines = (unchanged.root / "dltsync.log").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    for stage in ("extracted", "published", "loaded", "validated", "committed"):
        assert any(f"dbo.Countries all {stage}" in message for message in told), stage
        of_stage = [entry for entry in entries if entry["event"] == stage]
        assert {entry["table"] for entry in of_stage} == {f"dbo.{name}" for name in TABLE_NAMES}
    assert {entry["run_id"] for entry in entries} == {run.run_id for run in unchanged.instance.get_runs()}
    assert unchanged.secret not in "".join(lines)


def test_only_what_changed_is_read(real: SandboxLocation) -> None:
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


def test_the_halves_of_a_split_are_added_and_loaded(only_orders: SandboxLocation) -> None:
    only_orders.execute(only_orders.look())
    only_orders.connection.execute("ALTER PARTITION SCHEME ps NEXT USED [PRIMARY]")
    only_orders.connection.execute("ALTER PARTITION FUNCTION pf() SPLIT RANGE (2)")
    only_orders.execute(only_orders.look())
    definition = only_orders.definitions.resolve_asset_graph().get(ORDERS).partitions_def
    assert isinstance(definition, dg.DynamicPartitionsDefinition)
    assert list(only_orders.instance.get_dynamic_partitions(str(definition.name))) == [
        "[100,200)",
        "[200,+inf)",
        "(-inf,2)",
        "[2,100)",
    ]
    assert only_orders.warehouse("SELECT count(*) FROM warehouse.Orders") == [(4,)]
    assert only_orders.look() == []
    records = only_orders.instance.fetch_materializations(ORDERS, limit=100).records
    assert Counter(record.partition_key for record in records) == dict.fromkeys(
        ("(-inf,100)", "[100,200)", "[200,+inf)", "(-inf,2)", "[2,100)"), 1
    )
    assert {name: only_orders.metadata(ORDERS)[name] for name in ("dagster/row_count", "dltsync/status")} == {
        "dagster/row_count": 4,  # the rows that the halves took over are counted once
        "dltsync/status": "committed",
    }


def test_a_load_shows_columns_with_their_declared_types(unchanged: SandboxLocation) -> None:
    schema = unchanged.metadata(COUNTRIES)["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(c.name, c.description, c.constraints.nullable) for c in schema.columns] == [
        ("Code", "char(2); lossless; blank-padded to its length, as stored", False),
        ("Name", "nvarchar(40); lossless; half of a surrogate pair stops the load", False),
    ]
    assert "dltsync/lossy_columns" not in unchanged.metadata(COUNTRIES), "nothing is lost"
    contracts = unchanged.metadata(COUNTRIES)["dltsync/column_contracts"]
    assert isinstance(contracts, dict)
    assert contracts["Name"]["sql_type"] == "nvarchar(40)"
    assert contracts["Name"]["lossless"] is True


def test_a_damaged_warehouse_row_fails_the_check_of_its_partition_until_it_is_loaded_again(
    only_orders: SandboxLocation,
) -> None:
    assert {key: one.passed for key, one in only_orders.validate(fingerprint="sha256").items()} == dict.fromkeys(
        ("(-inf,100)", "[100,200)", "[200,+inf)", None), True
    )
    with duckdb.connect(str(only_orders.root / "house.duckdb")) as connection:
        connection.execute("UPDATE warehouse.Orders SET Note = NULL WHERE No = 150")
    said = only_orders.validate()
    assert {key: one.passed for key, one in said.items()} == {
        "(-inf,100)": True,
        "[100,200)": False,
        "[200,+inf)": True,
        None: False,
    }
    assert said["[100,200)"].description == "[100,200): Note: nulls source 0, lake 0, warehouse 1"
    named = only_orders.validate("[100,200)", row_diff=True)["[100,200)"].metadata["dltsync/rows"].value
    assert "No '150'" in str(named)
    assert "Note: source 'c', lake 'c', warehouse NULL" in str(named)
    assert set(only_orders.validate("(-inf,100)")) == {"(-inf,100)"}, "only the partition that was asked for"
    with IncrementalSQLServerParquetPipeline(only_orders.config) as pipeline:  # as `dltsync run --force` does
        assert pipeline.run(table_names=["Orders"], partition_keys=["[100,200)"], force=True).success
    assert only_orders.validate("[100,200)")["[100,200)"].passed


def test_a_load_shows_what_it_compared(unchanged: SandboxLocation) -> None:
    said = [
        record.get_dagster_event().asset_check_evaluation_data
        for run in unchanged.instance.get_runs()
        for record in unchanged.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    (first,) = [one for one in said if (one.check_name, one.partition) == ("row_counts", "(-inf,100)")]
    assert first.description == (
        "2 rows in source, lake and warehouse; lake and warehouse agree on the NULLs of 2 columns"
    )
    assert "`Note`" in str(first.metadata["dltsync/columns"].value)


def test_no_event_holds_the_password(unchanged: SandboxLocation) -> None:
    for run in unchanged.instance.get_runs():
        assert unchanged.secret not in str(unchanged.instance.all_logs(run.run_id))


def test_versions_are_checked_in_the_warehouse(unchanged: SandboxLocation) -> None:
    runs = unchanged.instance.get_runs()
    evaluations = [
        record.get_dagster_event().asset_check_evaluation_data
        for run in runs
        for record in unchanged.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    assert {(e.asset_key, e.check_name, e.passed) for e in evaluations} == {
        *((table, check, True) for table in ALL_TABLES for check in ("row_counts", "schema")),
        (CUSTOMERS, "version_integrity", True),
        (SUPPLIERS, "version_integrity", True),
    }

"""What is PostgreSQL's own: names, values it cannot hold, locks, rights, and what dlt and its driver say when something is
wrong."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import (
    ConfigError,
    FidelityError,
    NotWritable,
    SyncError,
    UnsupportedColumn,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.history.versions import VersionColumns
from dltsync_core.plan.steps import MergeKeys
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from tests.support.any_warehouse import AnyWarehouse, Where, marker
from tests.support.local_warehouse import TARGET, one_row, orders, slot

NUMBERS: list[pa.DataType] = [pa.int16(), pa.int64(), pa.decimal128(25, 4), pa.decimal128(38, 10)]


def test_a_type_grows_with_the_source_and_keeps_every_value(postgres_house: AnyWarehouse) -> None:
    for number, kind in enumerate(NUMBERS, start=1):
        postgres_house.load(TARGET, one_row(number, kind, Decimal(number)), how=MergeKeys(("No",)))
    assert [row[1] for row in postgres_house.rows(TARGET)] == [Decimal(n) for n in range(1, len(NUMBERS) + 1)]
    assert list(postgres_house.warehouse.columns(TARGET).values()) == ["integer", "numeric(38,10)"]
    postgres_house.load(TARGET, one_row(9, pa.int16(), 9), how=MergeKeys(("No",)))  # it never narrows
    assert list(postgres_house.warehouse.columns(TARGET).values()) == ["integer", "numeric(38,10)"]


@pytest.mark.parametrize("name", ["x" * 64, "ü" * 32], ids=["letters", "bytes"])
def test_a_name_that_postgresql_would_cut_off_is_refused(postgres_house: AnyWarehouse, name: str) -> None:
    house = postgres_house.warehouse
    with pytest.raises(ConfigError, match=r"64 bytes, and names in the warehouse .* at most 63"):
        house.check_names(("sales", name), orders({}).schema)
    with pytest.raises(ConfigError, match="at most 63"):
        house.check_names((name, "Orders"), orders({}).schema)
    with pytest.raises(UnsupportedColumn, match="64 bytes, at most 63"):
        house.check_names(TARGET, pa.schema([(name, pa.int32())]))
    house.check_names((name[:-1], name[:-1]), pa.schema([(name[:-1], pa.int32())]))


@pytest.mark.parametrize("schema", ["_dltsync", "pg_catalog", "pg_mine", "information_schema", "_dltsync_landing_x"])
def test_schemas_that_have_an_owner_are_refused(postgres_house: AnyWarehouse, schema: str) -> None:
    with pytest.raises(ConfigError, match="reserved"):
        postgres_house.warehouse.check_names((schema, "Orders"), orders({}).schema)


def test_columns_that_postgresql_has_itself_are_refused(postgres_house: AnyWarehouse) -> None:
    with pytest.raises(UnsupportedColumn, match="'xmin' is the name of a system column"):
        postgres_house.warehouse.check_names(TARGET, pa.schema([("xmin", pa.int32())]))


def test_what_a_column_refuses_is_declared_and_named_with_its_row(postgres_house: AnyWarehouse) -> None:
    house = postgres_house.warehouse
    table = pa.table(
        {
            "No": pa.array([1, 2, 3], pa.int32()),
            "At": pa.array([0, 1_000, 1_700_000_000_123_456_700], pa.timestamp("ns")),
            "Note": ["plain", "zero \0 character", None],
        }
    )
    assert sorted(house.declared(table.schema)) == ["At", "Note"]
    assert "seventh digit" in house.declared(table.schema)["At"]
    found = house.first_misfit(TARGET, table.schema, [postgres_house.file(table)], ["No"], nullcontext())
    assert found is not None
    assert (found.column, found.row.to_pylist()) == ("Note", [{"Note": "zero \0 character", "No": 2}]) or (
        found.column,
        found.row.column("No").to_pylist(),
    ) == ("At", [3])
    for bad in (table.select(["No", "At"]), table.select(["No", "Note"])):
        with pytest.raises(FidelityError, match="does not fit"):
            postgres_house.load(TARGET, bad)
        good = bad.slice(0, 1)
        assert house.first_misfit(TARGET, good.schema, [postgres_house.file(good)], ["No"], nullcontext()) is None
    assert postgres_house.query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'sales'") == [(0,)]
    assert postgres_house.leftovers() == []


def test_moments_before_1970_keep_their_microseconds(postgres_house: AnyWarehouse) -> None:
    """The check of the seventh digit counts from 1970 in both directions."""
    moments = pa.array([-1_000, -123_456_789_001_000], pa.timestamp("ns"))
    table = pa.table({"No": pa.array([1, 2], pa.int32()), "At": moments})
    assert (
        postgres_house.warehouse.first_misfit(TARGET, table.schema, [postgres_house.file(table)], ["No"], nullcontext())
        is None
    )
    postgres_house.load(TARGET, table)
    assert postgres_house.rows(TARGET)[0] == (1, datetime(1969, 12, 31, 23, 59, 59, 999999))


def test_a_table_that_somebody_has_locked_is_waited_for_and_then_reported(postgres_house: AnyWarehouse) -> None:
    postgres_house.load(TARGET, orders({1: "a"}))
    patient = AnyWarehouse(postgres_house.where, lock_timeout_seconds=0.5)
    with psycopg.connect(postgres_house.where.url) as other:
        other.execute('LOCK TABLE sales."Orders" IN ACCESS EXCLUSIVE MODE')
        with pytest.raises(WarehouseBusy, match="busy while"):
            patient.load(TARGET, orders({1: "b"}))
    assert postgres_house.rows(TARGET) == [(1, "a")]
    patient.load(TARGET, orders({1: "b"}))
    assert postgres_house.leftovers() == []


def test_two_loads_of_one_table_wait_for_each_other(postgres_house: AnyWarehouse) -> None:
    """The second one finds the table locked by the first until that commits: its fence is checked after that."""
    second = AnyWarehouse(postgres_house.where, lock_timeout_seconds=0.3)
    seen: list[type[BaseException]] = []

    def meanwhile(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN and not seen:
            seen.append(WarehouseBusy)
            with pytest.raises(WarehouseBusy):
                second.load(TARGET, orders({1: "b"}))

    with checkpoints.watched(meanwhile):
        postgres_house.load(TARGET, orders({1: "a"}))
    assert seen
    assert postgres_house.rows(TARGET) == [(1, "a")]


def test_a_view_is_not_loaded_into(postgres_house: AnyWarehouse) -> None:
    with psycopg.connect(postgres_house.where.url) as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.execute('CREATE VIEW sales."Orders" AS SELECT 1 AS "No"')
    with pytest.raises(WarehouseError, match="is a view in the warehouse"):
        postgres_house.load(TARGET, orders({1: "b"}))


def test_a_login_without_rights_is_told_which_it_needs(postgres_house: AnyWarehouse) -> None:
    with psycopg.connect(postgres_house.where.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    reader = postgres_house.where.url.replace("ledger:any@", "reader:any@")
    house = AnyWarehouse(Where("postgres", str(postgres_house.root), reader))
    try:
        with pytest.raises(NotWritable, match="permission denied") as caught:
            house.load(TARGET, orders({1: "a"}))
        assert "right to create schemas" in caught.value.remedy
    finally:
        with psycopg.connect(postgres_house.where.url, autocommit=True) as connection:
            connection.execute("DROP ROLE reader")


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    house = AnyWarehouse(Where("postgres", str(tmp_path), "postgresql://somebody:s3cret-word@127.0.0.1:1/nowhere"))
    with pytest.raises(WarehouseError) as caught:
        house.warehouse.count(TARGET)
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret-word" not in str(caught.value)


def test_credentials_come_from_dlts_own_configuration(
    postgres_house: AnyWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warehouse() -> DltWarehouse:
        return DltWarehouse("postgres", None, dataset_name="warehouse", work_directory=tmp_path / "work")

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="dlt has no complete credentials for postgres") as caught:
        warehouse().count(TARGET)
    assert "DESTINATION__POSTGRES__CREDENTIALS" in caught.value.remedy
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_house.where.url)
    postgres_house.load(TARGET, orders({1: "a"}))
    assert warehouse().count(TARGET) == 1


HOSTILE = {
    "SCHEMA__NAMING": "snake_case",
    "DESTINATION__POSTGRES__NAMING_CONVENTION": "snake_case",
    "DESTINATION__POSTGRES__CREDENTIALS": "postgresql://nobody:nothing@127.0.0.1:1/nowhere",
    "DESTINATION__REPLACE_STRATEGY": "staging-optimized",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "NORMALIZE__WORKERS": "3",
    "LOAD__WORKERS": "20",
    "LOAD__DELETE_COMPLETED_JOBS": "false",
    "DATA_WRITER__VERSION": "1.0",
    "DATASET_NAME": "elsewhere",
    "RESTORE_FROM_DESTINATION": "true",
}


def test_what_the_environment_says_to_other_pipelines_of_dlt_changes_no_load(
    postgres_house: AnyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    table = pa.table({"OrderNo": pa.array([1], pa.int32()), "PlacedAt": pa.array([1_000], pa.timestamp("ns"))})
    for _ in range(2):
        postgres_house.load(("Sales", "OrderLines"), table, table.slice(0, 0), how=MergeKeys(("OrderNo",)))
    assert postgres_house.rows(("Sales", "OrderLines")) == [(1, datetime(1970, 1, 1, 0, 0, 0, 1))]
    assert list(postgres_house.warehouse.columns(("Sales", "OrderLines"))) == ["OrderNo", "PlacedAt"]
    schemas = postgres_house.query("SELECT DISTINCT table_schema FROM information_schema.tables")
    assert {"elsewhere", "sales"}.isdisjoint(name for (name,) in schemas)
    assert postgres_house.leftovers() == []


def test_a_history_is_neither_checked_nor_repaired(postgres_house: AnyWarehouse) -> None:
    """An error, not an answer about something else."""
    columns = VersionColumns(("No",), "From", "Until", "IsLatest")
    with pytest.raises(WarehouseError, match="in a DuckDB file only"):
        postgres_house.warehouse.revise_versions(TARGET, columns, lambda versions: pytest.fail("asked"), apply=False)


def test_a_partition_is_found_by_an_index(postgres_house: AnyWarehouse) -> None:
    postgres_house.load(TARGET, orders({1: "a"}), how=slot("(-inf,10)"))
    found = postgres_house.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'sales'")
    assert [('("No")' in definition) for (definition,) in found] == [True]


def test_a_connection_that_is_cut_costs_the_load_and_nothing_else(postgres_house: AnyWarehouse) -> None:
    house = postgres_house
    house.load(TARGET, orders({1: "a"}))

    def cut(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_STATEMENT:
            with psycopg.connect(house.where.url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid()"
                )

    with checkpoints.watched(cut), pytest.raises(SyncError):
        house.warehouse.load(house.request(TARGET, orders({1: "b", 2: "b"}), marker=marker()))
    assert house.rows(TARGET) == [(1, "a")]
    assert house.warehouse.markers(TARGET, "p") == {}
    house.load(TARGET, orders({1: "c"}))
    assert house.rows(TARGET) == [(1, "c")]
    assert house.leftovers() == []

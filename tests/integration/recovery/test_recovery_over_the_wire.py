"""Any of the three places lost, damaged or put back from an older copy: one run, and all are equal to the source again.

What is read again is counted: nothing that was not in doubt. The source is real SQL over TDS, the lake and the warehouse
are looked at by DuckDB alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.run.result import RunResult
from tests.integration.server_shop import ServerShop

ORDERS, CUSTOMERS, COUNTRIES = 24, 3, 3
EVERYTHING = ORDERS + CUSTOMERS + COUNTRIES


def lose_ledger(shop: ServerShop) -> None:
    shutil.rmtree(shop.root / "state")


def lose_lake(shop: ServerShop) -> None:
    shutil.rmtree(shop.root / "lake")


def lose_warehouse(shop: ServerShop) -> None:
    for path in shop.root.glob("house.duckdb*"):
        path.unlink()


def read(result: RunResult) -> dict[str, int]:
    """Rows that crossed the wire, by table."""
    rows = {"Orders": 0, "Customers": 0, "Countries": 0}
    for unit in result.units:
        rows[unit.table.table] += unit.rows_read
    return rows


def total(result: RunResult) -> int:
    return sum(read(result).values())


def healed(shop: ServerShop, rows: int) -> RunResult:
    """One run brings all three places together, reading so many rows; the next one has nothing to do."""
    result = shop.run()
    assert result.success, result["errors"]
    shop.assert_same()
    assert total(result) == rows, [(u.table.table, u.unit, u.reason, u.rows_read) for u in result.units]
    again = shop.run()
    assert {unit.status for unit in again.units} == {"skipped"}
    return result


@pytest.fixture
def synced(shop: ServerShop) -> ServerShop:
    result = shop.run()
    assert result.success, result["errors"]
    return shop


@pytest.fixture
def moved_on(synced: ServerShop) -> ServerShop:
    """A second round of changes on top: one month, one version more, one country renamed."""
    change(synced)
    result = synced.run()
    assert result.success, result["errors"]
    return synced


def change(shop: ServerShop) -> None:
    shop.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    shop.add_version(3, "2026-01-07", "Çem", "2026-01-07T08:00:00")
    shop.execute("UPDATE {s}.Countries SET Name = N'Suisse' WHERE Code = 'CH'")


def data_files(shop: ServerShop, table: str) -> list[Path]:
    return sorted(shop.root.glob(f"lake/*/{shop.schema}_{table}*/data/**/*.parquet"))


def manifests(shop: ServerShop, table: str) -> list[Path]:
    return sorted(shop.root.glob(f"lake/*/{shop.schema}_{table}*/_manifests/*.json"))


def quarantined(shop: ServerShop, table: str) -> list[dict[str, Any]]:
    notes = shop.root.glob(f"lake/*/{shop.schema}_{table}*/_quarantine/**/*.why.json")
    return [json.loads(note.read_text(encoding="utf-8")) for note in notes]


@pytest.mark.parametrize(
    ("lost", "rows"),
    [
        pytest.param((lose_ledger,), 0, id="ledger"),
        pytest.param((lose_warehouse,), 0, id="warehouse"),
        pytest.param((lose_lake,), EVERYTHING, id="lake"),
        pytest.param((lose_ledger, lose_warehouse), 0, id="ledger and warehouse", marks=pytest.mark.slow),
        pytest.param((lose_ledger, lose_lake), EVERYTHING, id="ledger and lake", marks=pytest.mark.slow),
        pytest.param((lose_lake, lose_warehouse), EVERYTHING, id="lake and warehouse", marks=pytest.mark.slow),
        pytest.param((lose_ledger, lose_lake, lose_warehouse), EVERYTHING, id="all three"),
    ],
)
def test_a_place_that_is_gone_comes_back(
    synced: ServerShop, lost: tuple[Callable[[ServerShop], None], ...], rows: int
) -> None:
    """A whole lake gives its rows to the warehouse and its facts to the ledger; only a lost lake is read again."""
    for lose in lost:
        lose(synced)
    healed(synced, rows)


def test_a_lake_of_increments_gives_back_ledger_and_warehouse(moved_on: ServerShop) -> None:
    lose_ledger(moved_on)
    lose_warehouse(moved_on)
    healed(moved_on, 0)


@pytest.mark.slow
def test_with_ledger_and_warehouse_gone_only_what_moved_is_read(moved_on: ServerShop) -> None:
    lose_ledger(moved_on)
    lose_warehouse(moved_on)
    moved_on.execute("DELETE FROM {s}.Orders WHERE OrderNo = 1")
    healed(moved_on, 8)


def test_a_stale_ledger_put_back_costs_no_row(synced: ServerShop) -> None:
    stale = synced.root / "stale.db"
    change(synced)
    assert synced.run().success
    newest = max((synced.root / "state" / "backups").glob("ledger-*.db"))
    shutil.copy(newest, stale)  # made before that run: it does not know what the run did
    for path in (synced.root / "state").glob("ledger.db*"):
        path.unlink()
    shutil.copy(stale, synced.root / "state" / "ledger.db")
    healed(synced, 0)


@pytest.mark.slow
def test_a_stale_ledger_after_more_changes_reads_only_those(synced: ServerShop) -> None:
    change(synced)
    assert synced.run().success
    newest = max((synced.root / "state" / "backups").glob("ledger-*.db"))
    for path in (synced.root / "state").glob("ledger.db*"):
        path.unlink()
    shutil.copy(newest, synced.root / "state" / "ledger.db")
    synced.execute("UPDATE {s}.Countries SET Name = N'Svizra' WHERE Code = 'CH'")
    healed(synced, COUNTRIES)


def test_a_torn_file_is_set_aside_and_its_partition_read_again(synced: ServerShop) -> None:
    file = data_files(synced, "Orders")[1]
    file.write_bytes(file.read_bytes()[:-20])
    result = healed(synced, 8)
    assert sum(unit.status == "committed" for unit in result.units) == 1
    assert [note["kind"] for note in quarantined(synced, "Orders")] == ["torn file"]


@pytest.mark.slow
def test_a_missing_file_costs_its_partition(synced: ServerShop) -> None:
    data_files(synced, "Orders")[1].unlink()
    healed(synced, 8)


def test_a_lost_change_file_costs_the_table_of_versions(moved_on: ServerShop) -> None:
    """Which versions it held nobody can say, so the whole table is read; the others are left alone."""
    data_files(moved_on, "Customers")[-1].unlink()
    assert read(healed(moved_on, 4))["Customers"] == 4


def test_a_foreign_file_is_set_aside_and_nothing_read(synced: ServerShop) -> None:
    foreign = data_files(synced, "Countries")[0].with_name("export.parquet")
    pq.write_table(pa.table({"Code": ["XX"], "Name": ["?"], "Area": [1]}), foreign)
    healed(synced, 0)
    (note,) = quarantined(synced, "Countries")
    assert note["kind"] == "foreign file"
    assert note["from"].endswith("data/export.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copy.parquet", None], ids=["under another name", "under a name like ours"])
def test_a_duplicate_of_a_file_is_set_aside_and_nothing_read(synced: ServerShop, name: str | None) -> None:
    file = data_files(synced, "Orders")[0]
    shutil.copy(file, file.with_name(name or file.name.replace("-0.parquet", "-7.parquet")))
    healed(synced, 0)
    assert len(quarantined(synced, "Orders")) == 1


def test_a_torn_manifest_is_set_aside_and_its_partition_read_again(synced: ServerShop) -> None:
    manifest = manifests(synced, "Orders")[1]
    rows = json.loads(manifest.read_text(encoding="utf-8"))["rows"]
    manifest.write_bytes(manifest.read_bytes()[:100])
    healed(synced, rows)
    assert "torn manifest" in [note["kind"] for note in quarantined(synced, "Orders")]


def test_a_manifest_of_another_pipeline_is_a_question_and_stops_only_its_table(synced: ServerShop) -> None:
    manifest = manifests(synced, "Countries")[0]
    facts = {**json.loads(manifest.read_text(encoding="utf-8")), "pipeline": "other", "load_id": "x"}
    manifest.with_name("x.json").write_text(json.dumps(facts), encoding="utf-8")
    synced.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    result = synced.run()
    assert [(u.table.table, u.error_type) for u in result.failed] == [("Countries", "NeedsAnswer")]
    assert f"dltsync recover --tables {synced.schema}.Countries --answer set-aside" in str(result.failed[0].error)
    assert read(result)["Orders"] == 8
    with synced.pipeline() as pipeline:
        pipeline.recover(table_names=["Countries"], answer="set-aside")
    healed(synced, 0)

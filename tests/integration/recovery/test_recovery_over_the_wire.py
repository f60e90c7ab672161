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

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.run.result import RunResult
from tests.integration.recovery.conftest import History, change
from tests.support.server_shop import ServerShop, Statements

ORDERS, CUSTOMERS, COUNTRIES = 24, 4, 3
EVERYTHING = ORDERS + CUSTOMERS + COUNTRIES


MONTH, NEW_VERSIONS = 8, 2
"""Since the load before: orders of the month that changed; the version added, and the one that bears the watermark of then."""


def lose_ledger(shop: ServerShop) -> None:
    shutil.rmtree(shop.root / "state")


def lose_lake(shop: ServerShop) -> None:
    shutil.rmtree(shop.root / "lake")


def lose_warehouse(shop: ServerShop) -> None:
    for path in shop.root.glob("house.duckdb*"):
        path.unlink()


def markers(shop: ServerShop) -> list[tuple[object, ...]]:
    """What the warehouse says of its units, and when that was written."""
    with duckdb.connect(str(shop.root / "house.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT unit, load_id, written_at FROM _dltsync.markers ORDER BY ALL").fetchall()


def put_back(shop: ServerShop, history: History, place: str) -> None:
    """One place as it was one load before."""
    {"state": lose_ledger, "lake": lose_lake, "house.duckdb": lose_warehouse}[place](shop)
    older = history.before / place
    if older.is_dir():
        shutil.copytree(older, shop.root / place)
    else:
        shutil.copy(older, shop.root / place)


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
        pytest.param((lose_warehouse,), 0, id="warehouse"),
        pytest.param((lose_lake,), EVERYTHING, id="lake"),
        pytest.param((lose_ledger, lose_warehouse), 0, id="ledger and warehouse"),
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


def test_a_lost_ledger_is_told_by_lake_and_warehouse_and_nothing_is_moved(
    synced: ServerShop, statements: Statements
) -> None:
    lose_ledger(synced)
    written = markers(synced)
    result = healed(synced, 0)
    assert {unit.status for unit in result.units} == {"skipped"}
    assert statements.rows == []
    assert markers(synced) == written  # and so no load reached the warehouse either
    with synced.pipeline() as pipeline:
        committed_units = pipeline.committed(f"{synced.schema}.Customers")
    assert [head.rows for head in committed_units.values()] == [CUSTOMERS]


def test_an_older_ledger_put_back_costs_no_row(synced: ServerShop, history: History) -> None:
    put_back(synced, history, "state")
    result = healed(synced, 0)
    assert {unit.status for unit in result.units} == {"skipped"}


def test_an_older_warehouse_put_back_is_noticed_though_it_holds_as_many_rows(
    synced: ServerShop, history: History
) -> None:
    put_back(synced, history, "house.duckdb")
    assert [len(synced.warehouse_rows(table)) for table in ("Orders", "Countries")] == [ORDERS, COUNTRIES]
    result = healed(synced, 0)
    filled = sorted(unit.table.table for unit in result.units if unit.status == "committed")
    assert filled == ["Countries", "Customers", "Orders"]  # of the orders the month that changed, and no other


def test_an_older_lake_put_back_costs_what_changed_since(synced: ServerShop, history: History) -> None:
    put_back(synced, history, "lake")
    result = healed(synced, MONTH + COUNTRIES + NEW_VERSIONS)
    assert read(result) == {"Orders": MONTH, "Countries": COUNTRIES, "Customers": NEW_VERSIONS}


@pytest.mark.slow
def test_with_ledger_and_warehouse_gone_only_what_moved_is_read(shop: ServerShop) -> None:
    assert shop.run().success
    lose_ledger(shop)
    lose_warehouse(shop)
    shop.execute("DELETE FROM {s}.Orders WHERE OrderNo = 1")
    healed(shop, 8)


@pytest.mark.slow
def test_an_older_ledger_after_more_changes_reads_only_those(shop: ServerShop) -> None:
    assert shop.run().success
    shutil.copytree(shop.root / "state", shop.root / "older")
    change(shop)
    assert shop.run().success
    lose_ledger(shop)
    (shop.root / "older").rename(shop.root / "state")
    shop.execute("UPDATE {s}.Countries SET Name = N'Svizra' WHERE Code = 'CH'")
    healed(shop, COUNTRIES)


def test_damage_is_set_aside_and_costs_the_unit_it_is_in(synced: ServerShop) -> None:
    """A torn file of one month, a strange file beside the countries, and a lost change file: which versions that held nobody can
    say, so the table of versions is read whole."""
    (march,) = [file for file in data_files(synced, "Orders") if pq.read_metadata(file).num_rows == 7]
    march.write_bytes(march.read_bytes()[:-20])
    foreign = data_files(synced, "Countries")[0].with_name("export.parquet")
    pq.write_table(pa.table({"Code": ["XX"], "Name": ["?"], "Area": [1]}), foreign)
    data_files(synced, "Customers")[-1].unlink()
    assert read(healed(synced, 7 + CUSTOMERS)) == {"Orders": 7, "Customers": CUSTOMERS, "Countries": 0}
    assert [note["kind"] for note in quarantined(synced, "Orders")] == ["torn file"]
    (note,) = quarantined(synced, "Countries")
    assert note["kind"] == "foreign file"
    assert note["from"].endswith("data/export.parquet")


def test_a_manifest_that_is_torn_a_file_that_is_missing_and_a_copy_of_another(synced: ServerShop) -> None:
    """In three months of one table: each month's damage is its own."""
    by_rows = {pq.read_metadata(file).num_rows: file for file in data_files(synced, "Orders")}
    manifest = next(m for m in manifests(synced, "Orders") if by_rows[9].name in m.read_text(encoding="utf-8"))
    manifest.write_bytes(manifest.read_bytes()[:100])
    by_rows[7].unlink()
    shutil.copy(by_rows[8], by_rows[8].with_name(by_rows[8].name.replace("-0.parquet", "-7.parquet")))
    assert read(healed(synced, 9 + 7))["Orders"] == 9 + 7
    assert sorted(note["kind"] for note in quarantined(synced, "Orders"))[-2:] == ["superfluous file", "torn manifest"]


def test_a_manifest_of_another_pipeline_is_a_question_and_stops_only_its_table(synced: ServerShop) -> None:
    manifest = manifests(synced, "Countries")[0]
    facts = {**json.loads(manifest.read_text(encoding="utf-8")), "pipeline": "other", "load_id": "x"}
    manifest.with_name("x.json").write_text(json.dumps(facts), encoding="utf-8")
    (march,) = [file for file in data_files(synced, "Orders") if pq.read_metadata(file).num_rows == 7]
    march.unlink()
    result = synced.run()
    assert [(u.table.table, u.error_type) for u in result.failed] == [("Countries", "NeedsAnswer")]
    assert f"dltsync recover --tables {synced.schema}.Countries --answer quarantine" in str(result.failed[0].error)
    assert read(result)["Orders"] == 7
    with synced.pipeline() as pipeline:
        pipeline.recover(table_names=["Countries"], answer="quarantine")
    healed(synced, 0)

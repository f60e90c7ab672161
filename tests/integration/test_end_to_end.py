"""Source to lake to warehouse over the wire, for the three kinds of table.

The rows are compared as rows, read at the source by pyodbc and in the lake and the warehouse by DuckDB alone.
"""

from __future__ import annotations

import shutil

import duckdb
import pytest

from dltsync_core.config import PartitionTableConfig, StaticTableConfig
from dltsync_core.errors import LoginFailed, ServerUnreachable
from dltsync_core.run.events import Event
from dltsync_core.run.result import RowCounts, RunResult
from tests.support.server_shop import COLUMNS, ServerShop, Statements


def statuses(result: RunResult) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for unit in result.units:
        found.setdefault(unit.table.table, []).append(unit.status)
    return found


def read(result: RunResult) -> dict[str, int]:
    """Rows that crossed the wire, by table and slot, for everything that was not skipped."""
    return {f"{u.table.table} {u.unit}": u.rows_read for u in result.units if u.status != "skipped"}


def keys(shop: ServerShop) -> list[str]:
    with shop.pipeline() as pipeline:
        return pipeline.partition_keys("Orders")


def test_the_first_run_brings_everything_over_exactly(shop: ServerShop) -> None:
    result = shop.run()
    assert result.success, result["errors"]
    assert statuses(result) == {"Orders": ["committed"] * 3, "Customers": ["committed"], "Countries": ["committed"]}
    assert result["total_records"] == 9 + 8 + 7 + 3 + 3
    assert [u.counts for u in result.units] == [RowCounts(n, n, n) for n in (9, 8, 7, 3, 3)]
    shop.assert_same()


def test_a_second_run_reads_no_table(synced: ServerShop, statements: Statements) -> None:
    """Looks answer with figures: no statement for rows is sent at all."""
    events: list[Event] = []
    result = synced.run(on_event=events.append)
    assert {unit.status for unit in result.units} == {"skipped"}
    assert result["total_records"] == 0
    assert {event.stage for event in events} == {"planning", "planned", "skipped"}
    assert statements.rows == []
    for table in COLUMNS:
        looks = [text for text in statements.looks if f"[{table}]" in text]
        assert looks
        assert all("COUNT_BIG(*)" in text for text in looks)


def test_only_tables_that_changed_are_asked_for_rows(synced: ServerShop, statements: Statements) -> None:
    synced.execute("UPDATE {s}.Countries SET Area = 41291 WHERE Code = 'CH'")
    assert synced.run().success
    assert ["[Countries]" in text for text in statements.rows] == [True]


def test_only_the_changed_partition_is_read(synced: ServerShop) -> None:
    synced.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    synced.execute("DELETE FROM {s}.Orders WHERE OrderNo = 104")
    result = synced.run()
    assert read(result) == {f"Orders {keys(synced)[1]}": 7}
    synced.assert_same()


def test_new_and_closed_versions_are_read_and_nothing_else(synced: ServerShop) -> None:
    synced.execute(
        "UPDATE {s}.Customers SET EndDate = CAST(? AS datetime2(3)), IsLatest = 0, Changed = CAST(? AS datetime2(7)) "
        "WHERE CustomerNo = 2",
        "2026-01-20",
        "2026-01-20T09:00:00.0000001",
    )
    synced.add_version(2, "2026-01-20", "Bob", "2026-01-20T09:00:00.0000002")
    result = synced.run()
    assert read(result) == {"Customers all": 3}  # the two, and the one inside the lag: Anne carries the old watermark
    synced.assert_same()
    unit = next(u for u in result.units if u.kind == "scd")
    assert unit.watermark is not None
    assert unit.watermark.replace("T", " ") == "2026-01-20 09:00:00.0000002"


def test_an_edited_static_row_loads_that_table_only(synced: ServerShop) -> None:
    synced.execute("UPDATE {s}.Countries SET Name = N'Confoederatio Helvetica' WHERE Code = 'CH'")
    assert read(synced.run()) == {"Countries all": 3}
    synced.assert_same()


def test_a_deleted_version_is_found_and_all_are_read(synced: ServerShop) -> None:
    synced.execute("DELETE FROM {s}.Customers WHERE CustomerNo = 1 AND IsLatest = 0")
    assert read(synced.run()) == {"Customers all": 2}
    synced.assert_same()


@pytest.mark.survives(
    "change",
    "versions deleted at the source, hidden behind as many new ones",
    "the counts of the increment do not match; all versions are read again in the same run",
    "source, lake and warehouse equal",
)
def test_a_deletion_hidden_behind_new_versions_is_found_by_counting(synced: ServerShop) -> None:
    synced.execute("DELETE FROM {s}.Customers WHERE CustomerNo = 1 AND IsLatest = 0")
    synced.add_version(7, "2026-01-21", "New", "2026-01-21T09:00:00")
    synced.add_version(8, "2026-01-21", "Newer", "2026-01-21T09:00:01")
    result = synced.run()
    unit = next(u for u in result.units if u.kind == "scd")
    assert (unit.status, unit.counts) == ("committed", RowCounts(4, 4, 4))
    assert "does not add up" in unit.reason
    synced.assert_same()


def test_an_emptied_partition_is_emptied_everywhere(synced: ServerShop) -> None:
    synced.execute("DELETE FROM {s}.Orders WHERE OrderNo >= 201")
    assert read(synced.run()) == {f"Orders {keys(synced)[2]}": 0}
    synced.assert_same()


def test_rows_with_null_come_over_with_the_slot_that_holds_them(synced: ServerShop) -> None:
    synced.add_orders(301, None, 2)
    assert read(synced.run()) == {f"Orders {keys(synced)[0]}": 11}
    synced.assert_same()


@pytest.mark.survives(
    "change",
    "a partition boundary split between two runs",
    "the two new partitions are read, the others are skipped",
    "source, lake and warehouse equal",
)
def test_a_split_boundary_loses_and_doubles_nothing(synced: ServerShop) -> None:
    synced.add_orders(120, "2026-02-20T10:00:00", 3)
    synced.execute("ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]")
    synced.execute("ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE ('2026-02-15T00:00:00')")
    result = synced.run()
    assert result.success, result["errors"]
    found = keys(synced)
    assert read(result) == {f"Orders {found[1]}": 8, f"Orders {found[2]}": 3}
    synced.assert_same()
    assert synced.run()["total_records"] == 0


@pytest.mark.survives(
    "change",
    "a partition boundary merged between two runs",
    "the merged partition is read, the others are skipped",
    "source, lake and warehouse equal",
)
def test_a_merged_boundary_loses_and_doubles_nothing(synced: ServerShop) -> None:
    synced.execute("ALTER PARTITION FUNCTION pf_{s}() MERGE RANGE ('2026-02-01T00:00:00')")
    result = synced.run()
    assert result.success, result["errors"]
    assert read(result) == {f"Orders {keys(synced)[0]}": 17}
    synced.assert_same()


@pytest.mark.survives(
    "state",
    "lake, warehouse or ledger deleted (each, and lake with warehouse)",
    "the next run fills it again",
    "source, lake and warehouse equal",
)
@pytest.mark.parametrize(
    ("lost", "read_again"), [("lake", 30), ("warehouse", 0), ("state", 0), ("lake and warehouse", 30)]
)
def test_a_place_that_was_lost_is_filled_again(synced: ServerShop, lost: str, read_again: int) -> None:
    for place in lost.split(" and "):
        if place == "warehouse":
            (synced.root / "house.duckdb").unlink()
        else:
            shutil.rmtree(synced.root / place)
    result = synced.run()
    assert result.success, result["errors"]
    assert result["total_records"] == read_again
    synced.assert_same()


@pytest.mark.survives(
    "warehouse",
    "a column of a warehouse table was dropped by hand",
    "the warehouse table has no column … any more: every unit is filled from the lake, or read where its source moved",
    "source, lake and warehouse equal, row by row",
)
@pytest.mark.parametrize("moved", [False, True])
def test_a_column_dropped_in_the_warehouse_is_filled_in_every_unit(synced: ServerShop, moved: bool) -> None:
    """The load of one changed partition brought the column back, and left it empty in all others."""
    with duckdb.connect(str(synced.root / "house.duckdb")) as connection:
        for table, column in (("Orders", "Note"), ("Customers", "Name"), ("Countries", "Area")):
            connection.execute(f'ALTER TABLE warehouse."{table}" DROP COLUMN {column}')
    if moved:
        synced.add_orders(300, "2026-03-06T10:00:00", 1)
        synced.add_version(3, "2026-01-05", "New", "2026-01-06T08:00:00")
    result = synced.run(raise_on_error=True)
    assert all("has no column" in unit.reason for unit in result.units)
    assert sum(unit.rows_read for unit in result.units) == (8 + 4 if moved else 0)
    synced.assert_same()


def test_every_digit_of_datetime2_7_arrives(synced: ServerShop) -> None:
    """Python's own datetime ends at microseconds, so the text is compared."""
    with duckdb.connect(str(synced.root / "house.duckdb"), read_only=True) as connection:
        found = connection.execute(
            'SELECT CAST(Changed AS VARCHAR) FROM warehouse."Customers" ORDER BY CustomerNo, EffectiveDate'
        ).fetchall()
    assert [text.ljust(29, "0")[:29] for (text,) in found] == [
        "2026-01-01 08:00:00.123456700",
        "2026-01-05 08:00:00.765432100",
        "2026-01-02 08:00:00.000000100",
    ]


def test_validation_agrees_and_notices(synced: ServerShop) -> None:
    with synced.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"] is True
        synced.add_orders(401, "2026-01-07T00:00:00", 1)
        report = pipeline.validate_all_tables()
    assert (report["valid_tables"], report["total_tables"]) == (2, 3)


def test_the_status_tells_where_tables_stand(synced: ServerShop) -> None:
    with synced.pipeline() as pipeline:
        status = pipeline.get_pipeline_status()
    assert status["database_connected"] is True
    assert [(t["units"], t["rows"], t["last_error"]) for t in status["tables"]] == [
        (3, 24, None),
        (1, 3, None),
        (1, 3, None),
    ]


def test_probes_stay_equal_until_something_changes(synced: ServerShop) -> None:
    with synced.pipeline() as pipeline:
        committed = {
            table: {unit: committed.probe for unit, committed in pipeline.committed(table).items()} for table in COLUMNS
        }
        assert {table: pipeline.probe(table) for table in COLUMNS} == committed
        synced.add_orders(501, "2026-01-07T00:00:00", 1)
        synced.execute("UPDATE {s}.Countries SET Area = NULL WHERE Code = 'FR'")
        synced.add_version(9, "2026-01-22", "Zoë", "2026-01-22T09:00:00")
        for table, probes in committed.items():
            assert pipeline.probe(table) != probes, table


def test_one_partition_can_be_loaded_by_hand(synced: ServerShop) -> None:
    key = keys(synced)[1]
    result = synced.run(table_names=["Orders"], partition_keys=[key], force=True)
    assert read(result) == {f"Orders {key}": 8}
    synced.assert_same()


def test_a_snapshot_is_used_where_the_database_allows_it(synced: ServerShop) -> None:
    result = synced.run(force=True)
    assert {unit.consistency for unit in result.units} == {"snapshot"}
    assert result.notes == ()


def test_a_database_without_snapshot_is_read_and_says_so(shop_without_snapshot: ServerShop) -> None:
    result = shop_without_snapshot.run()
    assert result.success, result["errors"]
    if {unit.consistency for unit in result.units} == {"snapshot"}:
        pytest.skip("the database that was given allows SNAPSHOT isolation")
    assert {unit.consistency for unit in result.units} == {"read_committed"}
    assert any("READ COMMITTED" in note for note in result.notes)
    shop_without_snapshot.assert_same()


def test_a_broken_history_is_shown_first_and_repaired_on_request(shop: ServerShop) -> None:
    shop.add_version(5, "2026-01-01", "Old", "2026-01-01T09:00:00")
    shop.add_version(5, "2026-01-09", "New", "2026-01-09T09:00:00")  # the old one was never closed
    assert shop.run().success
    with shop.pipeline() as pipeline:
        shown = pipeline.scd_handler.repair_scd_integrity("Customers")
        assert (shown["dry_run"], shown["valid"], shown["applied"]) == (True, False, 0)
        assert shown["counts"]["several_latest"] == 1
        shop.assert_same(["Customers"])
        table = pipeline.config.scd_tables[0]
        left = pipeline.scd_handler.repair_scd_integrity(table, dry_run=False)
        assert {finding["origin"] for finding in left["findings"]} == {"source"}
        assert (left["applied"], left["remaining"]) == (0, len(left["findings"]))
        shop.assert_same(["Customers"])
        asked = pipeline.scd_handler.repair_scd_integrity(table, dry_run=False, including_source_faults=True)
        assert (asked["applied"], asked["remaining"]) == (1, 0)
        assert pipeline.scd_handler.repair_scd_integrity(table)["valid"] is True
    closed = [row for row in shop.warehouse_rows("Customers") if row[0] == 5 and row[4] == "Old"]
    assert closed == [
        (5, "2026-01-01T00:00:00.000000", "2026-01-09T00:00:00.000000", False, "Old", "2026-01-01T09:00:00.000000")
    ]


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.survives(
    "input",
    "a wrong password",
    "login failed; the password appears nowhere, not in the chain of causes either",
    "nothing was written",
)
def test_a_wrong_password_is_told_and_never_shown(shop: ServerShop) -> None:
    shop.database["password"] = "not-the-pass;word}"
    with pytest.raises(LoginFailed) as caught:
        shop.run()
    assert "not-the-pass" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
    with shop.pipeline() as pipeline:
        status = pipeline.get_pipeline_status()
    assert status["database_connected"] is False
    assert "not-the-pass" not in str(status)
    assert not (shop.root / "lake").exists()


@pytest.mark.survives(
    "network",
    "no server listens at the port",
    "the server and port that do not answer",
    "nothing was written",
)
def test_a_server_that_does_not_answer_is_told(shop: ServerShop) -> None:
    shop.database.update(port=1, connection_timeout=1)
    with pytest.raises(ServerUnreachable, match=":1"):
        shop.run()


@pytest.mark.survives(
    "input",
    "a misspelt table name",
    "table not found, with the nearest name",
    "the other tables are committed",
)
def test_a_missing_table_gets_a_suggestion_and_stops_only_itself(shop: ServerShop) -> None:
    shop.overrides["static_tables"] = [StaticTableConfig(table_name="Contries", schema_name=shop.schema)]
    result = shop.run()
    assert statuses(result) == {"Orders": ["committed"] * 3, "Customers": ["committed"], "Contries": ["failed"]}
    (failed,) = result.failed
    assert (failed.error_type, failed.exit_code) == ("TableNotFound", 2)
    assert f"{shop.schema}.Countries" in str(failed.error)


@pytest.mark.survives(
    "input",
    "a table without partitions configured as partitioned",
    "it is not partitioned, exit code 2",
    "nothing of it was written",
)
def test_a_table_without_partitions_is_told_so(shop: ServerShop) -> None:
    shop.overrides["partition_tables"] = [PartitionTableConfig(table_name="Countries", schema_name=shop.schema)]
    shop.overrides["static_tables"] = []
    (failed,) = shop.run().failed
    assert (failed.error_type, failed.exit_code) == ("NotPartitioned", 2)


@pytest.mark.survives(
    "change",
    "a column added at the source",
    "the table is loaded again, with the reason",
    "source, lake and warehouse equal",
)
def test_a_table_that_got_a_column_is_loaded_again(synced: ServerShop) -> None:
    synced.execute("ALTER TABLE {s}.Countries ADD Population bigint NULL")
    result = synced.run()
    unit = next(u for u in result.units if u.kind == "static")
    assert (unit.status, unit.reason) == ("committed", "columns, types, keys or target changed since the last load")
    synced.assert_same()

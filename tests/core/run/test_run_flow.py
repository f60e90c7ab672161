"""A run brings over what changed, proves it, and leaves the rest alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dltsync_core.config.tables import QualityRule
from dltsync_core.plan.steps import Action
from dltsync_core.run.events import Event
from dltsync_core.run.result import RowCounts
from tests.support.memory_shop import (
    COUNTRIES,
    CUSTOMERS,
    EPOCH,
    EVERYTHING,
    ORDERS,
    MemoryShop,
    order,
    outcomes,
    version,
)


@pytest.mark.parametrize("parallel", [True, False])
def test_the_first_run_brings_everything_over(place: MemoryShop, parallel: bool) -> None:
    result = place.run(parallel_execution=parallel)
    assert outcomes(result) == EVERYTHING
    assert (result["tables_processed"], result["total_records"], result["success"]) == (3, 36, True)
    orders = next(unit for unit in result.units if unit.unit == "[10,20)")
    assert (orders.rows_read, orders.counts, orders.reason) == (10, RowCounts(10, 10, 10), "never loaded before")
    assert all(Path(name).is_file() for name in orders.files)
    place.assert_same()


def test_a_second_run_reads_no_table(synced: MemoryShop) -> None:
    result = synced.run()
    assert outcomes(result) == dict.fromkeys(EVERYTHING, "skipped")
    assert (result["total_records"], result["tables_processed"], result["tables_skipped"]) == (0, 0, 3)
    assert synced.source.extracts() == []


def test_a_plan_says_what_a_run_does_and_writes_nothing(place: MemoryShop, tmp_path: Path) -> None:
    with place.pipeline() as pipeline:
        steps = [step for plan in pipeline.plan() for step in plan.steps]
    assert [step.action for step in steps] == [Action.LOAD] * 5
    assert list(tmp_path.iterdir()) == []


def test_only_the_changed_partition_is_read(synced: MemoryShop) -> None:
    synced.rows(ORDERS)[11]["Note"] = "edited"
    synced.rows(ORDERS).append(order(15, "late"))
    result = synced.run()
    assert synced.source.extracts() == ["sales.Orders [10,20)"]
    assert outcomes(result)["Orders [10,20)"] == "committed"
    synced.assert_same()


def test_an_emptied_partition_is_emptied_everywhere(synced: MemoryShop) -> None:
    rows = synced.rows(ORDERS)
    rows[:] = [row for row in rows if not 10 <= row["OrderNo"] < 20]
    synced.run()
    synced.assert_same()


def test_rows_with_null_follow_the_slot_that_holds_them(synced: MemoryShop) -> None:
    synced.rows(ORDERS).append(order(None, "nowhere"))
    synced.run()
    assert synced.source.extracts() == ["sales.Orders (-inf,10)"]
    synced.assert_same()


@pytest.mark.parametrize("boundaries", [[5, 10, 20], [10], [15], [], [10, 13, 16, 20, 25]])
def test_new_boundaries_lose_and_double_nothing(synced: MemoryShop, boundaries: list[int | None]) -> None:
    synced.source.tables[ORDERS].boundaries[:] = boundaries
    assert synced.run().success
    synced.assert_same()
    assert synced.run()["total_records"] == 0
    synced.source.tables[ORDERS].boundaries[:] = [10, 20]
    assert synced.run().success
    synced.assert_same()


def test_the_event_of_a_commit_has_the_units_result_and_what_it_took_over(synced: MemoryShop) -> None:
    """From it a unit is reported elsewhere, before the run has a result."""
    synced.source.tables[ORDERS].boundaries[:] = [10, 15, 20]
    events: list[Event] = []
    result = synced.run(on_event=events.append)
    ended = {
        e.result.unit: (e.stage, e.result.counts, e.replaces) for e in events if e.result and e.result.table == ORDERS
    }
    units = {unit.unit: unit for unit in result.units if unit.table == ORDERS}
    assert {unit: (stage, counts) for unit, (stage, counts, _) in ended.items()} == {
        unit: (of_run.status, of_run.counts) for unit, of_run in units.items()
    }
    replaced = [unit for _, _, replaces in ended.values() for unit in replaces]
    assert set(replaced) == {"[10,20)"}


def test_half_of_a_split_failing_keeps_the_whole_as_it_was(synced: MemoryShop) -> None:
    synced.source.tables[ORDERS].boundaries[:] = [10, 15, 20]
    synced.source.fail["extract sales.Orders [15,20)"] = [RuntimeError("gone")]
    result = synced.run()
    assert outcomes(result)["Orders [10,15)"] == outcomes(result)["Orders [15,20)"] == "failed"
    synced.assert_same()
    assert synced.run().success
    synced.assert_same()


def test_new_and_changed_versions_are_read_and_nothing_else(synced: MemoryShop) -> None:
    synced.rows(CUSTOMERS).append(version(3, 8, "Kat"))
    result = synced.run(table_types=["scd"])
    (unit,) = result.units
    assert synced.source.extracts() == ["sales.Customers changes"]
    assert unit.counts == RowCounts(5, 5, 5)
    assert unit.rows_read == 2  # the new one, and the one that carries the watermark's own stamp
    assert unit.watermark == "2026-01-08 00:00:00.000000"
    synced.assert_same()
    assert synced.run()["total_records"] == 0


def test_a_deleted_version_leads_to_one_full_load(synced: MemoryShop) -> None:
    del synced.rows(CUSTOMERS)[0]
    result = synced.run()
    assert synced.source.extracts() == ["sales.Customers all"]
    assert "versions were deleted" in next(u.reason for u in result.units if u.kind == "scd")
    synced.assert_same()


def test_a_deletion_hidden_by_new_versions_is_found_by_counting(synced: MemoryShop) -> None:
    rows = synced.rows(CUSTOMERS)
    del rows[0]
    rows += [version(4, 9, "Dan"), version(5, 9, "Eve")]
    result = synced.run(table_types=["scd"])
    assert synced.source.extracts() == ["sales.Customers changes", "sales.Customers all"]
    (unit,) = result.units
    assert unit.status == "committed"
    assert "does not add up: the source has 5 rows, what was loaded makes 6 with this increment" in unit.reason
    assert len(synced.warehouse.loads) == 6  # five units, then one load of all versions: the increment was never loaded
    synced.assert_same()


def test_a_count_mismatch_can_be_told_to_fail(place: MemoryShop) -> None:
    place.scd = {"on_count_mismatch": "fail"}
    place.run()
    rows = place.rows(CUSTOMERS)
    del rows[0]
    rows += [version(4, 9, "Dan"), version(5, 9, "Eve")]
    before = place.lake_rows(CUSTOMERS), place.warehouse_rows(CUSTOMERS), list(place.warehouse.loads)
    for _ in range(2):
        (unit,) = place.run(table_types=["scd"]).units
        assert (unit.status, unit.error_type, unit.exit_code) == ("failed", "ValidationFailed", 9)
        assert "the source has 5 rows, what was loaded makes 6 with this increment: 1 row was deleted" in str(
            unit.error
        )
        assert "on_count_mismatch: fail" in str(unit.error)
        assert "--full-refresh" in str(unit.error)
        assert before == (place.lake_rows(CUSTOMERS), place.warehouse_rows(CUSTOMERS), list(place.warehouse.loads))
    assert place.run(table_types=["scd"], full_refresh=True).success
    place.assert_same([CUSTOMERS])


def test_a_late_commit_below_the_watermark_is_read(synced: MemoryShop) -> None:
    late = version(7, 3, "Late")
    late["Changed"] = EPOCH.replace(day=6) - timedelta(seconds=100)
    synced.rows(CUSTOMERS).append(late)
    assert synced.run().success
    synced.assert_same()


def test_versions_that_repeat_a_key_are_refused_before_anything_is_visible(place: MemoryShop) -> None:
    place.rows(CUSTOMERS).append(version(1, 5, "Twice"))
    result = place.run()
    unit = next(u for u in result.units if u.kind == "scd")
    assert (unit.status, unit.error_type) == ("failed", "ValidationFailed")
    assert (
        "1 row repeats the key (CustomerNo, EffectiveDate) of another row: CustomerNo = 1, EffectiveDate = 2026-01-05"
        in str(unit.error)
    )
    assert place.lake_rows(CUSTOMERS) == place.warehouse_rows(CUSTOMERS) == []
    place.assert_same([ORDERS, COUNTRIES])


def test_a_watermark_of_another_column_is_forgotten(synced: MemoryShop) -> None:
    """Compared with a column of another type the server would refuse it, or worse, convert it."""
    synced.scd = {"last_modified_column": "EffectiveDate"}
    synced.source.watermarks.clear()
    assert synced.run(table_types=["scd"]).units[0].watermark == "2026-01-06 00:00:00.000000"
    assert synced.source.extracts() == ["sales.Customers all"]
    assert synced.source.watermarks[:2] == [None, None]


def test_an_edited_static_row_loads_that_table_only(synced: MemoryShop) -> None:
    synced.rows(COUNTRIES)[1]["Name"] = "République française"
    synced.run()
    assert synced.source.extracts() == ["dbo.Countries all"]
    synced.assert_same()


def test_an_upsert_keeps_what_the_source_deleted_and_says_so(place: MemoryShop) -> None:
    place.static = {"load_strategy": "upsert"}
    place.run()
    del place.rows(COUNTRIES)[0]
    (unit,) = place.run(table_types=["static"]).units
    assert unit.counts == RowCounts(2, 2, 3, retained=1)
    assert RowCounts(2, 2, 3, retained=1).equal
    assert len(place.warehouse_rows(COUNTRIES)) == 3
    assert place.run()["total_records"] == 0


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (QualityRule(column="name", not_null=True), "Name: must not be NULL: 1 row"),
        (QualityRule(column="Code", unique=True), "Code: must be unique; beyond the first of each value: 1 row"),
        (QualityRule(column="Code", allowed=("ch", "fr")), "Code: holds a value that is not allowed: 1 row"),
    ],
)
def test_a_broken_quality_rule_keeps_the_old_rows(place: MemoryShop, rule: QualityRule, text: str) -> None:
    place.run()
    before = place.warehouse_rows(COUNTRIES)
    place.static = {"quality": [rule]}
    place.rows(COUNTRIES)[2].update(Name=None, Code="ch" if rule.unique else "jp")
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error_type) == ("failed", "ValidationFailed")
    assert text in str(unit.error)
    assert place.warehouse_rows(COUNTRIES) == before
    assert len(place.lake_rows(COUNTRIES)) == 3


def test_a_quality_rule_can_only_warn(place: MemoryShop) -> None:
    place.static = {"quality": [QualityRule(column="Name", allowed=("France", "Japan"), severity="warn")]}
    events: list[Event] = []
    (unit,) = place.run(table_types=["static"], on_event=events.append).units
    assert (unit.status, unit.warnings) == ("committed", ("Name: holds a value that is not allowed: 1 row",))
    assert any("not allowed" in event.message for event in events)


def test_force_loads_what_did_not_change(synced: MemoryShop) -> None:
    result = synced.run(force=True, table_names=["orders"], partition_keys=["[10,20)"])
    assert synced.source.extracts() == ["sales.Orders [10,20)"]
    assert outcomes(result) == {"Orders [10,20)": "committed"}
    synced.assert_same()


def test_a_full_refresh_forgets_the_watermark(synced: MemoryShop) -> None:
    synced.run(full_refresh=True, table_types=["scd"])
    assert synced.source.extracts() == ["sales.Customers all"]
    synced.assert_same()


@pytest.mark.parametrize("place_lost", ["lake", "warehouse", "state"])
def test_a_place_that_was_lost_is_filled_again(synced: MemoryShop, tmp_path: Path, place_lost: str) -> None:
    if place_lost == "warehouse":
        synced.warehouse.tables.clear()
    else:
        (tmp_path / place_lost).rename(tmp_path / "elsewhere")
    assert synced.run().success
    synced.assert_same()


def test_without_healing_a_loss_is_told_for_each_table(tmp_path: Path) -> None:
    place = MemoryShop(tmp_path, enable_self_healing=False)
    place.run()
    place.warehouse.tables.clear()
    result = place.run()
    assert {unit.error_type for unit in result.units} == {"WarehouseError"}
    assert place.source.extracts()[5:] == []


def test_a_load_that_does_not_arrive_whole_is_not_committed(synced: MemoryShop) -> None:
    synced.rows(ORDERS)[11]["Note"] = "edited"
    synced.warehouse.lose = 1
    unit = next(u for u in synced.run().units if u.unit == "[10,20)")
    assert (unit.status, unit.error_type, unit.exit_code) == ("failed", "ValidationFailed", 9)
    assert "10 rows in source, 10 in lake, 9 in warehouse" in str(unit.error)
    assert synced.run().success
    synced.assert_same()


def test_a_unit_opens_the_warehouse_once(place: MemoryShop) -> None:
    """For its load, its count and its sums: opening costs as much as loading a small unit. Units that wait at the same moment
    share one opening, so here they come one after the other."""
    place.run(parallel_execution=False)
    assert place.warehouse.openings == len(EVERYTHING)
    assert not {"count", "column_stats", "rows"} & set(place.warehouse.asked)


def test_a_plan_opens_the_warehouse_once_for_all_tables(synced: MemoryShop, tmp_path: Path) -> None:
    """Counts, markers, columns and whether a load could enter: also when there is something to put right."""
    synced.rows(ORDERS)[11]["Note"] = "edited"
    synced.warehouse.asked.clear()
    with synced.pipeline() as pipeline:
        pipeline.plan()
    assert synced.warehouse.asked == ["inspect"]
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    synced.warehouse.asked.clear()
    with synced.pipeline() as pipeline:
        pipeline.recover(dry_run=True)
        assert synced.warehouse.asked == ["inspect"]
        synced.warehouse.asked.clear()
        pipeline.recover()
    assert synced.warehouse.asked == ["inspect"]

"""A run brings over what changed, proves it, and leaves the rest alone."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config.quality import QualityRule
from dltsync_core.errors import (
    ConfigError,
    LoginFailed,
    RunFailed,
    ServerUnreachable,
    TransientQueryError,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.plan.steps import Action
from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult, ThreeCounts
from dltsync_core.run.services import Services
from dltsync_core.state.leases import Leases
from tests.core.run.shop import COUNTRIES, CUSTOMERS, EPOCH, ORDERS, Shop, order, outcomes, version

EVERYTHING = {
    "Orders [-inf,10)": "committed",
    "Orders [10,20)": "committed",
    "Orders [20,+inf)": "committed",
    "Customers all": "committed",
    "Countries all": "committed",
}


@pytest.fixture
def place(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def synced(place: Shop) -> Shop:
    assert place.run().success
    place.source.asked.clear()
    return place


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(Services, "sleep", lambda self, seconds: waits.append(seconds))
    return waits


@pytest.mark.parametrize("parallel", [True, False])
def test_the_first_run_brings_everything_over(place: Shop, parallel: bool) -> None:
    result = place.run(parallel_execution=parallel)
    assert outcomes(result) == EVERYTHING
    assert (result["tables_processed"], result["total_records"], result["success"]) == (3, 36, True)
    orders = next(unit for unit in result.units if unit.unit == "[10,20)")
    assert (orders.rows_read, orders.counts, orders.reason) == (10, ThreeCounts(10, 10, 10), "never loaded before")
    assert all(Path(name).is_file() for name in orders.files)
    place.assert_same()


def test_a_second_run_reads_no_table(synced: Shop) -> None:
    result = synced.run()
    assert outcomes(result) == dict.fromkeys(EVERYTHING, "skipped")
    assert (result["total_records"], result["tables_processed"], result["tables_skipped"]) == (0, 0, 3)
    assert synced.source.extracts() == []


def test_a_plan_says_what_a_run_does_and_writes_nothing(place: Shop, tmp_path: Path) -> None:
    with place.pipeline() as pipeline:
        steps = [step for plan in pipeline.plan() for step in plan.steps]
    assert [step.action for step in steps] == [Action.LOAD] * 5
    assert list(tmp_path.iterdir()) == []


def test_only_the_changed_partition_is_read(synced: Shop) -> None:
    synced.rows(ORDERS)[11]["Note"] = "edited"
    synced.rows(ORDERS).append(order(15, "late"))
    result = synced.run()
    assert synced.source.extracts() == ["sales.Orders [10,20)"]
    assert outcomes(result)["Orders [10,20)"] == "committed"
    synced.assert_same()


def test_an_emptied_partition_is_emptied_everywhere(synced: Shop) -> None:
    rows = synced.rows(ORDERS)
    rows[:] = [row for row in rows if not 10 <= row["OrderNo"] < 20]
    synced.run()
    synced.assert_same()


def test_rows_with_null_follow_the_slot_that_holds_them(synced: Shop) -> None:
    synced.rows(ORDERS).append(order(None, "nowhere"))
    synced.run()
    assert synced.source.extracts() == ["sales.Orders [-inf,10)"]
    synced.assert_same()


@pytest.mark.parametrize("boundaries", [[5, 10, 20], [10], [15], [], [10, 13, 16, 20, 25]])
def test_new_boundaries_lose_and_double_nothing(synced: Shop, boundaries: list[int | None]) -> None:
    synced.source.tables[ORDERS].boundaries[:] = boundaries
    assert synced.run().success
    synced.assert_same()
    assert synced.run()["total_records"] == 0
    synced.source.tables[ORDERS].boundaries[:] = [10, 20]
    assert synced.run().success
    synced.assert_same()


def test_half_of_a_split_failing_keeps_the_whole_as_it_was(synced: Shop) -> None:
    synced.source.tables[ORDERS].boundaries[:] = [10, 15, 20]
    synced.source.fail["extract sales.Orders [15,20)"] = [RuntimeError("gone")]
    result = synced.run()
    assert outcomes(result)["Orders [10,15)"] == outcomes(result)["Orders [15,20)"] == "failed"
    synced.assert_same()
    assert synced.run().success
    synced.assert_same()


def test_new_and_changed_versions_are_read_and_nothing_else(synced: Shop) -> None:
    synced.rows(CUSTOMERS).append(version(3, 8, "Kat"))
    result = synced.run(table_types=["scd"])
    (unit,) = result.units
    assert synced.source.extracts() == ["sales.Customers changes"]
    assert unit.counts == ThreeCounts(5, 5, 5)
    assert unit.rows_read == 2  # the new one, and the one that carries the watermark's own stamp
    assert unit.watermark == "2026-01-08 00:00:00.000000"
    synced.assert_same()
    assert synced.run()["total_records"] == 0


def test_a_deleted_version_leads_to_one_full_load(synced: Shop) -> None:
    del synced.rows(CUSTOMERS)[0]
    result = synced.run()
    assert synced.source.extracts() == ["sales.Customers all"]
    assert "versions were deleted" in next(u.reason for u in result.units if u.kind == "scd")
    synced.assert_same()


def test_a_deletion_hidden_by_new_versions_is_found_by_counting(synced: Shop) -> None:
    rows = synced.rows(CUSTOMERS)
    del rows[0]
    rows += [version(4, 9, "Dan"), version(5, 9, "Eve")]
    result = synced.run(table_types=["scd"])
    assert synced.source.extracts() == ["sales.Customers changes", "sales.Customers all"]
    (unit,) = result.units
    assert unit.status == "committed"
    assert "does not add up (source 5, lake 6, warehouse 6 rows)" in unit.reason
    synced.assert_same()


def test_a_count_mismatch_can_be_told_to_fail(place: Shop) -> None:
    place.scd = {"on_count_mismatch": "fail"}
    place.run()
    rows = place.rows(CUSTOMERS)
    del rows[0]
    rows += [version(4, 9, "Dan"), version(5, 9, "Eve")]
    (unit,) = place.run(table_types=["scd"]).units
    assert (unit.status, unit.error_type, unit.exit_code) == ("failed", "ValidationFailed", 9)
    assert "source 5, lake 6, warehouse 6 rows" in str(unit.error)


def test_a_late_commit_below_the_watermark_is_read(synced: Shop) -> None:
    late = version(7, 3, "Late")
    late["Changed"] = EPOCH.replace(day=6) - timedelta(seconds=100)
    synced.rows(CUSTOMERS).append(late)
    assert synced.run().success
    synced.assert_same()


def test_versions_that_repeat_a_key_are_refused_before_anything_is_visible(place: Shop) -> None:
    place.rows(CUSTOMERS).append(version(1, 5, "Twice"))
    result = place.run()
    unit = next(u for u in result.units if u.kind == "scd")
    assert (unit.status, unit.error_type) == ("failed", "ValidationFailed")
    assert "1 rows repeat the key (CustomerNo, EffectiveDate)" in str(unit.error)
    assert place.lake_rows(CUSTOMERS) == place.warehouse_rows(CUSTOMERS) == []
    place.assert_same([ORDERS, COUNTRIES])


def test_a_watermark_of_another_column_is_forgotten(synced: Shop) -> None:
    """Compared with a column of another type the server would refuse it, or worse, convert it."""
    synced.scd = {"last_modified_column": "EffectiveDate"}
    synced.source.watermarks.clear()
    assert synced.run(table_types=["scd"]).units[0].watermark == "2026-01-06 00:00:00.000000"
    assert synced.source.extracts() == ["sales.Customers all"]
    assert synced.source.watermarks[:2] == [None, None]


def test_an_edited_static_row_loads_that_table_only(synced: Shop) -> None:
    synced.rows(COUNTRIES)[1]["Name"] = "République française"
    synced.run()
    assert synced.source.extracts() == ["dbo.Countries all"]
    synced.assert_same()


def test_an_upsert_keeps_what_the_source_deleted_and_says_so(place: Shop) -> None:
    place.static = {"load_strategy": "upsert"}
    place.run()
    del place.rows(COUNTRIES)[0]
    (unit,) = place.run(table_types=["static"]).units
    assert unit.counts == ThreeCounts(2, 2, 3, kept=1)
    assert ThreeCounts(2, 2, 3, kept=1).equal
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
def test_a_broken_quality_rule_keeps_the_old_rows(place: Shop, rule: QualityRule, text: str) -> None:
    place.run()
    before = place.warehouse_rows(COUNTRIES)
    place.static = {"quality": [rule]}
    place.rows(COUNTRIES)[2].update(Name=None, Code="ch" if rule.unique else "jp")
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error_type) == ("failed", "ValidationFailed")
    assert text in str(unit.error)
    assert place.warehouse_rows(COUNTRIES) == before
    assert len(place.lake_rows(COUNTRIES)) == 3


def test_a_quality_rule_can_only_warn(place: Shop) -> None:
    place.static = {"quality": [QualityRule(column="Name", allowed=("France", "Japan"), severity="warn")]}
    events: list[Event] = []
    (unit,) = place.run(table_types=["static"], on_event=events.append).units
    assert (unit.status, unit.warnings) == ("committed", ("Name: holds a value that is not allowed: 1 row",))
    assert any("not allowed" in event.message for event in events)


def test_force_loads_what_did_not_change(synced: Shop) -> None:
    result = synced.run(force=True, table_names=["orders"], partition_keys=["[10,20)"])
    assert synced.source.extracts() == ["sales.Orders [10,20)"]
    assert outcomes(result) == {"Orders [10,20)": "committed"}
    synced.assert_same()


def test_a_full_refresh_forgets_the_watermark(synced: Shop) -> None:
    synced.run(full_refresh=True, table_types=["scd"])
    assert synced.source.extracts() == ["sales.Customers all"]
    synced.assert_same()


@pytest.mark.parametrize("place_lost", ["lake", "warehouse", "state"])
def test_a_place_that_was_lost_is_filled_again(synced: Shop, tmp_path: Path, place_lost: str) -> None:
    if place_lost == "warehouse":
        synced.warehouse.tables.clear()
    else:
        (tmp_path / place_lost).rename(tmp_path / "elsewhere")
    assert synced.run().success
    synced.assert_same()


def test_without_healing_a_loss_is_told_for_each_table(tmp_path: Path) -> None:
    place = Shop(tmp_path, enable_self_healing=False)
    place.run()
    place.warehouse.tables.clear()
    result = place.run()
    assert {unit.error_type for unit in result.units} == {"WarehouseError"}
    assert place.source.extracts()[5:] == []


def test_a_load_that_does_not_arrive_whole_is_not_committed(synced: Shop) -> None:
    synced.rows(ORDERS)[11]["Note"] = "edited"
    synced.warehouse.lose = 1
    unit = next(u for u in synced.run().units if u.unit == "[10,20)")
    assert (unit.status, unit.error_type, unit.exit_code) == ("failed", "ValidationFailed", 9)
    assert "source 10, lake 10, warehouse 9 rows" in str(unit.error)
    assert synced.run().success
    synced.assert_same()


def test_one_failing_unit_stops_no_other(place: Shop) -> None:
    place.source.fail["extract sales.Orders [10,20)"] = [RuntimeError("out of luck, hunter22")]
    result = place.run()
    assert outcomes(result) == {**EVERYTHING, "Orders [10,20)": "failed"}
    failed = result.failed[0]
    assert (failed.error, failed.error_type, failed.exit_code) == ("out of luck, ***", "RuntimeError", 1)
    assert result["errors"] == ["sales.Orders [10,20): out of luck, ***"]
    assert not result.success
    with place.pipeline() as pipeline:
        status = {table["table"]: table for table in pipeline.get_pipeline_status()["tables"]}
    assert status["sales.Orders"]["last_error"] == "RuntimeError: out of luck, ***"
    assert status["dbo.Countries"]["last_error"] is None


def test_a_run_can_raise_at_its_end(place: Shop) -> None:
    place.source.fail["extract dbo.Countries all"] = [WarehouseError("no")]
    with pytest.raises(RunFailed, match=r"dbo\.Countries all: no") as caught:
        place.run(raise_on_error=True)
    result = caught.value.facts["result"]
    assert isinstance(result, RunResult)
    assert outcomes(result)["Orders [10,20)"] == "committed"


def test_an_error_that_may_pass_is_tried_again_after_a_wait(place: Shop, no_waiting: list[float]) -> None:
    place.source.fail["extract dbo.Countries all"] = [TransientQueryError("deadlock"), TransientQueryError("again")]
    events: list[Event] = []
    result = place.run(table_types=["static"], on_event=events.append)
    assert result.success
    assert place.source.extracts() == ["dbo.Countries all"] * 3
    assert len(no_waiting) == 2
    assert [e.message.split(",")[0] for e in events if "attempt" in e.message] == [
        "attempt 1 failed",
        "attempt 2 failed",
    ]
    place.assert_same([COUNTRIES])


def test_rows_that_came_before_a_lost_connection_are_not_kept(place: Shop, no_waiting: list[float]) -> None:
    place.source.fail["count sales.Orders [10,20)"] = [ServerUnreachable("connection lost after the rows")]
    assert place.run().success
    place.assert_same()


def test_attempts_are_limited(place: Shop, no_waiting: list[float]) -> None:
    place.processing = {"retry_attempts": 2}
    place.source.fail["extract dbo.Countries all"] = [TransientQueryError(str(n)) for n in range(5)]
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error) == ("failed", "1\n  (after 2 attempts)")
    assert len(no_waiting) == 1


def test_an_error_that_stays_is_not_tried_again(place: Shop, no_waiting: list[float]) -> None:
    place.warehouse.fail = [WarehouseBusy("held by pid 1")]
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, no_waiting) == ("failed", [])


def test_what_changed_while_a_run_read_is_read_by_the_next(place: Shop) -> None:
    def meddle() -> None:
        if len(place.rows(COUNTRIES)) == 3:
            place.rows(COUNTRIES).append({"Code": "it", "Name": "Italy"})

    place.source.during_extract = meddle
    place.run(table_types=["static"])
    place.source.during_extract = None
    assert len(place.warehouse_rows(COUNTRIES)) == 3
    assert place.run().success
    place.assert_same()


def test_a_unit_that_another_run_is_at_is_left_to_it(tmp_path: Path) -> None:
    place = Shop(tmp_path, lease_wait_seconds=0)
    late: list[RunResult] = []

    def meanwhile() -> None:
        place.source.during_extract = None
        late.append(place.run(table_types=["static"]))

    place.source.during_extract = meanwhile
    assert place.run(table_types=["static"]).success
    assert [(unit.status, unit.error_type) for unit in late[0].units] == [("failed", "LeaseHeld")]
    place.assert_same(tables=[COUNTRIES])


def test_a_run_that_stood_still_past_its_lease_makes_nothing_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read before it stood still is older than what the run that overtook it brought."""
    place = Shop(tmp_path, lease_seconds=1)
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)

    def overtaken() -> None:
        place.source.during_extract = None
        time.sleep(1.5)
        place.rows(COUNTRIES)[0]["Name"] = "Helvetia"
        assert place.run(table_types=["static"]).success

    place.source.during_extract = overtaken
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error_type) == ("failed", "Fenced")
    place.assert_same(tables=[COUNTRIES])
    assert {u.status for u in place.run(table_types=["static"]).units} == {"skipped"}


def test_an_interrupt_ends_the_run_and_the_next_one_goes_on(place: Shop, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event.stage == "extracted":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.run(on_event=interrupt, parallel_execution=False)
    assert list(tmp_path.glob("lake/*/*/_staging/*")) == []
    assert place.run().success
    place.assert_same()


def test_a_broken_event_sink_costs_no_load(place: Shop) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("no terminal")

    assert place.run(on_event=broken).success


def test_events_tell_the_way_of_a_unit(place: Shop) -> None:
    events: list[Event] = []
    place.run(table_types=["static"], on_event=events.append)
    assert [e.stage for e in events if e.stage != "extracting"] == [
        "planning",
        "planned",
        "extracted",
        "published",
        "loading",
        "loaded",
        "validated",
        "committed",
    ]
    assert {e.rows for e in events if e.stage in ("extracted", "loaded", "committed")} == {3}
    events.clear()
    place.run(table_types=["static"], on_event=events.append)
    assert [e.stage for e in events] == ["planning", "planned", "skipped"]


def test_a_table_that_is_not_there_stops_only_itself(place: Shop) -> None:
    del place.source.tables[COUNTRIES]
    result = place.run()
    assert outcomes(result) == {**EVERYTHING, "Countries all": "failed"}
    assert "did you mean sales.Orders?" in result["errors"][0]
    assert result.failed[0].exit_code == 2


def test_a_server_that_refuses_is_told_at_once(place: Shop, tmp_path: Path) -> None:
    place.source.unreachable = LoginFailed("login failed for user u")
    with pytest.raises(LoginFailed):
        place.run()
    assert not (tmp_path / "lake").exists()
    with place.pipeline() as pipeline:
        status = pipeline.get_pipeline_status()
    assert (status["database_connected"], status["database_error"]) == (False, "login failed for user u")


@pytest.mark.parametrize(
    "wrong",
    [
        {"table_names": ["Oders"]},
        {"table_types": ["dimension"]},
        {"partition_keys": ["[10,21)"]},
        {"table_names": ["Countries"], "partition_keys": ["[10,20)"]},
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_read(place: Shop, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        place.run(**wrong)
    assert place.source.extracts() == []


def test_partitions_leave_other_kinds_out_and_say_so(place: Shop) -> None:
    result = place.run(partition_keys=["[10,20)"])
    assert outcomes(result) == {"Orders [10,20)": "committed"}
    assert result.notes == ("partitions were asked for, so these were left out: sales.Customers, dbo.Countries",)


def test_weaker_consistency_is_noted(place: Shop) -> None:
    place.source.consistency = "read_committed"
    result = place.run()
    assert {unit.consistency for unit in result.units} == {"read_committed"}
    assert any("READ COMMITTED" in note for note in result.notes)


def test_a_long_unit_without_a_key_to_continue_along_is_noted(place: Shop) -> None:
    place.processing = {"statement_rows_limit": 5}
    place.source.tables[ORDERS].primary_key = ()
    with place.pipeline() as pipeline:
        orders, customers, countries = pipeline.plan()
    (note,) = orders.notes
    assert note.startswith(
        "no primary or unique key that reading could continue along: a unit of 10 rows is read by one"
    )
    assert (customers.notes, countries.notes) == ((), ())

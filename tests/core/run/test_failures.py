"""What goes wrong in a run stays where it happened, is told, and is tried again when that can help."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import (
    ConfigError,
    LoginFailed,
    RunFailed,
    ServerUnreachable,
    TransientQueryError,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult
from dltsync_core.state.leases import Leases
from tests.support.memory_shop import COUNTRIES, EVERYTHING, ORDERS, MemoryShop, outcomes


def test_one_failing_unit_stops_no_other(place: MemoryShop) -> None:
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


def test_a_run_can_raise_at_its_end(place: MemoryShop) -> None:
    place.source.fail["extract dbo.Countries all"] = [WarehouseError("no")]
    with pytest.raises(RunFailed, match=r"dbo\.Countries all: no") as caught:
        place.run(raise_on_error=True)
    result = caught.value.facts["result"]
    assert isinstance(result, RunResult)
    assert outcomes(result)["Orders [10,20)"] == "committed"


def test_an_error_that_may_pass_is_tried_again_after_a_wait(place: MemoryShop, no_waiting: list[float]) -> None:
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


def test_rows_that_came_before_a_lost_connection_are_not_kept(place: MemoryShop, no_waiting: list[float]) -> None:
    place.source.fail["count sales.Orders [10,20)"] = [ServerUnreachable("connection lost after the rows")]
    assert place.run().success
    place.assert_same()


def test_attempts_are_limited(place: MemoryShop, no_waiting: list[float]) -> None:
    place.processing = {"retry_attempts": 2}
    place.source.fail["extract dbo.Countries all"] = [TransientQueryError(str(n)) for n in range(5)]
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error) == ("failed", "1\n  (after 2 attempts)")
    assert len(no_waiting) == 1


def test_an_error_that_stays_is_not_tried_again(place: MemoryShop, no_waiting: list[float]) -> None:
    place.warehouse.fail = [WarehouseBusy("held by pid 1")]
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, no_waiting) == ("failed", [])


def test_what_changed_while_a_run_read_is_read_by_the_next(place: MemoryShop) -> None:
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
    place = MemoryShop(tmp_path, lease_wait_seconds=0)
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
    place = MemoryShop(tmp_path, lease_seconds=1)
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)

    def overtaken() -> None:
        place.source.during_extract = None
        time.sleep(1.05)
        place.rows(COUNTRIES)[0]["Name"] = "Helvetia"
        assert place.run(table_types=["static"]).success

    place.source.during_extract = overtaken
    (unit,) = place.run(table_types=["static"]).units
    assert (unit.status, unit.error_type) == ("failed", "Fenced")
    place.assert_same(tables=[COUNTRIES])
    assert {u.status for u in place.run(table_types=["static"]).units} == {"skipped"}


def test_an_interrupt_ends_the_run_and_the_next_one_goes_on(place: MemoryShop, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event.stage == "extracted":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.run(on_event=interrupt, parallel_execution=False)
    assert list(tmp_path.glob("lake/*/*/_staging/*")) == []
    assert place.run().success
    place.assert_same()


def test_a_broken_event_sink_costs_no_load(place: MemoryShop) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("no terminal")

    assert place.run(on_event=broken).success


def test_events_tell_the_way_of_a_unit(place: MemoryShop) -> None:
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


def test_a_table_that_is_not_there_stops_only_itself(place: MemoryShop) -> None:
    del place.source.tables[COUNTRIES]
    result = place.run()
    assert outcomes(result) == {**EVERYTHING, "Countries all": "failed"}
    assert "did you mean sales.Orders?" in result["errors"][0]
    assert result.failed[0].exit_code == 2


def test_a_server_that_refuses_is_told_at_once(place: MemoryShop, tmp_path: Path) -> None:
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
def test_a_wrong_filter_is_refused_before_anything_is_read(place: MemoryShop, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        place.run(**wrong)
    assert place.source.extracts() == []


def test_partitions_leave_other_kinds_out_and_say_so(place: MemoryShop) -> None:
    result = place.run(partition_keys=["[10,20)"])
    assert outcomes(result) == {"Orders [10,20)": "committed"}
    assert result.notes == ("partitions were asked for, so these were left out: sales.Customers, dbo.Countries",)


def test_weaker_consistency_is_noted(place: MemoryShop) -> None:
    place.source.consistency = "read_committed"
    result = place.run()
    assert {unit.consistency for unit in result.units} == {"read_committed"}
    assert any("READ COMMITTED" in note for note in result.notes)


def test_a_long_unit_without_a_key_to_continue_along_is_noted(place: MemoryShop) -> None:
    place.processing = {"statement_rows_limit": 5}
    place.source.tables[ORDERS].primary_key = ()
    with place.pipeline() as pipeline:
        orders, customers, countries = pipeline.plan()
    (note,) = orders.notes
    assert note.startswith(
        "no primary or unique key that reading could continue along: a unit of 10 rows is read by one"
    )
    assert (customers.notes, countries.notes) == ((), ())


def last_errors(place: MemoryShop) -> dict[str, str | None]:
    with place.pipeline() as pipeline:
        return {
            t["table"]: (t["last_error"] or "").partition("\n")[0] for t in pipeline.get_pipeline_status()["tables"]
        }


NONE = {"sales.Orders": "", "sales.Customers": "", "dbo.Countries": ""}


def test_a_failed_unit_that_is_found_up_to_date_is_no_last_error_any_more(synced: MemoryShop) -> None:
    """A forced load fails; the next run sees that nothing changed, and loads nothing."""
    synced.source.fail["extract sales.Orders [10,20)"] = [RuntimeError("out of luck")]
    synced.run(force=True)
    assert last_errors(synced) == {**NONE, "sales.Orders": "RuntimeError: out of luck"}
    assert synced.run(partition_keys=["[20,+inf)"]).success
    assert last_errors(synced) == {**NONE, "sales.Orders": "RuntimeError: out of luck"}, "it was not looked at"
    assert {unit.status for unit in synced.run().units} == {"skipped"}
    assert last_errors(synced) == NONE


def test_a_unit_that_is_no_more_has_no_last_error(synced: MemoryShop) -> None:
    synced.source.fail["extract sales.Orders [10,20)"] = [RuntimeError("out of luck")]
    synced.run(force=True)
    synced.source.tables[ORDERS].boundaries[:] = [20]
    assert synced.run().success
    assert last_errors(synced) == NONE


def test_an_attempt_that_was_killed_does_not_hide_the_error_before_it(synced: MemoryShop) -> None:
    synced.source.fail["extract dbo.Countries all"] = [RuntimeError("out of luck")]
    synced.run(force=True)

    def die(reached: str) -> None:
        if reached == checkpoints.EXTRACTED:
            raise SystemExit

    with checkpoints.watched(die), pytest.raises(SystemExit):
        synced.run(force=True, table_names=["dbo.Countries"], parallel_execution=False)
    assert last_errors(synced) == {**NONE, "dbo.Countries": "RuntimeError: out of luck"}


def test_a_lease_that_was_waited_for_in_vain_is_the_last_error(tmp_path: Path) -> None:
    place = MemoryShop(tmp_path, lease_wait_seconds=0)
    told: list[str | None] = []

    def meanwhile() -> None:
        place.source.during_extract = None
        place.run(table_types=["static"])
        told.append(last_errors(place)["dbo.Countries"])

    place.source.during_extract = meanwhile
    assert place.run(table_types=["static"]).success
    assert "another run is at it" in str(told[0])
    assert last_errors(place) == NONE


def test_a_server_that_goes_away_while_tables_are_planned_is_the_last_error_of_each(
    synced: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(tables: object) -> None:
        raise ServerUnreachable("gone")

    with monkeypatch.context() as away:
        away.setattr(synced.source, "read_tables", gone)
        with pytest.raises(ServerUnreachable):
            synced.run(table_types=["static", "scd"])
    assert last_errors(synced) == {
        **NONE,
        **dict.fromkeys(("sales.Customers", "dbo.Countries"), "ServerUnreachable: gone"),
    }
    assert synced.run().success
    assert last_errors(synced) == NONE

"""A load that does not pass validation: the warehouse has the rows of before again, and the next run loads the unit."""

from __future__ import annotations

import pytest

from dltsync_core import checkpoints
from tests.support.server_shop import plain_rows
from tests.support.sqlserver_shop import SqlServerShop


class Interrupted(BaseException):
    """An interrupt: the run ends at once, and undoes nothing."""


@pytest.mark.survives(
    "warehouse",
    "rows of the warehouse change between the switch and its validation",
    "the rows of before are switched back; the next run loads the unit again",
    "the rows of before, then the new ones",
)
def test_a_load_that_fails_validation_is_switched_back(loaded: SqlServerShop) -> None:
    before = {table: plain_rows(loaded.warehouse_rows(table)) for table in ("Orders", "Countries")}
    loaded.execute("UPDATE {s}.Orders SET Note = N'new' WHERE OrderNo = 103")
    loaded.execute("UPDATE {s}.Countries SET Area = 1 WHERE Code = 'CH'")

    def spoil(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_COMMITTED:
            loaded.target_query("DELETE FROM warehouse.Orders WHERE OrderNo = 103")
            loaded.target_query("DELETE FROM warehouse.Countries WHERE Code = 'JP'")

    with checkpoints.watched(spoil):
        result = loaded.run()
    failed = {unit.table.table: unit for unit in result.units if unit.status == "failed"}
    assert set(failed) == {"Orders", "Countries"}
    for unit in failed.values():
        assert unit.load_undone
        assert unit.error_type == "ValidationFailed"
        assert "the warehouse has the rows of before this load again" in (unit.error or "")
    for table, rows in before.items():
        assert plain_rows(loaded.warehouse_rows(table)) == rows
    assert loaded.leftovers() == []
    status = loaded.pipeline().get_pipeline_status()
    errors = [table["last_error"] for table in status["tables"] if table["last_error"]]
    assert len(errors) == 2
    assert all("the rows of before this load again" in error for error in errors)
    result = loaded.run()
    assert result.success, result["errors"]
    loaded.assert_same()
    assert loaded.leftovers() == []


def test_a_run_that_is_interrupted_before_its_validation_is_confirmed_by_the_next(loaded: SqlServerShop) -> None:
    loaded.execute("UPDATE {s}.Orders SET Note = N'new' WHERE OrderNo IN (103, 201)")

    def die(moment: str) -> None:
        if moment == checkpoints.LOADED:
            raise Interrupted

    with checkpoints.watched(die), pytest.raises(Interrupted):
        loaded.run()
    assert loaded.target_query("SELECT COUNT(*) FROM _dltsync.replaced_rows")[0][0] > 0
    result = loaded.run()
    assert result.success, result["errors"]
    loaded.assert_same()
    assert loaded.target_query("SELECT COUNT(*) FROM _dltsync.replaced_rows") == [(0,)]
    assert loaded.leftovers() == []


def test_rows_that_were_filled_from_the_lake_stay_when_their_run_was_interrupted(loaded: SqlServerShop) -> None:
    """The ledger has these loads: the next run finds nothing to do, and has nothing to switch back."""
    for table in ("Orders", "Countries"):
        loaded.target_query(f"DELETE FROM warehouse.{table}")

    def die(moment: str) -> None:
        if moment == checkpoints.LOADED:
            raise Interrupted

    with checkpoints.watched(die), pytest.raises(Interrupted):
        loaded.run()
    assert loaded.warehouse_rows("Orders") or loaded.warehouse_rows("Countries")
    result = loaded.run()
    assert result.success, result["errors"]
    loaded.assert_same()
    assert loaded.leftovers() == []

"""What a run does about rows that no stamp speaks for, and about rows that moved while it read. Over the wire:
`tests/integration/test_rows_without_stamp_over_the_wire.py` and `test_moving_rows.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from dltsync_core.errors import QueryError
from dltsync_core.run.result import UnitResult
from dltsync_core.testing import FakeView
from tests.support.memory_shop import CUSTOMERS, ORDERS, MemoryShop, order, version

EARLY = datetime(2026, 1, 1, 7)


def customers(place: MemoryShop) -> UnitResult:
    """What the next run does with the table of versions."""
    (unit,) = place.run(table_names=["Customers"]).units
    assert unit.error is None
    place.assert_same([CUSTOMERS])
    return unit


@pytest.mark.parametrize("mismatch", ["resync", "fail"])
def test_a_late_change_beside_an_ordinary_one_is_found_in_the_warehouse(synced: MemoryShop, mismatch: str) -> None:
    """Counts agree, and the plan cannot tell: old stamps leave for higher ones in any increment."""
    synced.scd = {"on_count_mismatch": mismatch}
    synced.rows(CUSTOMERS)[2].update(Name="Late", Changed=EARLY)
    synced.rows(CUSTOMERS).append(version(9, 20, "New"))
    unit = customers(synced)
    assert unit.reason.endswith("a stamp changed below what the increment read, so all versions are read again")
    assert unit.rows_read == 2 + 5  # the increment, then all
    assert customers(synced).status == "skipped"


def test_a_late_change_alone_is_read_whole_at_once(synced: MemoryShop) -> None:
    synced.rows(CUSTOMERS)[2].update(Name="Late", Changed=EARLY)
    unit = customers(synced)
    assert "lies below what an increment reads" in unit.reason
    assert unit.rows_read == 4


def test_ordinary_increments_look_once_at_the_warehouse(synced: MemoryShop) -> None:
    """The digest is taken while the warehouse is open for the load."""
    synced.rows(CUSTOMERS).append(version(9, 20, "New"))
    before = synced.warehouse.openings
    unit = customers(synced)
    assert unit.rows_read == 2
    assert synced.warehouse.openings == before + 1


def test_an_update_of_rows_without_a_stamp_is_brought_over(synced: MemoryShop) -> None:
    synced.rows(CUSTOMERS)[2].update(Changed=None)
    customers(synced)
    synced.rows(CUSTOMERS)[2].update(Name="Other")
    assert "NULL are others" in customers(synced).reason
    assert customers(synced).status == "skipped"


def moving(place: MemoryShop, change: Any) -> tuple[str, ...]:
    """The notes of a run of Orders during whose first read something changes."""
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            change()

    place.source.during_extract = once
    try:
        result = place.run(table_names=["Orders"], parallel_execution=False, force=True)
    finally:
        place.source.during_extract = None
    assert result.success
    return result.notes


def test_rows_that_came_while_the_run_read_are_told(synced: MemoryShop) -> None:
    (note,) = moving(synced, lambda: synced.rows(ORDERS).append(order(5)))
    assert note.startswith("sales.Orders: 3 partitions were committed with 29 rows in all, and hold 30 rows")
    assert "(-inf,10) 9 → 10" in note
    assert synced.run(table_names=["Orders"]).notes == ()


def test_a_run_whose_last_count_fails_succeeds_and_says_so(synced: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise QueryError("the server has other things to do")

    monkeypatch.setattr(FakeView, "column_stats", refuse)
    synced.rows(ORDERS).append(order(5))
    result = synced.run(table_names=["Orders"])
    assert result.success
    (note,) = result.notes
    assert "could not be counted together" in note
    assert "other things to do" in note


def test_nothing_is_counted_where_nothing_was_read(synced: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeView, "column_stats", lambda *_: pytest.fail("counted"))
    assert synced.run().notes == ()


def test_only_a_table_with_a_rowversion_watermark_asks_for_the_ceiling(place: MemoryShop) -> None:
    place.run()
    with place.pipeline() as pipeline:
        pipeline.probe("Customers")
    assert set(place.source.ceilings) == {False}

"""A run over a warehouse that keeps the rows that a load replaced: it confirms what was validated, and undoes what was not."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dltsync_core import checkpoints
from dltsync_core.errors import WarehouseBusy
from dltsync_core.identity import Target
from dltsync_core.testing import FakeWarehouse
from dltsync_core.warehouse.port import Loaded, LoadRequest
from tests.support.memory_shop import EVERYTHING, ORDERS, MemoryShop, outcomes


class KeepingWarehouse(FakeWarehouse):
    """Keeps what was there before each load that can be undone."""

    def __init__(self, before: FakeWarehouse) -> None:
        super().__init__()
        self.tables, self.schemas, self.marks = dict(before.tables), dict(before.schemas), dict(before.marks)
        self.kept: dict[str, Any] = {}
        self.confirmed: list[str] = []
        self.released: list[str] = []
        self.is_busy = False

    def load(self, request: LoadRequest) -> Loaded:
        before = copy.copy((dict(self.tables), dict(self.marks)))
        loaded = super().load(request)
        if not request.can_be_undone:
            return loaded
        self.kept[request.load_id] = before
        return replace(loaded, can_be_undone=True)

    def confirm(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        for load_id in loads.values():
            assert self.kept.pop(load_id)
            self.confirmed.append(load_id)

    def undo(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> bool:
        if self.is_busy:
            raise WarehouseBusy("another run is loading it")
        for load_id in loads.values():
            tables, marks = self.kept.pop(load_id)
            self.tables[target] = tables.get(target, [])
            self.marks = marks
        return True

    def release(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        self.released += loads.values()


def test_every_load_is_confirmed_before_the_ledger_has_it(place: MemoryShop) -> None:
    place.warehouse = warehouse = KeepingWarehouse(place.warehouse)
    at_commit: list[int] = []

    def look(moment: str) -> None:
        if moment == checkpoints.COMMITTED:
            at_commit.append(len(warehouse.confirmed))

    with checkpoints.watched(look):
        result = place.run()
    assert outcomes(result) == EVERYTHING
    assert len(warehouse.confirmed) == len(result.units)
    assert min(at_commit) >= 1
    assert (warehouse.kept, warehouse.released) == ({}, [])
    assert not any(unit.load_undone for unit in result.units)


def by_number(place: MemoryShop) -> list[dict[str, Any]]:
    """The orders in the warehouse: units that are loaded at once arrive in any order."""
    return sorted(place.warehouse_rows(ORDERS), key=lambda row: int(row["OrderNo"]))


def test_a_load_that_does_not_pass_validation_is_undone_and_says_so(place: MemoryShop) -> None:
    assert outcomes(place.run()) == EVERYTHING
    place.warehouse = warehouse = KeepingWarehouse(place.warehouse)
    before = by_number(place)
    warehouse.lose = 1
    result = place.run(full_refresh=True)
    (failed,) = result.failed
    assert failed.load_undone
    assert "the warehouse has the rows of before this load again" in (failed.error or "")
    assert "the next run loads the unit again" in (failed.error or "")
    assert place.warehouse_rows(failed.table)
    assert (failed.table != ORDERS) or by_number(place) == before
    assert failed.load_id not in warehouse.confirmed
    assert place.run().success
    place.assert_same()


def test_a_load_that_cannot_be_undone_now_is_left_to_the_next_run(place: MemoryShop) -> None:
    place.warehouse = warehouse = KeepingWarehouse(place.warehouse)
    warehouse.lose, warehouse.is_busy = 1, True
    (failed,) = place.run().failed
    assert not failed.load_undone
    assert "the rows of before this load could not be put back now" in (failed.error or "")
    assert warehouse.released == [failed.load_id]

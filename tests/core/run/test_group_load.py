"""Units that wait for the warehouse at the same moment come in together; each still succeeds or fails for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from dltsync_core.errors import Fenced, WarehouseError
from dltsync_core.run.events import Event
from dltsync_core.run.load import group_load
from dltsync_core.run.load.group_load import GroupLoader
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.result import RunResult
from dltsync_core.testing import FakeWarehouse
from dltsync_core.warehouse.port import Loaded, LoadRequest
from tests.support.memory_shop import EVERYTHING, ORDERS, MemoryShop, outcomes


class BusyWarehouse(FakeWarehouse):
    """Another process has it until `units` are published: they all wait then, but for the one that got there first."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.groups: list[list[str]] = []
        self.refuses: dict[str, Exception] = {}
        self._units, self._published, self._all = units, 0, threading.Event()
        self.loaded = threading.Event()

    def heard(self, event: Event) -> None:
        if event.stage == "published":
            self._published += 1
            if self._published == self._units:
                self._all.set()

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        assert self._all.wait(20), "units are published while others wait for the warehouse"
        self.groups.append([request.marker.unit for request in requests if request.marker is not None])
        for request in requests:
            if request.marker is not None and request.marker.unit in self.refuses:
                raise self.refuses[request.marker.unit]
        self.loaded.set()
        return super().load_group(requests)


def run(place: MemoryShop, warehouse: BusyWarehouse) -> RunResult:
    place.warehouse = warehouse
    return place.run(on_event=warehouse.heard)


def test_units_that_wait_come_in_by_one_group(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_load, "QUIET_SECONDS", 20.0)  # however busy the machine is
    warehouse = BusyWarehouse(units=5)
    under_way: list[UnitWork] = []
    all_under_way, coming = threading.Event(), GroupLoader.coming

    @contextmanager
    def counted(self: GroupLoader, works: Sequence[UnitWork]) -> Iterator[None]:
        with coming(self, works):
            under_way.extend(works)
            if len(under_way) == 5:
                all_under_way.set()
            yield

    def wait_for_all() -> None:
        all_under_way.wait(20)

    monkeypatch.setattr(GroupLoader, "coming", counted)
    place.source.during_extract = wait_for_all
    assert outcomes(run(place, warehouse)) == EVERYTHING
    assert [len(group) for group in warehouse.groups] == [5], "the first waits for those that are on their way"
    place.assert_same()


def test_no_table_waits_for_the_warehouse_before_it_is_read(place: MemoryShop) -> None:
    """What the plan saw of the warehouse is enough: whoever asks again waits until the loads of other tables are over."""
    warehouse = BusyWarehouse(units=5)
    assert outcomes(run(place, warehouse)) == EVERYTHING
    assert "markers" not in warehouse.asked


def test_units_of_many_rows_do_not_wait_for_others(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows cost more than a group; those that arrive while the warehouse is busy come in together all the same."""
    monkeypatch.setattr(group_load, "FEW_ROWS", 1)
    warehouse = BusyWarehouse(units=5)
    assert outcomes(run(place, warehouse)) == EVERYTHING
    first, *others = (len(group) for group in warehouse.groups)
    assert first == 1
    assert sum(others) == 4
    assert max(others) >= 3, "the last one may be published and not yet at the warehouse's door"
    place.assert_same()


def test_a_group_waits_for_a_moment_only(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One unit is read for longer than that: others are loaded meanwhile."""
    monkeypatch.setattr(group_load, "QUIET_SECONDS", 0.05)
    warehouse = place.warehouse = BusyWarehouse(units=1)
    slow, in_vain = threading.Lock(), []

    def read_slowly() -> None:
        if slow.acquire(blocking=False) and not warehouse.loaded.wait(20):
            in_vain.append("nothing was loaded while one unit was read")

    place.source.during_extract = read_slowly
    assert place.run(on_event=warehouse.heard).success
    assert in_vain == []
    place.assert_same()


def test_a_group_is_bounded(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_load, "MOST_UNITS", 2)
    warehouse = BusyWarehouse(units=5)
    assert run(place, warehouse).success
    assert max(len(group) for group in warehouse.groups) == 2


def test_rows_bound_a_group_too(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_load, "MOST_ROWS", 5)
    warehouse = BusyWarehouse(units=5)
    assert run(place, warehouse).success
    assert [group for group in warehouse.groups if "[10,20)" in group] == [["[10,20)"]], (
        "more than five rows come alone"
    )


@pytest.mark.parametrize(
    "error", [WarehouseError("no such type"), Fenced("another run was faster"), RuntimeError("odd")]
)
def test_only_the_guilty_unit_of_a_group_fails(place: MemoryShop, error: Exception) -> None:
    warehouse = BusyWarehouse(units=5)
    warehouse.refuses["[10,20)"] = error
    result = run(place, warehouse)
    assert outcomes(result) == {**EVERYTHING, "Orders [10,20)": "failed"}
    (failed,) = result.failed
    assert failed.error_type == type(error).__name__
    assert {row["OrderNo"] for row in place.warehouse_rows(ORDERS)} == {*range(1, 10), *range(20, 30)}
    warehouse.refuses.clear()
    place.run()
    place.assert_same()


def test_a_warehouse_that_does_not_open_fails_all_that_wait(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(self: FakeWarehouse) -> None:
        raise WarehouseError("the file is on a disk that is gone")

    place.run()
    place.rows(ORDERS)[0]["Note"] = place.rows(ORDERS)[15]["Note"] = "edited"
    with monkeypatch.context() as patch:
        patch.setattr(FakeWarehouse, "load_group", lambda self, requests: closed(self))
        result = place.run()
    assert [unit.unit for unit in result.failed] == ["(-inf,10)", "[10,20)"]
    place.run()
    place.assert_same()


def test_reading_is_limited_while_units_wait(place: MemoryShop) -> None:
    """Units that wait for the warehouse are not counted as readers, and no more are read than the config allows."""
    place.processing = {"max_workers": 2, "partition_parallel_limit": 1}
    reading: set[tuple[str, str]] = set()
    most = 0

    def heard(event: Event) -> None:
        nonlocal most
        if event.stage == "extracting":
            reading.add((str(event.table), event.unit))
            most = max(most, len(reading))
        elif event.stage == "published":
            reading.discard((str(event.table), event.unit))
        warehouse.heard(event)

    warehouse = place.warehouse = BusyWarehouse(units=5)
    assert place.run(on_event=heard).success
    assert most <= 2

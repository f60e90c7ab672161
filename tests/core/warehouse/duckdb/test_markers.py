"""The warehouse's own word on each unit: in the rows' transaction, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dltsync_core.clock import utc_now
from dltsync_core.committed import LoadIdentity, Marker, Probe
from dltsync_core.errors import Fenced, WarehouseError
from dltsync_core.identity import TableName
from dltsync_core.warehouse.port import LoadRequest
from tests.support.local_warehouse import LocalWarehouse, orders, slot

TARGET = ("sales", "Orders")
MARKER = Marker(
    identity=LoadIdentity(
        "p", "server/database", TableName("dbo", "Orders"), "static", "all", "load-1", "run-1", "definition"
    ),
    fence=7,
    rows=99,
    probe=Probe("hashbytes_sha256", 2, "2|17", None),
    watermark="2026-01-15 12:00:00.1234567",
    lake="digest",
    written_at=utc_now(),
)


def of(unit: str = "all", *, load_id: str = "load-1", fence: int = 7) -> Marker:
    return replace(MARKER, identity=replace(MARKER.identity, unit=unit, load_id=load_id), fence=fence)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> LocalWarehouse:
    return LocalWarehouse(tmp_path_factory.mktemp("house"))


def request(
    house: LocalWarehouse, rows: dict[int, str | None], marker: Marker, retires: tuple[str, ...] = ()
) -> LoadRequest:
    return replace(house.request(TARGET, orders(rows)), marker=marker, retires=retires)


def rows(house: LocalWarehouse) -> list[tuple[object, ...]]:
    return house.query('SELECT "No", "Note" FROM sales."Orders" ORDER BY ALL')


def test_a_load_leaves_its_marker_with_the_rows_counted_in_the_warehouse(house: LocalWarehouse) -> None:
    house.warehouse.load(request(house, {1: "a", 2: "b"}, MARKER))
    assert house.warehouse.markers(TARGET, "p") == {"all": replace(MARKER, rows=2)}
    assert house.warehouse.markers(("SALES", "orders"), "p")
    assert house.warehouse.markers(TARGET, "another pipeline") == {}
    assert house.query("SELECT load_id, rows FROM _dltsync.markers") == [("load-1", 2)]


def test_a_later_load_replaces_the_marker_and_takes_those_of_vanished_units_along(house: LocalWarehouse) -> None:
    house.warehouse.load(request(house, {1: "a"}, of("[1,2)")))
    house.warehouse.load(request(house, {1: "a"}, of("[2,3)")))
    house.warehouse.load(request(house, {1: "b"}, of("[1,3)", fence=8), ("[1,2)", "[2,3)")))
    assert set(house.warehouse.markers(TARGET, "p")) == {"[1,3)"}


def test_a_writer_that_comes_too_late_changes_nothing(house: LocalWarehouse) -> None:
    """A process that was paused, lost its lease and wakes up again."""
    house.warehouse.load(request(house, {1: "new"}, of(load_id="load-2", fence=8)))
    with pytest.raises(Fenced, match="load-2 of another run reached the warehouse"):
        house.warehouse.load(request(house, {1: "old", 2: "old"}, MARKER))
    assert rows(house) == [(1, "new")]
    assert house.warehouse.markers(TARGET, "p")["all"].load_id == "load-2"


def test_the_same_load_may_come_twice(house: LocalWarehouse) -> None:
    for _ in range(2):
        house.warehouse.load(request(house, {1: "a"}, MARKER))
    assert rows(house) == [(1, "a")]


def test_a_load_that_fails_leaves_the_old_marker(house: LocalWarehouse) -> None:
    house.warehouse.load(request(house, {1: "a"}, MARKER))
    broken = request(house, {1: "b"}, of(load_id="load-2", fence=8))
    broken.files[0].write_bytes(b"PAR1 torn")
    with pytest.raises((WarehouseError, ValueError)):
        house.warehouse.load(broken)
    assert house.warehouse.markers(TARGET, "p")["all"].load_id == "load-1"
    assert rows(house) == [(1, "a")]


def part(
    house: LocalWarehouse,
    key: str,
    rows: dict[int, str | None],
    *,
    fence: int = 7,
    retires: tuple[str, ...] = (),
    target: tuple[str, str] = TARGET,
) -> LoadRequest:
    made = house.request(target, orders(rows), how=slot(key))
    return replace(made, marker=of(key, load_id=f"load of {key}", fence=fence), retires=retires)


def test_the_units_of_a_group_are_counted_each_by_itself(house: LocalWarehouse) -> None:
    lines = ("sales", "Lines")
    house.warehouse.load_group(
        [
            part(house, "[10,20)", {10: "a", 11: "b", 19: "c"}),
            part(house, "[20,30)", {20: "d"}),
            part(house, "[30,+inf)", {30: "e", 31: "f"}),
            part(house, "[10,20)", {12: "g", 13: "h"}, target=lines),
        ]
    )
    counted = {unit: marker.rows for unit, marker in house.warehouse.markers(TARGET, "p").items()}
    assert counted == {"[10,20)": 3, "[20,30)": 1, "[30,+inf)": 2}
    assert {unit: marker.rows for unit, marker in house.warehouse.markers(lines, "p").items()} == {"[10,20)": 2}


def test_the_markers_of_a_group_are_those_of_its_loads_one_after_the_other(house: LocalWarehouse) -> None:
    house.warehouse.load_group([part(house, "[10,20)", {10: "a"}), part(house, "[20,30)", {20: "b"})])
    house.warehouse.load_group(
        [
            part(house, "[10,30)", {10: "e", 25: "f", 26: "g"}, fence=8, retires=("[10,20)", "[20,30)")),
            part(house, "[30,+inf)", {30: "h"}, fence=8),
            part(house, "[30,+inf)", {31: "i", 32: "j"}, fence=9),
        ]
    )
    counted = {unit: (marker.rows, marker.fence) for unit, marker in house.warehouse.markers(TARGET, "p").items()}
    assert counted == {"[10,30)": (3, 8), "[30,+inf)": (2, 9)}
    assert [number for number, _ in rows(house)] == [10, 25, 26, 31, 32]


def test_one_late_writer_of_a_group_lets_no_load_of_it_in(house: LocalWarehouse) -> None:
    house.warehouse.load_group([part(house, "[10,20)", {10: "a"}), part(house, "[20,30)", {20: "b"}, fence=9)])
    with pytest.raises(Fenced, match=r"load of \[20,30\) of another run"):
        house.warehouse.load_group(
            [part(house, "[10,20)", {11: "late"}, fence=8), part(house, "[20,30)", {21: "late"}, fence=8)]
        )
    assert rows(house) == [(10, "a"), (20, "b")]


def test_a_table_that_is_dropped_has_no_markers(house: LocalWarehouse) -> None:
    house.warehouse.load(request(house, {1: "a"}, MARKER))
    house.warehouse.drop_table(TARGET)
    assert house.warehouse.markers(TARGET, "p") == {}


def test_a_warehouse_that_is_not_there_has_no_markers_and_is_not_made(house: LocalWarehouse) -> None:
    assert house.warehouse.markers(TARGET, "p") == {}
    assert not list(house.root.glob("*.duckdb"))

"""What a run may rely on, whatever the warehouse is. A module that imports this gives the fixture `anywhere`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from dltsync_core.committed import Marker
from dltsync_core.errors import Fenced
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.port import LoadRequest, TableInspection, WarehouseTable
from tests.support.any_warehouse import AnyWarehouse, marker
from tests.support.local_warehouse import TARGET, orders, slot

LOW, HIGH = "(-inf,10)", "[10,+inf)"


def test_nothing_is_there_before_the_first_load(anywhere: AnyWarehouse) -> None:
    house = anywhere.warehouse
    asked = TableInspection("p", {LOW: slot(LOW), "all": None}, orders({}).schema)
    assert house.inspect({TARGET: asked}) == {TARGET: WarehouseTable({}, {LOW: 0, "all": 0}, {})}
    assert (house.count(TARGET), house.columns(TARGET), house.markers(TARGET, "p")) == (0, {}, {})
    house.drop_table(TARGET)
    house.cleanup()


def test_a_partition_is_replaced_exactly_and_twice_changes_nothing(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a", 9: "b", 10: "c", 15: "d"}), how=slot("(-inf,+inf)"))
    for _ in range(2):
        loaded = anywhere.load(TARGET, orders({11: "e"}), orders({12: "f"}), how=slot(HIGH))
        assert loaded.rows == 2
    assert anywhere.rows(TARGET) == [(1, "a"), (9, "b"), (11, "e"), (12, "f")]
    assert anywhere.load(TARGET, orders({}), how=slot(HIGH)).rows == 0
    assert anywhere.rows(TARGET) == [(1, "a"), (9, "b")], "an emptied partition is emptied, and the other stays"
    assert anywhere.leftovers() == []


def test_keys_replace_their_rows_and_others_stay_and_twice_changes_nothing(anywhere: AnyWarehouse) -> None:
    ways: dict[str, MergeKeys | UpsertKeys] = {"Merged": MergeKeys(("No",)), "Upserted": UpsertKeys(("No",))}

    def load(rows: dict[int, str | None]) -> None:
        group = [anywhere.request(("sales", table), orders(rows), how=how) for table, how in ways.items()]
        anywhere.warehouse.load_group(group)

    load({1: "a", 2: "b"})
    for _ in range(2):
        load({2: "changed", 3: "c"})
    load({})
    found = {table: anywhere.rows(("sales", table)) for table in ways}
    assert found == {table: [(1, "a"), (2, "changed"), (3, "c")] for table in ways}


def test_versions_are_merged_by_the_whole_key(anywhere: AnyWarehouse) -> None:
    """Keys of several columns, of text and of dates: the parts are compared one by one, not what they make together."""
    target = ("sales", "Versions")

    def versions(*rows: tuple[str, str, date, str]) -> pa.Table:
        names = ["Area", "Code", "From", "Note"]
        schema = pa.schema([(name, pa.date32() if name == "From" else pa.string()) for name in names])
        return pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema)

    how, day = MergeKeys(("Area", "Code", "From")), date(2024, 1, 1)
    anywhere.load(target, versions(("a", "bc", day, "1"), ("ab", "c", day, "1"), ("A", "bc", day, "1")))
    anywhere.load(target, versions(("a", "bc", day, "2"), ("a", "bc", date(9999, 12, 31), "2")), how=how)
    found = sorted((row[0], row[1], row[2], row[3]) for row in anywhere.rows(target))
    assert found == [
        ("A", "bc", day, "1"),
        ("a", "bc", day, "2"),
        ("a", "bc", date(9999, 12, 31), "2"),
        ("ab", "c", day, "1"),
    ]


def test_a_group_brings_tables_of_each_kind_in_with_their_markers(anywhere: AnyWarehouse) -> None:
    def of(table: str, unit: str) -> Marker:
        return marker(unit, table=table)

    requests = []
    for number in range(2):
        for key, rows in ((LOW, {1: "a"}), (HIGH, {10: "b", 11: "b"})):
            target = ("parts", f"P{number}")
            requests.append(anywhere.request(target, orders(rows), how=slot(key), marker=of(target[1], key)))
    others: dict[str, Disposition] = {
        "scd": MergeKeys(("No",)),
        "static": ReplaceTable(),
        "upsert": UpsertKeys(("No",)),
    }
    for kind, how in others.items():
        for table in (orders({1: "a"}), orders({1: "b", 2: "b"})):
            request = anywhere.request((kind, "T"), table, how=how, marker=of("T", "all"))
            requests.append(request)
    loaded = anywhere.warehouse.load_group(requests)
    assert [one.rows for one in loaded] == [1, 2] * 5
    for number in range(2):
        assert anywhere.rows(("parts", f"P{number}")) == [(1, "a"), (10, "b"), (11, "b")]
        markers = anywhere.warehouse.markers(("parts", f"P{number}"), "p")
        assert {unit: one.rows for unit, one in markers.items()} == {LOW: 1, HIGH: 2}
    for kind in others:
        assert anywhere.rows((kind, "T")) == [(1, "b"), (2, "b")]
        assert anywhere.warehouse.markers((kind, "T"), "p")["all"].rows == 2
    assert anywhere.leftovers() == []


def test_a_group_with_one_late_writer_changes_nothing_at_all(anywhere: AnyWarehouse) -> None:
    other = ("sales", "Customers")
    first = anywhere.request(TARGET, orders({1: "a"}), marker=marker(fence=8, load_id="load-8"))
    anywhere.warehouse.load_group([first, anywhere.request(other, orders({1: "a"}))])
    group = [
        anywhere.request(other, orders({5: "b"}), marker=marker(table="Customers")),
        anywhere.request(TARGET, orders({5: "b"}), marker=marker(fence=7, load_id="load-7")),
    ]
    with pytest.raises(Fenced, match="load-8 of another run reached the warehouse"):
        anywhere.warehouse.load_group(group)
    assert anywhere.rows(TARGET) == anywhere.rows(other) == [(1, "a")]
    assert anywhere.warehouse.markers(other, "p") == {}
    assert anywhere.leftovers() == []


def test_markers_are_counted_replaced_retired_and_voided(anywhere: AnyWarehouse) -> None:
    house = anywhere.warehouse
    before = [marker("[1,2)"), marker("[2,3)"), marker("theirs", pipeline="q")]
    house.load_group([anywhere.request(TARGET, orders({1: "a"}), marker=one) for one in before])
    assert set(house.markers(TARGET, "p")) == {"[1,2)", "[2,3)"}
    merged = marker("[1,3)", fence=8, load_id="load-2")
    house.load(anywhere.request(TARGET, orders({1: "b", 2: "b", 3: "b"}), marker=merged, retires=("[1,2)", "[2,3)")))
    assert house.markers(TARGET, "p") == {"[1,3)": replace(merged, rows=3)}
    (void,) = house.markers(TARGET, "q").values()
    assert (void.load_id, void.lake, void.watermark) == ("load-2", "", None)
    house.drop_table(TARGET)
    assert (house.markers(TARGET, "p"), house.columns(TARGET)) == ({}, {})


def test_a_table_is_replaced_whole_and_a_dropped_one_is_gone(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a", 2: "b"}))
    anywhere.load(TARGET, orders({3: "c"}))
    assert anywhere.rows(TARGET) == [(3, "c")]
    for _ in range(2):
        anywhere.warehouse.drop_table(TARGET)
        assert (anywhere.warehouse.columns(TARGET), anywhere.warehouse.count(TARGET)) == ({}, 0)


def test_a_group_with_a_torn_file_changes_nothing_at_all(anywhere: AnyWarehouse) -> None:
    """Neither in its own table nor, where a transaction holds several tables, in others."""
    others = [] if anywhere.where.kind == "delta" else [("sales", "Lines")]  # each Delta table has a log of its own
    old = orders({1: "old", 11: "old"})
    anywhere.warehouse.load_group([anywhere.request(target, old) for target in (TARGET, *others)])
    torn = anywhere.request(TARGET, orders({11: "new"}), how=slot(HIGH))
    group = [anywhere.request(target, orders({1: "new"}), how=slot(LOW)) for target in (TARGET, *others)] + [torn]
    whole = torn.files[0].read_bytes()
    torn.files[0].write_bytes(b"PAR1 is not all of it")
    with pytest.raises(Exception, match=r".+"):
        anywhere.warehouse.load_group(group)
    for target in (TARGET, *others):
        assert anywhere.rows(target) == [(1, "old"), (11, "old")]
    assert anywhere.leftovers() == []
    torn.files[0].write_bytes(whole)
    assert [one.rows for one in anywhere.warehouse.load_group(group)] == [1] * len(group)
    assert anywhere.rows(TARGET) == [(1, "new"), (11, "new")]
    for target in others:
        assert anywhere.rows(target) == [(1, "new"), (11, "old")]


def test_a_load_that_is_undone_leaves_the_rows_of_before_or_says_that_it_cannot(anywhere: AnyWarehouse) -> None:
    house = anywhere.warehouse

    def asked(number: int) -> LoadRequest:
        mark = marker(load_id=f"load-{number}", fence=number)
        return replace(
            anywhere.request(TARGET, orders({number: "a"}), marker=mark), load_id=mark.load_id, can_be_undone=True
        )

    house.load(asked(1))
    house.confirm(TARGET, "p", {"all": "load-1"})
    assert not house.undo(TARGET, "p", {"all": "load-1"}), "a confirmed load stays"
    assert anywhere.rows(TARGET) == [(1, "a")]
    loaded = house.load(asked(2))
    assert house.undo(TARGET, "p", {"all": "load-2"}) == loaded.can_be_undone
    stays = 1 if loaded.can_be_undone else 2
    assert anywhere.rows(TARGET) == [(stays, "a")]
    assert house.markers(TARGET, "p")["all"].load_id == f"load-{stays}"
    loaded = house.load(asked(3))
    house.release(TARGET, "p", {"all": "load-3"})
    house.cleanup()
    assert anywhere.rows(TARGET) == [(stays if loaded.can_be_undone else 3, "a")]

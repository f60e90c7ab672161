"""What a run may rely on, whatever database the warehouse is."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from dltsync_core.committed import Marker
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import DriftError, Fenced
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.testing import int_column
from dltsync_core.warehouse.port import TableInspection, WarehouseTable
from tests.support.any_warehouse import AnyWarehouse, marker
from tests.support.local_warehouse import TARGET, orders, slot

LOW, HIGH = "(-inf,10)", "[10,+inf)"


def numbers(house: AnyWarehouse) -> list[object]:
    return [row[0] for row in house.rows(TARGET)]


def test_nothing_is_there_before_the_first_load(anywhere: AnyWarehouse) -> None:
    house = anywhere.warehouse
    asked = TableInspection("p", {LOW: slot(LOW), "all": None}, orders({}).schema)
    assert house.inspect({TARGET: asked}) == {TARGET: WarehouseTable({}, {LOW: 0, "all": 0}, {})}
    assert (house.count(TARGET), house.columns(TARGET), house.markers(TARGET, "p")) == (0, {}, {})
    house.drop_table(TARGET)
    house.cleanup()


def test_a_partition_is_replaced_exactly_and_twice_changes_nothing(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a", 9: "b"}), how=slot(LOW))
    anywhere.load(TARGET, orders({10: "c", 15: "d"}), how=slot(HIGH))
    for _ in range(2):
        loaded = anywhere.load(TARGET, orders({11: "e"}), orders({12: "f"}), how=slot(HIGH))
        assert loaded.rows == 2
    assert anywhere.rows(TARGET) == [(1, "a"), (9, "b"), (11, "e"), (12, "f")]
    assert anywhere.leftovers() == []


def test_an_emptied_partition_is_emptied_and_the_others_stay(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a", 12: "b", 15: "c"}))
    assert anywhere.load(TARGET, orders({}), how=slot(HIGH)).rows == 0
    assert anywhere.rows(TARGET) == [(1, "a")]


def test_rows_without_a_partition_value_lie_in_the_first_partition(anywhere: AnyWarehouse) -> None:
    def scope(key: str) -> ReplaceScope:
        return scope_for(replace(int_column("No"), is_nullable=True), pa.int32(), [parse_key(key)])

    schema = orders({}).schema.set(0, pa.field("No", pa.int32()))
    anywhere.load(TARGET, pa.table({"No": [None, 1, 12], "Note": ["n", "a", "b"]}, schema=schema))
    anywhere.load(TARGET, pa.table({"No": [2], "Note": ["c"]}, schema=schema), how=scope(LOW))
    assert set(numbers(anywhere)) == {2, 12}
    assert anywhere.warehouse.count(TARGET) == 2


def test_a_partition_that_was_split_is_never_there_twice(anywhere: AnyWarehouse) -> None:
    """Each half takes the rows of its own range; what the other half is to take stays until then."""
    anywhere.load(TARGET, orders({1: "a", 5: "a", 9: "a"}), how=slot("[0,10)"))
    anywhere.load(TARGET, orders({1: "b"}), how=slot("[0,5)"))
    assert anywhere.rows(TARGET) == [(1, "b"), (5, "a"), (9, "a")]
    anywhere.load(TARGET, orders({5: "b", 9: "b"}), how=slot("[5,10)"))
    assert anywhere.rows(TARGET) == [(1, "b"), (5, "b"), (9, "b")]


@pytest.mark.parametrize("how", [MergeKeys(("No",)), UpsertKeys(("No",))], ids=lambda how: type(how).__name__)
def test_keys_replace_their_rows_and_others_stay_and_twice_changes_nothing(
    anywhere: AnyWarehouse, how: MergeKeys | UpsertKeys
) -> None:
    anywhere.load(TARGET, orders({1: "a", 2: "b"}), how=how)
    for _ in range(2):
        anywhere.load(TARGET, orders({2: "changed", 3: "c"}), how=how)
    anywhere.load(TARGET, orders({}), how=how)
    assert anywhere.rows(TARGET) == [(1, "a"), (2, "changed"), (3, "c")]


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


def test_a_group_brings_several_tables_of_each_kind_in_with_their_markers(anywhere: AnyWarehouse) -> None:
    def of(table: str, unit: str) -> Marker:
        return marker(unit, table=table)

    requests = []
    for number in range(2):
        for key, rows in ((LOW, {1: "a"}), (HIGH, {10: "b", 11: "b"})):
            target = ("parts", f"P{number}")
            requests.append(anywhere.request(target, orders(rows), how=slot(key), marker=of(target[1], key)))
        others: list[tuple[str, Disposition]] = [
            ("scd", MergeKeys(("No",))),
            ("static", ReplaceTable()),
            ("upsert", UpsertKeys(("No",))),
        ]
        for kind, how in others:
            target = (kind, f"T{number}")
            requests.append(anywhere.request(target, orders({1: "a"}), how=how, marker=of(target[1], "all")))
            requests.append(anywhere.request(target, orders({1: "b", 2: "b"}), how=how, marker=of(target[1], "all")))
    loaded = anywhere.warehouse.load_group(requests)
    assert [one.rows for one in loaded] == [1, 2, *[1, 2] * 3] * 2
    for number in range(2):
        assert anywhere.rows(("parts", f"P{number}")) == [(1, "a"), (10, "b"), (11, "b")]
        markers = anywhere.warehouse.markers(("parts", f"P{number}"), "p")
        assert {unit: one.rows for unit, one in markers.items()} == {LOW: 1, HIGH: 2}
        for kind in ("scd", "static", "upsert"):
            assert anywhere.rows((kind, f"T{number}")) == [(1, "b"), (2, "b")]
            assert anywhere.warehouse.markers((kind, f"T{number}"), "p")["all"].rows == 2
    assert anywhere.leftovers() == []


def test_a_group_with_one_late_writer_changes_nothing_at_all(anywhere: AnyWarehouse) -> None:
    other = ("sales", "Customers")
    first = anywhere.request(TARGET, orders({1: "a"}), marker=marker(fence=8, load_id="load-8"))
    anywhere.warehouse.load(first)
    anywhere.load(other, orders({1: "a"}))
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
    for unit in ("[1,2)", "[2,3)"):
        house.load(anywhere.request(TARGET, orders({1: "a"}), marker=marker(unit)))
    house.load(anywhere.request(TARGET, orders({1: "a"}), marker=marker("theirs", pipeline="q")))
    merged = marker("[1,3)", fence=8, load_id="load-2")
    house.load(anywhere.request(TARGET, orders({1: "b", 2: "b", 3: "b"}), marker=merged, retires=("[1,2)", "[2,3)")))
    assert house.markers(TARGET, "p") == {"[1,3)": replace(merged, rows=3)}
    (void,) = house.markers(TARGET, "q").values()
    assert (void.load_id, void.lake, void.watermark) == ("load-2", "", None)
    house.drop_table(TARGET)
    assert (house.markers(TARGET, "p"), house.columns(TARGET)) == ({}, {})


def test_an_inspection_sees_several_tables_at_once(anywhere: AnyWarehouse) -> None:
    other = ("sales", "Customers")
    anywhere.warehouse.load(anywhere.request(TARGET, orders({1: "a", 10: "b", 11: "c"}), marker=marker()))
    anywhere.load(other, orders({7: None}))
    fits, clash = orders({}).schema, pa.schema([("No", pa.int32()), ("Note", pa.int64())])
    found = anywhere.warehouse.inspect(
        {
            TARGET: TableInspection("p", {LOW: slot(LOW), HIGH: slot(HIGH)}, fits),
            other: TableInspection("p", {"all": None}, clash),
            ("sales", "Nothing"): TableInspection("p", {"all": None}, fits),
        }
    )
    assert [dict(one.counts) for one in found.values()] == [{LOW: 1, HIGH: 2}, {"all": 1}, {"all": 0}]
    assert [list(one.columns) for one in found.values()] == [["No", "Note"], ["No", "Note"], []]
    assert [list(one.markers) for one in found.values()] == [["all"], [], []]
    refusals = [one.refusal for one in found.values()]
    assert refusals[0] is refusals[2] is None
    assert "Note is" in str(refusals[1])


def test_columns_are_added_and_those_that_are_gone_stay_without_values(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a"}))
    added = pa.table({"No": pa.array([2], pa.int32()), "Price": pa.array([Decimal("1.50")], pa.decimal128(9, 2))})
    anywhere.load(TARGET, added, how=MergeKeys(("No",)))
    assert anywhere.rows(TARGET) == [(1, "a", None), (2, None, Decimal("1.50"))]


def test_a_type_that_nothing_can_be_widened_to_is_refused_and_nothing_changes(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, orders({1: "a"}))
    changed = pa.table({"No": pa.array([2], pa.int32()), "Note": pa.array([5], pa.int64())})
    with pytest.raises(DriftError, match="Note is"):
        anywhere.load(TARGET, changed)
    assert anywhere.rows(TARGET) == [(1, "a")]
    assert anywhere.leftovers() == []


AWKWARD = (
    "select",
    'a "quoted" name',
    "per%cent %s",
    "dot.ted; --",
    "ümläut",
    "_dlt_id",
    "Ends_",
    "trailing ",
    "{b}[c]",
    "q?:x",
)


def test_names_stay_what_they_are(anywhere: AnyWarehouse) -> None:
    target = ('Order "By"', "Group % By;")
    columns = {name: pa.array([number], pa.int64()) for number, name in enumerate(AWKWARD, start=1)}
    for how in (None, MergeKeys(AWKWARD[:3]), UpsertKeys((AWKWARD[1],))):
        anywhere.load(target, pa.table(columns), how=how)
    assert list(anywhere.warehouse.columns(target)) == list(AWKWARD)
    assert anywhere.read(target, AWKWARD) == anywhere.rows(target) == [tuple(range(1, len(AWKWARD) + 1))]
    partition = scope_for(int_column(AWKWARD[2]), pa.int64(), [parse_key("[0,10)")])
    anywhere.load(target, pa.table(columns), how=partition)
    assert anywhere.warehouse.count(target, partition) == 1


def test_several_threads_load_one_table_and_others_at_the_same_time(anywhere: AnyWarehouse) -> None:
    """One load of a table at a time, and no row lost or doubled."""
    keys = ("(-inf,10)", "[10,20)", "[20,30)", "[30,+inf)")
    failures: list[BaseException] = []

    def bring(number: int) -> None:
        try:
            first = number * 10
            for _ in range(2):
                anywhere.load(TARGET, orders({first: "a", first + 1: "b"}), how=slot(keys[number]))
                anywhere.load(("sales", f"Other{number % 2}"), orders({first: "a"}), how=MergeKeys(("No",)))
        except BaseException as error:  # noqa: BLE001 -- shown below
            failures.append(error)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(len(keys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert numbers(anywhere) == [first + more for first in (0, 10, 20, 30) for more in (0, 1)]
    assert [len(anywhere.rows(("sales", f"Other{number}"))) for number in range(2)] == [2, 2]
    assert anywhere.leftovers() == []

"""Loads are whole and leave nothing but the table: rows by disposition, columns as they come and go."""

from __future__ import annotations

import threading

import duckdb
import pyarrow as pa
import pytest

from dltsync_core.duckdb import partition_lookup as parting
from dltsync_core.errors import DriftError
from dltsync_core.plan.steps import Disposition, MergeKeys, UpsertKeys
from dltsync_core.warehouse.port import TableInspection
from tests.support.local_warehouse import DISPOSITIONS, TARGET, LocalWarehouse, orders, rows, slot


def test_no_column_of_dlts_reaches_the_users_table(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


def test_files_of_one_load_come_in_together(house: LocalWarehouse) -> None:
    loaded = house.load(TARGET, orders({1: "a"}), orders({2: "b", 3: None}))
    assert loaded.rows == 3
    assert rows(house) == [(1, "a"), (2, "b"), (3, None)]


@pytest.mark.parametrize("how", DISPOSITIONS, ids=lambda how: type(how).__name__)
def test_an_empty_load_makes_an_empty_table(house: LocalWarehouse, how: Disposition) -> None:
    house.load(TARGET, orders({}), how=how)
    assert rows(house) == []
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


@pytest.mark.parametrize("how", [MergeKeys(("No", "Note")), UpsertKeys(("No", "Note"))])
def test_keys_that_look_alike_when_joined_are_told_apart(house: LocalWarehouse, how: Disposition) -> None:
    """dlt joins the parts of a merge_key without a separator: 1 and '1x' would be 11 and 'x'."""
    house.load(TARGET, orders({1: "1x", 11: "x"}), how=how)
    house.load(TARGET, orders({11: "x"}), how=how)
    assert rows(house) == [(1, "1x"), (11, "x")]


def test_a_new_column_is_added_and_old_rows_keep_null(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a", 20: "b"}))
    wider = orders({20: "c"}).append_column(
        pa.field("Amount", pa.decimal128(19, 4), nullable=False), pa.array(["1.5"]).cast(pa.decimal128(19, 4))
    )
    house.load(TARGET, wider, how=slot("[10,+inf)"))
    assert [(no, note, amount and str(amount)) for no, note, amount in rows(house)] == [
        (1, "a", None),
        (20, "c", "1.5000"),
    ]


def test_a_column_that_left_the_source_stays_and_is_null_from_then_on(house: LocalWarehouse) -> None:
    both = orders({1: "a"}).append_column(pa.field("Gone", pa.int32(), nullable=False), pa.array([7], pa.int32()))
    house.load(TARGET, both, how=slot("(-inf,10)"))
    house.load(TARGET, orders({20: "b"}), how=slot("[10,+inf)"))
    assert rows(house) == [(1, "a", 7), (20, "b", None)]


def test_a_column_that_begins_to_admit_null_is_let(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    table = pa.table({"No": pa.array([None], pa.int32()), "Note": pa.array(["b"])})
    house.load(TARGET, table)
    assert rows(house) == [(None, "b")]


def test_a_column_that_changed_its_case_is_the_same_column(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    house.load(TARGET, orders({2: "b"}).rename_columns(["NO", "note"]))
    assert house.types(TARGET) == {"NO": "INTEGER", "note": "VARCHAR"}
    assert rows(house) == [(2, "b")]


def test_a_changed_type_is_refused_and_nothing_is_written(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    changed = pa.table({"No": pa.array([2.0], pa.float64()), "Note": pa.array([b"b"]), "New": pa.array([1])})
    with pytest.raises(DriftError) as caught:
        house.load(TARGET, changed)
    assert "No is INTEGER in the warehouse and DOUBLE in the load" in str(caught.value)
    assert "Note is VARCHAR in the warehouse and BLOB in the load" in str(caught.value)
    assert rows(house) == [(1, "a")]
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


def test_a_table_dropped_by_hand_is_made_again(house: LocalWarehouse) -> None:
    """dlt remembers schemas it has created and would not look."""
    house.load(TARGET, orders({1: "a"}))
    with duckdb.connect(str(house.path)) as connection:
        connection.execute('DROP TABLE sales."Orders"')
    house.load(TARGET, orders({1: "a"}))
    assert rows(house) == [(1, "a")]


def test_a_group_of_loads_comes_in_together(house: LocalWarehouse) -> None:
    """Two partitions of a table, the whole of another, and one by key, in one transaction."""
    other, third = ("sales", "Lines"), ("ref", "Codes")
    house.load(TARGET, orders({1: "old", 11: "old", 25: "stays"}))
    house.load(third, orders({1: "old", 2: "stays"}))
    loaded = house.warehouse.load_group(
        [
            house.request(TARGET, orders({1: "a", 2: "a"}), how=slot("(-inf,10)")),
            house.request(other, orders({7: "x"})),
            house.request(TARGET, orders({11: "b"}), how=slot("[10,20)")),
            house.request(third, orders({1: "new"}), how=MergeKeys(("No",))),
        ]
    )
    assert [each.rows for each in loaded] == [2, 1, 1, 1]
    assert rows(house) == [(1, "a"), (2, "a"), (11, "b"), (25, "stays")]
    assert rows(house, other) == [(7, "x")]
    assert rows(house, third) == [(1, "new"), (2, "stays")]


def test_loads_of_one_table_in_a_group_come_in_in_their_order(house: LocalWarehouse) -> None:
    """A table filled from its first load and its increments: an increment's rows replace those that came just before."""
    house.load(TARGET, orders({9: "old"}))
    house.warehouse.load_group(
        [
            house.request(TARGET, orders({1: "first", 2: "first"})),
            house.request(TARGET, orders({2: "second", 3: "second"}), how=MergeKeys(("No",))),
            house.request(TARGET, orders({3: "third"}), how=MergeKeys(("No",))),
        ]
    )
    assert rows(house) == [(1, "first"), (2, "second"), (3, "third")]


def test_a_group_with_one_bad_load_changes_nothing(house: LocalWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    bad = pa.table({"No": pa.array([2.0], pa.float64()), "Note": pa.array(["b"])})
    with pytest.raises(DriftError, match="No is INTEGER in the warehouse and DOUBLE in the load"):
        house.warehouse.load_group([house.request(("sales", "Lines"), orders({5: "x"})), house.request(TARGET, bad)])
    assert rows(house) == [(1, "a")]
    assert not house.warehouse.columns(("sales", "Lines"))


def test_more_scopes_than_one_statement_takes(house: LocalWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parting, "UNITS_PER_STATEMENT", 2)
    house.load(TARGET, orders(dict.fromkeys(range(10), "a")))
    scopes = {str(n): slot(f"[{n},{n + 2})") for n in range(0, 10, 2)}
    assert house.warehouse.inspect({TARGET: TableInspection("shop", scopes, orders({}).schema)})[
        TARGET
    ].counts == dict.fromkeys(scopes, 2)


def test_partitions_of_one_table_from_many_threads(house: LocalWarehouse) -> None:
    errors: list[Exception] = []

    def bring(number: int) -> None:
        try:
            house.load(TARGET, orders({number: "a"}), how=slot(f"[{number},{number + 1})"))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=bring, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert rows(house) == [(n, "a") for n in range(6)]

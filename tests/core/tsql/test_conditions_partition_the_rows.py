"""The slots' conditions cover every row exactly once, NULL included: checked by an engine that is not ours (SQLite)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.extract.unit import UnitFilter, condition_of
from dltsync_core.ranges import Side
from dltsync_core.tsql.conditions import retention_condition, window_condition
from dltsync_core.tsql.fragments import sql
from tests.support.table_facts import column, partitioned

VALUES = st.integers(-50, 50)
SIDES: st.SearchStrategy[Side] = st.sampled_from(["left", "right"])


def _matching(values: list[int | None], text: str, parameters: tuple[str, ...]) -> list[int]:
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE t (id integer, c integer)")
        database.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(values)))
        return [row for (row,) in database.execute(f"SELECT id FROM t WHERE {text}", parameters)]
    finally:
        database.close()


def _rows(values: list[int | None], unit: UnitFilter) -> list[int]:
    condition = condition_of(unit)
    statement = (condition if condition is not None else sql("1 = 1")).render()
    return _matching(values, statement.text, statement.parameters)


def _slot_of(value: int | None, boundaries: list[int | None], side: Side) -> int:
    """CREATE PARTITION FUNCTION in words: the slot number a value belongs to; NULL sorts below every value."""
    ranked = [(-1, 0) if b is None else (0, b) for b in boundaries]
    key = (-1, 0) if value is None else (0, value)
    if value is None and not (side == "right" and boundaries and boundaries[0] is None):
        return 1
    below = [b for b in ranked if (b <= key if side == "right" else b < key)]
    return len(below) + 1


@given(st.sets(VALUES, max_size=6), st.booleans(), SIDES, st.lists(st.one_of(st.none(), VALUES), max_size=30))
def test_every_row_lies_in_exactly_the_slot_the_server_puts_it(
    numbers: set[int], with_null: bool, side: Side, values: list[int | None]
) -> None:
    boundaries: list[int | None] = [*([None] if with_null else []), *sorted(numbers)]
    facts = partitioned(column("c", "int"), [None if b is None else str(b) for b in boundaries], side)
    found = {
        row: slot.number for slot in facts.slots for row in _rows(values, UnitFilter(slot=slot, partitioning=facts))
    }
    assert found == {row: _slot_of(value, boundaries, side) for row, value in enumerate(values)}
    total = sum(len(_rows(values, UnitFilter(slot=slot, partitioning=facts))) for slot in facts.slots)
    assert total == len(values)


@given(
    st.data(), st.sets(VALUES, max_size=6), st.booleans(), SIDES, st.lists(st.one_of(st.none(), VALUES), max_size=30)
)
def test_the_rows_of_the_slots_that_are_read_whichever_they_are(
    data: st.DataObject, numbers: set[int], with_null: bool, side: Side, values: list[int | None]
) -> None:
    boundaries: list[int | None] = [*([None] if with_null else []), *sorted(numbers)]
    facts = partitioned(column("c", "int"), [None if b is None else str(b) for b in boundaries], side)
    read = data.draw(st.sets(st.sampled_from(facts.slots), min_size=1))
    within, beyond = ([slot for slot in facts.slots if (slot in read) is wanted] for wanted in (True, False))
    condition = retention_condition(replace(facts, slots=tuple(within), out_of_retention=tuple(beyond)))
    statement = (condition if condition is not None else sql("1 = 1")).render()
    numbers_read = {slot.number for slot in read}
    assert _matching(values, statement.text, statement.parameters) == [
        row for row, value in enumerate(values) if _slot_of(value, boundaries, side) in numbers_read
    ]


@given(st.one_of(st.none(), VALUES), st.one_of(st.none(), VALUES), st.lists(st.one_of(st.none(), VALUES), max_size=30))
def test_a_window_is_open_below_closed_above_and_always_has_the_nulls(
    low: int | None, high: int | None, values: list[int | None]
) -> None:
    unit = UnitFilter(
        window_column=column("c", "int"),
        window_low=None if low is None else str(low),
        window_high=None if high is None else str(high),
    )
    expected = [
        row
        for row, value in enumerate(values)
        if value is None or ((low is None or value > low) and (high is None or value <= high))
    ]
    assert _rows(values, unit) == expected


def test_a_column_without_nulls_is_not_asked_for_them() -> None:
    condition = window_condition(column("c", "int", is_nullable=False), "1", None)
    assert condition is not None
    assert condition.render().text == "[c] > CAST(? AS int)"


def test_the_whole_table_has_no_condition() -> None:
    assert condition_of(UnitFilter()) is None

"""When the partitions of a table, read one by one, do not add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.display import number_of
from dltsync_core.identity import TableName
from dltsync_core.validate.counts import moved_rows

ORDERS = TableName("sales", "Orders")
counts = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 9), min_size=2)


@given(counts, counts)
def test_equal_counts_say_nothing_and_others_give_both_numbers(
    committed: dict[str, int], counted: dict[str, int]
) -> None:
    note = moved_rows(ORDERS, committed, counted)
    now = {unit: counted.get(unit, 0) for unit in committed}
    assert (note is None) == (now == committed)
    if note is not None:
        assert f"with {number_of(sum(committed.values()), 'row')} in all" in note
        assert f"hold {number_of(sum(now.values()), 'row')} when" in note


def test_rows_that_changed_places_are_told_although_the_sums_agree() -> None:
    note = moved_rows(ORDERS, {"a": 3, "b": 3}, {"a": 2, "b": 4})
    assert note is not None
    assert "(a 3 → 2, b 3 → 4)" in note

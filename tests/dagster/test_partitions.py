"""Boundary order and ranges of neighbours, for any boundaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dltsync_dagster.partitions import contiguous_groups, portions, reconcile

KEYS = st.lists(st.integers(0, 40).map(str), unique=True, max_size=20)


@given(stored=KEYS, live=KEYS)
def test_afterwards_the_stored_list_is_the_live_one_in_order(stored: list[str], live: list[str]) -> None:
    change = reconcile(stored, live)
    after = [key for key in stored if key not in change.delete] + list(change.add)
    assert after == live


@given(stored=KEYS)
def test_what_is_equal_is_left_alone(stored: list[str]) -> None:
    change = reconcile(stored, stored)
    assert (change.delete, change.add) == ((), ())


def test_new_keys_at_the_end_are_only_added() -> None:
    change = reconcile(["a", "b"], ["a", "b", "c"])
    assert change.appends_only
    assert change.add == ("c",)


@given(order=KEYS, chosen=KEYS, size=st.integers(1, 5))
def test_groups_are_neighbours_and_cover_each_chosen_key_once(order: list[str], chosen: list[str], size: int) -> None:
    groups = contiguous_groups(order, chosen, size=size)
    assert [key for group in groups for key in group] == [key for key in order if key in chosen]
    for group in groups:
        start = order.index(group[0])
        assert tuple(order[start : start + len(group)]) == group
        assert len(group) <= size


def test_groups_are_as_long_as_they_may_be() -> None:
    assert contiguous_groups(list("abcdef"), "abcef", size=2) == [("a", "b"), ("c",), ("e", "f")]


def test_long_lists_are_sent_in_portions() -> None:
    assert [len(p) for p in portions([str(n) for n in range(25_000)])] == [10_000, 10_000, 5_000]
    assert portions([]) == []

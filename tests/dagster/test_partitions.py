"""Changes of the list of partitions, and ranges of them in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dltsync_dagster.partitions import partition_changes, portions, ranges

KEYS = st.lists(st.integers(0, 40).map(str), unique=True, max_size=20)


@given(stored=KEYS, live=KEYS)
def test_afterwards_the_stored_list_holds_the_live_partitions_and_no_others(stored: list[str], live: list[str]) -> None:
    change = partition_changes(stored, live)
    after = [*(key for key in stored if key not in change.delete), *change.add]
    assert sorted(after) == sorted(live)
    assert [key for key in live if key in change.add] == list(change.add), "new ones come in boundary order"
    assert not set(change.delete) & set(live), "nothing that exists is deleted, not even for a moment"


def test_a_split_in_the_middle_of_many_costs_one_deletion() -> None:
    stored = [f"[{n},{n + 1})" for n in range(15_000)]
    live = [*stored[:7_000], "[7000,7000.5)", "[7000.5,7001)", *stored[7_001:]]
    change = partition_changes(stored, live)
    assert (change.delete, change.add) == (("[7000,7001)",), ("[7000,7000.5)", "[7000.5,7001)"))


@given(live=KEYS, stored=KEYS, chosen=KEYS, size=st.integers(1, 5))
def test_a_range_in_the_stored_order_is_exactly_its_group(
    live: list[str], stored: list[str], chosen: list[str], size: int
) -> None:
    groups = ranges(live, stored, chosen, size=size)
    assert sorted(key for group in groups for key in group) == sorted(set(live) & set(stored) & set(chosen))
    for group in groups:
        start = stored.index(group[0])
        assert tuple(stored[start : stored.index(group[-1]) + 1]) == group
        assert len(group) <= size
    firsts = [min(live.index(key) for key in group) for group in groups]
    assert firsts == sorted(firsts), "the first boundary comes first"


def test_groups_are_as_long_as_they_may_be() -> None:
    assert ranges("abcdef", "abcdef", "abcef", size=2) == [("a", "b"), ("c",), ("e", "f")]
    assert ranges("abcd", "adbc", "abcd", size=4) == [("a", "d", "b", "c")], "whatever the boundary order is"


def test_long_lists_are_sent_in_portions() -> None:
    assert [len(p) for p in portions([str(n) for n in range(25_000)])] == [10_000, 10_000, 5_000]
    assert portions([]) == []

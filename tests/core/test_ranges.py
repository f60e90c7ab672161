"""Keys of partitions: an infinite end is open, every range has one key, and a key leads back to its range."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dltsync_core.ranges import Boundary, PartitionRange, Side, in_boundary_order, parse_key, slots_of

ENDS = st.none() | st.builds(Boundary, st.none() | st.text(max_size=6) | st.sampled_from(["-inf", "+inf", "null", "%"]))
SIDES: st.SearchStrategy[Side] = st.sampled_from(["left", "right"])
RANGES = st.builds(PartitionRange, ENDS, ENDS, SIDES)


@pytest.mark.parametrize(
    ("side", "keys"),
    [
        ("right", ["(-inf,10)", "[10,20)", "[20,+inf)"]),
        ("left", ["(-inf,10]", "(10,20]", "(20,+inf)"]),
    ],
)
def test_infinite_ends_are_open(side: Side, keys: list[str]) -> None:
    assert [slot.key for slot in slots_of([Boundary("10"), Boundary("20")], side)] == keys
    assert [slot.key for slot in slots_of([], side)] == ["(-inf,+inf)"]


@given(RANGES)
def test_a_key_leads_back_to_its_range(range_: PartitionRange) -> None:
    found = parse_key(range_.key)
    everything = range_.lower is None and range_.upper is None
    assert found == (replace(range_, side="right") if everything else range_)
    assert found.key == range_.key


@given(RANGES, RANGES)
def test_two_ranges_share_no_key(one: PartitionRange, other: PartitionRange) -> None:
    assume(one != other and not (one.lower is one.upper is other.lower is other.upper is None))
    assert one.key != other.key


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("[-inf,10)", "(-inf,10)"),
        ("[-inf,10]", "(-inf,10]"),
        ("[10,+inf]", "[10,+inf)"),
        ("(10,+inf]", "(10,+inf)"),
        ("[-inf,+inf)", "(-inf,+inf)"),
        ("(-inf,+inf]", "(-inf,+inf)"),
    ],
)
def test_a_closed_infinite_end_is_refused_with_the_key_that_is_meant(key: str, right: str) -> None:
    with pytest.raises(ValueError, match="an infinite end is open") as caught:
        parse_key(key)
    assert repr(right) in str(caught.value)


@pytest.mark.parametrize("key", ["", "all", "10,20", "[10,20]", "(10,20)", "[10,20", "[1,2,3)", "[+inf,-inf)x"])
def test_what_is_no_key_is_refused_with_the_form_of_one(key: str) -> None:
    with pytest.raises(ValueError, match=r"\[lower,upper\) for RANGE RIGHT"):
        parse_key(key)


@given(st.lists(st.integers(-(10**20), 10**20), unique=True, min_size=1), st.sampled_from(["left", "right"]))
def test_keys_of_numbers_are_ordered_by_their_boundaries(numbers: list[int], side: Side) -> None:
    ordered = [slot.key for slot in slots_of([Boundary(str(number)) for number in sorted(numbers)], side)]
    assert in_boundary_order(reversed(ordered)) == ordered


@given(st.lists(st.dates(), unique=True, min_size=1))
def test_keys_of_dates_are_ordered_by_their_boundaries(days: list[date]) -> None:
    ordered = [slot.key for slot in slots_of([Boundary(day.isoformat()) for day in sorted(days)], "right")]
    assert in_boundary_order(sorted(ordered)) == ordered


def test_the_slot_that_begins_with_null_follows_the_open_end() -> None:
    ordered = [slot.key for slot in slots_of([Boundary(None), Boundary("-5"), Boundary("1e1")], "right")]
    assert in_boundary_order(reversed(ordered)) == ordered
    with pytest.raises(ValueError, match="is not a partition key"):
        in_boundary_order(["all"])

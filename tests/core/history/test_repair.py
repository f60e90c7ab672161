"""Findings name every broken rule; repairs have one right answer each, and nothing is left to do afterwards."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.history.integrity import find_violations
from dltsync_core.history.repair import plan_repair
from dltsync_core.history.versions import Version, moment_text

Given = tuple[int, int | None, bool]
"""valid_from, valid_to (None: open), latest."""


def versions(*given_versions: Given, key: str = "A") -> tuple[Version, ...]:
    return tuple(Version(row, (key,), *v) for row, v in enumerate(given_versions))


def mended(given_versions: tuple[Version, ...]) -> list[Given]:
    after = {change.after.row: change.after for change in plan_repair(given_versions).changes}
    result = [after.get(v.row, v) for v in given_versions]
    return [(v.valid_from, v.valid_to, v.is_latest) for v in result]


@pytest.mark.parametrize(
    ("given_versions", "kinds", "expected"),
    [
        # all is well: one version; several, each ending where the next begins
        ([(1, None, True)], set(), [(1, None, True)]),
        ([(1, 5, False), (5, None, True)], set(), [(1, 5, False), (5, None, True)]),
        # a new version came, the old one was not closed
        (
            [(1, None, True), (5, None, True)],
            {"several_latest", "superseded_but_open", "superseded_but_latest"},
            [(1, 5, False), (5, None, True)],
        ),
        # the old one was closed, its flag stayed
        (
            [(1, 5, True), (5, None, True)],
            {"several_latest", "superseded_but_latest"},
            [(1, 5, False), (5, None, True)],
        ),
        # the flag was taken away and given to nobody
        (
            [(1, 5, False), (5, None, False)],
            {"no_latest", "open_but_not_latest"},
            [(1, 5, False), (5, None, True)],
        ),
        # they overlap
        ([(1, 7, False), (5, None, True)], {"overlap"}, [(1, 5, False), (5, None, True)]),
        # ends before it begins, though another follows
        ([(3, 1, False), (5, None, True)], {"inverted"}, [(3, 5, False), (5, None, True)]),
        ([(3, 3, False), (5, None, True)], {"zero_length"}, [(3, 5, False), (5, None, True)]),
        # ended before it began, and says it is valid
        ([(3, 1, True)], {"inverted", "latest_but_closed"}, [(3, None, True)]),
        # left alone: a gap, a deletion, an ended version marked latest, no order
        ([(1, 3, False), (5, None, True)], {"gap"}, [(1, 3, False), (5, None, True)]),
        ([(1, 5, False), (5, 9, False)], {"no_latest"}, [(1, 5, False), (5, 9, False)]),
        ([(1, 9, True)], {"latest_but_closed"}, [(1, 9, True)]),
        (
            [(1, 5, False), (1, 7, False), (7, None, True)],
            {"same_start"},
            [(1, 5, False), (1, 7, False), (7, None, True)],
        ),
    ],
)
def test_each_fault_is_found_and_mended_or_left(
    given_versions: list[Given], kinds: set[str], expected: list[Given]
) -> None:
    group = versions(*given_versions)
    found = {finding.kind for finding in find_violations(group)}
    assert found >= kinds
    assert found - kinds <= {"gap"}
    assert mended(group) == expected


def test_keys_are_looked_at_one_by_one() -> None:
    both = (*versions((1, None, True)), *versions((2, None, True), key="B"))
    assert plan_repair(both).findings == ()


random_versions = st.lists(
    st.tuples(st.integers(0, 8), st.none() | st.integers(0, 10), st.booleans()), min_size=1, max_size=6
)


@given(random_versions)
def test_after_a_repair_nothing_overlaps_and_nothing_is_left_to_do(given_versions: list[Given]) -> None:
    group = versions(*sorted(given_versions, key=lambda v: v[0]))
    plan = plan_repair(group)
    after = tuple(Version(v.row, v.key, *m) for v, m in zip(group, mended(group), strict=True))
    assert plan_repair(after).changes == ()
    if any(finding.kind == "same_start" for finding in plan.findings):
        assert plan.changes == ()
        return
    for earlier, later in pairwise(after):
        assert earlier.valid_to is not None
        assert earlier.valid_from < earlier.valid_to <= later.valid_from
        assert not earlier.is_latest
    left = {finding.kind for finding in find_violations(after)}
    assert left <= {"gap", "no_latest", "latest_but_closed", "zero_length", "inverted"}
    assert [v.valid_from for v in after] == [v.valid_from for v in group], "starts are never touched"


@given(random_versions)
def test_what_is_well_is_not_touched(given_versions: list[Given]) -> None:
    group = versions(*sorted(given_versions, key=lambda v: v[0]))
    if not find_violations(group):
        assert plan_repair(group).changes == ()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01 00:00:00"),
        (1_700_000_000_123_456_700, "2023-11-14 22:13:20.1234567"),
        (-62_135_596_800_000_000_000, "0001-01-01 00:00:00"),
        (253_402_300_799_999_999_900, "9999-12-31 23:59:59.9999999"),
    ],
)
def test_moments_are_shown_with_all_their_digits(moment: int, text: str) -> None:
    assert moment_text(moment) == text
    assert moment_text(None) is None

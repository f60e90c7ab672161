"""Which key slices follow, how long they are, and which keys find the same place again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import ProcessingConfig
from dltsync_core.extract.slice_plan import (
    SLICE_BYTES,
    SliceLimits,
    continuation_key,
    is_exact,
    next_rows,
    slice_limits,
)
from tests.support.table_facts import column, table

ID = column("Id", "bigint", is_nullable=False)
CODE = column("Code", "varchar", 2)
NAME = column("Name", "nvarchar", 3)
RATE = column("Rate", "float", 4)
NOTE = column("Note", "nvarchar", 5, max_length=-1)
FACTS = table(ID, CODE, NAME, RATE, NOTE, name="t")


def _keyed(primary: tuple[str, ...] = (), *unique: tuple[str, ...]) -> TableFacts:
    return replace(FACTS, primary_key=primary, unique_keys=tuple(unique))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (_keyed(("Id",), ("Code",)), ["Id"]),
        (_keyed(("Code", "Name"), ("Id",)), ["Code", "Name"]),
        (_keyed(("Rate",), ("Code", "Name"), ("Id",)), ["Id"]),
        (_keyed((), ("Code", "Name")), ["Code", "Name"]),
        (_keyed(("Rate",)), None),  # its text is exact, but nobody should have to rely on a float to continue
        (_keyed((), ("Note",)), None),
        (_keyed(("Gone",)), None),
        (_keyed(), None),
    ],
)
def test_the_key_that_slices_follow(facts: TableFacts, expected: list[str] | None) -> None:
    found = continuation_key(facts)
    assert (None if found is None else [c.name for c in found]) == expected


def test_a_masked_key_is_not_followed() -> None:
    """Its text would be the mask's."""
    masked = replace(FACTS, columns=(replace(ID, is_masked=True), CODE), primary_key=("Id",))
    assert continuation_key(masked) is None


@pytest.mark.parametrize(
    ("values", "exact"),
    [
        (("a", "ñ😀"), True),
        ((None, None), True),
        (("ñ", "a"), False),
        (("a", "\ufffd"), False),
    ],
)
def test_texts_that_were_changed_on_the_way_are_seen(values: tuple[str | None, ...], exact: bool) -> None:
    assert is_exact([CODE, NAME], values) is exact


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.floats(0, 10**6), st.floats(1, 10**4))
def test_a_slice_stays_within_its_limits(limit: int, rows: int, took: float, seconds: float) -> None:
    following = next_rows(SliceLimits(limit, seconds), rows, took)
    assert 1 <= following <= limit


def test_a_slow_slice_is_followed_by_a_shorter_one_and_a_fast_one_by_a_longer() -> None:
    limits = SliceLimits(1_000_000, 600)
    assert next_rows(limits, 100_000, 600) == 50_000
    assert next_rows(limits, 100_000, 3000) == 10_000
    assert next_rows(limits, 100_000, 1) == 200_000
    assert next_rows(limits, 900_000, 1) == 1_000_000


def test_wide_rows_make_short_slices() -> None:
    processing = ProcessingConfig(statement_rows_limit=500_000, statement_seconds_limit=60)
    assert slice_limits(processing, 100) == SliceLimits(500_000, 60)
    assert slice_limits(processing, 1_000_000).rows == SLICE_BYTES // 1_000_000

"""Boundaries of dates and times have one short spelling, and no two boundaries share one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.query_rows import shortest_boundary
from dltsync_core.ranges import Boundary

TICKS_PER_DAY = 86_400 * 10_000_000
MOMENTS = st.builds(
    lambda day, tick: (day, tick),
    st.integers(0, 3_652_058),
    st.sampled_from([0, 1, 10_000_000, TICKS_PER_DAY - 1]) | st.integers(0, TICKS_PER_DAY - 1),
)


def server_text(moment: tuple[int, int]) -> str:
    """As CONVERT style 121 spells a datetime2(7)."""
    day, tick = moment
    seconds, fraction = divmod(tick, 10_000_000)
    whole = datetime(1, 1, 1) + timedelta(days=day, seconds=seconds)
    return f"{whole.isoformat(sep=' ')}.{fraction:07d}"


@pytest.mark.parametrize(
    ("type_name", "server", "key"),
    [
        ("datetime2", "2013-07-01 00:00:00.0000000", "2013-07-01"),
        ("datetime2", "2013-07-01 06:30:00.5000000", "2013-07-01T06:30:00.5"),
        ("datetime2", "2013-07-01 00:00:00.0000001", "2013-07-01T00:00:00.0000001"),
        ("datetime", "2013-07-01T00:00:00", "2013-07-01"),
        ("datetime", "2013-07-01T00:00:00.003", "2013-07-01T00:00:00.003"),
        ("smalldatetime", "2013-07-01T12:00:00", "2013-07-01T12:00:00"),
        ("datetimeoffset", "2013-07-01 00:00:00.0000000 +02:00", "2013-07-01T00:00:00+02:00"),
        ("date", "2013-07-01", "2013-07-01"),
        ("time", "10:00:00.0000000", "10:00:00"),
        ("time", "10:00:00.1000000", "10:00:00.1"),
        ("nvarchar", "2013-07-01 00:00:00.0000000", "2013-07-01 00:00:00.0000000"),
        ("decimal", "10.00", "10.00"),
        ("datetime2", None, None),
    ],
)
def test_spelling(type_name: str, server: str | None, key: str | None) -> None:
    assert shortest_boundary(Boundary(server), type_name) == Boundary(key)


@given(MOMENTS, MOMENTS)
def test_different_moments_are_spelt_differently(one: tuple[int, int], two: tuple[int, int]) -> None:
    spelt = [shortest_boundary(Boundary(server_text(m)), "datetime2") for m in (one, two)]
    assert (spelt[0] == spelt[1]) is (one == two)


@given(MOMENTS, st.sampled_from(["datetime2", "datetime", "datetimeoffset"]))
def test_spelling_twice_changes_nothing(moment: tuple[int, int], type_name: str) -> None:
    once = shortest_boundary(Boundary(server_text(moment)), type_name)
    assert shortest_boundary(once, type_name) == once

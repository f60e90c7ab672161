"""Watermarks are compared and lowered as the server's own text."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.watermark import is_rowversion, lowered, oldest, position


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-15 12:00:00.1234567", "2026-01-15 12:00:00.1234568"),
        ("2026-01-15 12:00:00.49", "2026-01-15 12:00:00.5"),
        ("2026-01-15", "2026-01-16"),
        ("2026-01-15T12:00", "2026-01-15T12:00:01"),
        ("2026-01-15 13:30:00 +02:00", "2026-01-15 12:00:00 +00:00"),
        ("0001-01-01 00:00:00.0000000 +14:00", "0001-01-01 00:00:00.0000000 +00:00"),
        ("9999-12-31 23:59:59.9999999 +00:00", "9999-12-31 23:59:59.9999999 -14:00"),
        ("0x000000000000000F", "0x0000000000000010"),
    ],
)
def test_positions_order_watermarks(earlier: str, later: str) -> None:
    assert position(earlier) < position(later)


def test_the_same_moment_has_one_position_whatever_its_spelling() -> None:
    assert position("2026-01-15 12:00:00.5") == position("2026-01-15T12:00:00.5000000")
    assert position("2026-01-15 12:00:00 +00:00") == position("2026-01-15 13:00:00.0 +01:00")


def test_the_oldest_of_several_witnesses_is_believed() -> None:
    assert oldest(["2026-01-15 12:00:00.2", "2026-01-15 12:00:00.15", "2026-01-16"]) == "2026-01-15 12:00:00.15"
    assert oldest(["0x10", "0x0F"]) == "0x0F"


def test_a_witness_that_saw_nothing_leaves_no_watermark() -> None:
    assert oldest(["2026-01-15", None]) is None
    assert oldest([]) is None


def test_text_that_is_no_watermark_is_refused() -> None:
    for text in ("yesterday", "15.01.2026", ""):
        with pytest.raises(ValueError, match="is no watermark"):
            position(text)


@given(
    st.datetimes(min_value=datetime(2, 1, 1)),
    st.integers(0, 86_400),
    st.integers(0, 9_999_999),
)
def test_lowering_keeps_the_digits_and_goes_back_by_exactly_the_lag(moment: datetime, lag: int, ticks: int) -> None:
    text = f"{moment.replace(microsecond=0).isoformat(sep=' ')}.{ticks:07d}"
    before = lowered(text, type_name="datetime2", seconds=lag)
    assert before is not None
    assert before.endswith(f".{ticks:07d}")
    assert position(text) - position(before) == lag * 10**9


@given(st.datetimes(min_value=datetime(2, 1, 1)), st.integers(0, 3600))
def test_a_lowered_smalldatetime_is_a_value_of_its_type_and_not_later_than_asked_for(
    moment: datetime, lag: int
) -> None:
    text = moment.replace(second=0, microsecond=0).isoformat()
    before = lowered(text, type_name="smalldatetime", seconds=lag)
    assert before is not None
    assert before.endswith(":00")
    asked = moment.replace(second=0, microsecond=0) - timedelta(seconds=lag)
    assert position(before) <= position(asked.isoformat())


def test_rowversions_are_told_from_moments() -> None:
    assert is_rowversion("0x00000000000007D1")
    assert not is_rowversion("2026-01-15")

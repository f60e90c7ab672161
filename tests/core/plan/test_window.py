"""Where an increment begins, in the server's own text."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.plan.scd import Window
from dltsync_core.plan.window import window_after


@pytest.mark.parametrize(
    ("committed", "type_name", "lag", "low"),
    [
        ("2026-01-15 12:00:00.1234567", "datetime2", 300, "2026-01-15 11:55:00.1234567"),
        ("2026-01-15T12:00:00.003", "datetime", 300, "2026-01-15T11:55:00.003"),
        ("2026-01-15T12:00:00", "datetime", 300, "2026-01-15T11:55:00"),
        ("2026-01-01 00:00:10.5", "datetime2", 60, "2025-12-31 23:59:10.5"),
        ("2026-01-15 12:00:00.0 +05:30", "datetimeoffset", 60, "2026-01-15 11:59:00.0 +05:30"),
        ("2026-01-15 12:00:00.5", "datetime2", 0, "2026-01-15 11:59:59.5"),
        ("2026-01-15T12:00:00", "smalldatetime", 20, "2026-01-15T11:59:00"),
        ("2026-01-15T12:00:00", "smalldatetime", 300, "2026-01-15T11:55:00"),
        ("2026-01-15", "date", 0, "2026-01-13"),
        ("2026-01-15", "date", 300, "2026-01-13"),
        ("2026-01-15", "date", 86401, "2026-01-12"),
        ("0x00000000000007D1", "rowversion", 300, "0x00000000000007D1"),
        ("0001-01-01 00:00:30.0", "datetime2", 300, None),
    ],
)
def test_the_watermark_is_lowered_by_the_lag(committed: str, type_name: str, lag: int, low: str | None) -> None:
    assert window_after(committed, committed, type_name=type_name, lag_seconds=lag) == Window(low, regressed=False)


@pytest.mark.parametrize(
    ("committed", "highest", "back"),
    [
        ("2026-01-15 12:00:00.5", "2026-01-15 12:00:00.49", True),
        ("2026-01-15 12:00:00.5", "2026-01-15 12:00:00.5000000", False),
        ("2026-01-15 12:00:00", "2026-01-15 12:00:00.0000001", False),
        ("2026-01-15 12:00:00 +00:00", "2026-01-15 13:30:00 +02:00", True),
        ("2026-01-15 12:00:00 +00:00", "2026-01-15 11:30:00 -01:00", False),
        ("0x0000000000000010", "0x000000000000000F", True),
        ("0x000000000000000F", "0x0000000000000010", False),
        ("2026-01-15", None, True),
    ],
)
def test_a_source_behind_the_watermark_is_noticed(committed: str, highest: str | None, back: bool) -> None:
    assert window_after(committed, highest, type_name="datetime2", lag_seconds=60).regressed is back


def test_without_a_watermark_there_is_no_window() -> None:
    assert window_after(None, "2026-01-15", type_name="date", lag_seconds=60) == Window(None, regressed=False)


def test_text_that_is_no_watermark_is_refused() -> None:
    with pytest.raises(ValueError, match="'yesterday' is no watermark"):
        window_after("yesterday", "yesterday", type_name="datetime2", lag_seconds=60)


@given(
    st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(9999, 12, 31)),
    st.integers(0, 86400),
    st.sampled_from(["datetime2", "smalldatetime"]),
)
def test_the_low_end_is_at_least_the_lag_below_and_less_than_a_minute_more(
    committed: datetime, lag: int, type_name: str
) -> None:
    committed = committed.replace(microsecond=0)
    text = committed.isoformat(sep=" ")
    low = window_after(text, text, type_name=type_name, lag_seconds=lag).low
    assert low is not None
    distance = committed - datetime.fromisoformat(low)
    assert timedelta(seconds=max(lag, 1)) <= distance < timedelta(seconds=max(lag, 1) + 60)

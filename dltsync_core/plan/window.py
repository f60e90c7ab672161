"""Where an increment begins: the committed watermark less the lag. Text of the server in, text of the same form out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from dltsync_core.plan.scd import Window

_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:(?P<separator>[ T])(?P<time>\d\d:\d\d(?::\d\d)?)(?P<fraction>\.\d+)?)?"
    r"(?P<offset> ?[+-]\d\d:\d\d)?"
)


SHORTEST_LAG_SECONDS = 1
"""Rows that share the watermark's own stamp are read again even without a lag: some of them may have been committed later."""


def window_after(committed: str | None, highest: str | None, *, type_name: str, lag_seconds: int) -> Window:
    """The window above a committed watermark, given the highest position the source has now.

    `type_name` is the column's type: the low end is a value of it, and never a later one than asked for. A rowversion (0x…)
    is not lowered: none can come late below MIN_ACTIVE_ROWVERSION(). Raises ValueError for text that is no watermark.
    """
    if committed is None:
        return Window(None)
    went_back = highest is None or _position(highest) < _position(committed)
    if committed.startswith("0x"):
        return Window(committed, went_back)
    return Window(_lowered(_match(committed), type_name, max(lag_seconds, SHORTEST_LAG_SECONDS)), went_back)


def _lowered(match: re.Match[str], type_name: str, seconds: int) -> str | None:
    """The same moment `seconds` earlier, every digit of the fraction kept; None when the calendar ends before."""
    try:
        moment = _whole_seconds(match) - timedelta(seconds=seconds)
        if match["time"] is None:
            # Stamps of a whole day: the day the lag reaches into is read again from its beginning.
            return f"{(moment - timedelta(days=1)).date().isoformat()}"
    except OverflowError:
        return None
    if type_name == "smalldatetime":
        moment = moment.replace(second=0)  # the server would round 11:59:40 up to the minute, past the stamps wanted
    lowered = moment.isoformat(sep=match["separator"], timespec="seconds")
    return f"{lowered}{match['fraction'] or ''}{match['offset'] or ''}"


def _position(text: str) -> tuple[int, datetime, str]:
    """Something to compare: numbers with numbers, moments with moments, whatever their digits and offsets."""
    if text.startswith("0x"):
        return int(text, 16), datetime.min, ""
    match = _match(text)
    moment = _whole_seconds(match).replace(tzinfo=timezone.utc)
    if match["offset"]:
        sign = -1 if "-" in match["offset"] else 1
        hours, minutes = match["offset"].strip(" +-").split(":")
        shift = timedelta(hours=int(hours), minutes=int(minutes)) * sign
        moment = moment - shift
    return 0, moment.replace(tzinfo=None), (match["fraction"] or "").lstrip(".").ljust(9, "0")


def _match(text: str) -> re.Match[str]:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no watermark: neither a date or time of the server nor 0x… of a rowversion")
    return match


def _whole_seconds(match: re.Match[str]) -> datetime:
    return datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00:00'}")

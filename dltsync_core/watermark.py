"""Watermarks: positions up to which everything is committed. Text of the server in, text of the same form out.

A watermark is a moment in the column's own spelling (`2026-01-15 12:00:00.1234567 +05:30`) or a rowversion (`0x…`). It never
becomes a Python datetime: that would cut the 100 ns digits, and with them the rows that share a microsecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:(?P<separator>[ T])(?P<time>\d\d:\d\d(?::\d\d)?)(?P<fraction>\.\d+)?)?"
    r"(?P<offset> ?[+-]\d\d:\d\d)?"
)
_NANOS_PER_SECOND = 10**9
_SECONDS_PER_DAY = 86_400


def position(text: str) -> int:
    """A number that orders watermarks of one column, whatever their digits and offsets. Raises ValueError for other text.

    For moments nanoseconds since the calendar began, in UTC where an offset is given; for a rowversion its value.
    """
    if text.startswith("0x"):
        return int(text, 16)
    match = _match(text)
    hours, minutes, *rest = (match["time"] or "00:00").split(":")
    seconds = date.fromisoformat(match["date"]).toordinal() * _SECONDS_PER_DAY
    seconds += int(hours) * 3600 + int(minutes) * 60 + int(rest[0] if rest else 0)
    if match["offset"]:
        sign = -1 if "-" in match["offset"] else 1
        hours, minutes = match["offset"].strip(" +-").split(":")
        seconds -= sign * (int(hours) * 3600 + int(minutes) * 60)
    return seconds * _NANOS_PER_SECOND + int((match["fraction"] or ".0")[1:].ljust(9, "0"))


def oldest(watermarks: Iterable[str | None]) -> str | None:
    """The lowest watermark; None when any of them is None: nothing is loaded there.

    This is what recovery may believe: of several answers the earliest. Raises ValueError for text that is no watermark.
    """
    known = list(watermarks)
    if not known or any(text is None for text in known):
        return None
    return min((text for text in known if text is not None), key=position)


def is_rowversion(text: str) -> bool:
    """Whether the watermark is a counter instead of a time."""
    return text.startswith("0x")


def lowered(text: str, *, type_name: str, seconds: int) -> str | None:
    """The moment `seconds` earlier as a value of `type_name`, with every digit of the fraction and never later than
    requested; None when the calendar ends before. Raises ValueError for text that is not a date and time."""
    match = _match(text)
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00:00'}") - timedelta(seconds=seconds)
        if match["time"] is None:
            # Stamps of a whole day: the day the lag reaches into is read again from its beginning.
            return (moment - timedelta(days=1)).date().isoformat()
    except OverflowError:
        return None
    if type_name == "smalldatetime":
        moment = moment.replace(second=0)  # the server would round 11:59:40 up to the minute, past the stamps wanted
    spelt = moment.isoformat(sep=match["separator"], timespec="seconds")
    return f"{spelt}{match['fraction'] or ''}{match['offset'] or ''}"


def _match(text: str) -> re.Match[str]:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no watermark: neither a date or time of the server nor 0x… of a rowversion")
    return match

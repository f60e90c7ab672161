"""One spelling for each boundary of a date or time, the shortest that loses nothing: partition keys are made of it.

The server spells a boundary with all the digits of the widest type. People read keys, and a key must not change when a
server spells differently: midnight is the date alone, a fraction has no trailing zeros, date and time are joined by T.
"""

from __future__ import annotations

import re

from dltsync_core.ranges import Boundary

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?: ?([+-]\d\d:\d\d))?")
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d+))?")
_MIDNIGHT = "00:00:00"
_MOMENTS = frozenset({"datetime", "smalldatetime", "datetime2", "datetimeoffset"})


def shortest_boundary(boundary: Boundary, type_name: str) -> Boundary:
    """The boundary in its shortest spelling; as it is when its type has only one, or when it is NULL.

    A datetimeoffset keeps its time even at midnight, and its offset always: without them it would name another moment.
    """
    text = boundary.text
    if text is None:
        return boundary
    if type_name in _MOMENTS and (match := _MOMENT.fullmatch(text)):
        day, time, fraction, offset = match.groups()
        clock = _trimmed(time, fraction)
        return Boundary(day if clock == _MIDNIGHT and offset is None else f"{day}T{clock}{offset or ''}")
    if type_name == "time" and (match := _TIME.fullmatch(text)):
        return Boundary(_trimmed(match[1], match[2]))
    return boundary


def _trimmed(time: str, fraction: str | None) -> str:
    kept = (fraction or "").rstrip("0")
    return f"{time}.{kept}" if kept else time

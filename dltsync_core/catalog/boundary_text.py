"""The shortest lossless text of a boundary that is a date or time. Partition keys are made of it.

The server writes a boundary with all the digits of the widest type. People read keys, and a key must not change when
another server writes it differently: midnight is the date alone, a fraction has no trailing zeros, T joins date and time.
"""

from __future__ import annotations

import re

from dltsync_core.ranges import Boundary

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?: ?([+-]\d\d:\d\d))?")
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d+))?")
_MIDNIGHT = "00:00:00"
_MOMENTS = frozenset({"datetime", "smalldatetime", "datetime2", "datetimeoffset"})


def shortest_boundary(boundary: Boundary, type_name: str) -> Boundary:
    """The boundary in its shortest text; unchanged when its type has only one, or when it is NULL.

    A datetimeoffset has its time even at midnight, and always its offset: without them it would be another value.
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
    digits = (fraction or "").rstrip("0")
    return f"{time}.{digits}" if digits else time

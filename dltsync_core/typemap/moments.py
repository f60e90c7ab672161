"""Dates and times. Only datetime2(7), time(7) and datetimeoffset leave a choice, because no single type holds them.

datetime2(7) counts 100 ns from year 1 to 9999. timestamp[ns] holds 100 ns but only the years 1677 to 2262; timestamp[us]
holds all years but loses the seventh digit. So: `nanoseconds` refuses a value outside those years, `microseconds` refuses a
value whose seventh digit is not 0, `text` takes everything.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import ConfigError
from dltsync_core.typemap.declared import shown_type
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped

MICROSECOND_SCALE = 6
"""Digits of a second that a microsecond type holds."""

_NAIVE = {"data_type": "timestamp", "timezone": False}
_TEXT_HINT = {"data_type": "text"}


def map_moment(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of a date or time, None for another type.

    `representation` is what the config asks for; None takes the default. Raises ConfigError when the type cannot be
    represented that way.
    """
    families = {
        "date": _date,
        "smalldatetime": _milliseconds,
        "datetime": _milliseconds,
        "datetime2": _datetime2,
        "time": _time,
        "datetimeoffset": _datetimeoffset,
    }
    family = families.get(column.type_name)
    return family(column, representation) if family else None


def _date(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    _expect(column, representation, ())
    return mapped(column, pa.date32(), {"data_type": "date"})


def _milliseconds(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    """datetime shows .000, .003 or .007 (its grid is 1/300 s); smalldatetime whole minutes."""
    if _expect(column, representation, ("text",)) == "text":
        return _text(column)
    return mapped(column, pa.timestamp("ms"), {**_NAIVE, "precision": 3})


def _datetime2(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if column.scale <= MICROSECOND_SCALE:
        if _expect(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.timestamp("us"), {**_NAIVE, "precision": 6})
    chosen = _expect(column, representation, ("nanoseconds", "microseconds", "text")) or "nanoseconds"
    if chosen == "text":
        return _text(column)
    if chosen == "microseconds":
        return mapped(
            column,
            pa.timestamp("us"),
            {**_NAIVE, "precision": 6},
            source=SourceForm.CHECKED_MICROSECONDS,
            note="a value whose seventh digit is not 0 stops the load",
        )
    return mapped(
        column,
        pa.timestamp("ns"),
        {**_NAIVE, "precision": 9},
        source=SourceForm.WITH_NANOSECONDS,
        note="100 ns kept; a value outside the years 1677 to 2262 stops the load",
    )


def _time(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    hint = {"data_type": "time", "precision": 6}
    if column.scale <= MICROSECOND_SCALE:
        if _expect(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.time64("us"), hint)
    if _expect(column, representation, ("microseconds", "text")) == "microseconds":
        return mapped(
            column,
            pa.time64("us"),
            hint,
            source=SourceForm.CHECKED_MICROSECONDS,
            note="a value whose seventh digit is not 0 stops the load",
        )
    return _text(column)


def _datetimeoffset(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if _expect(column, representation, ("text", "utc")) != "utc":
        return _text(column)
    return mapped(
        column,
        pa.timestamp("us", tz="UTC"),
        {"data_type": "timestamp", "timezone": True, "precision": 6},
        lossless=False,
        note="the instant in UTC, microseconds; the offset is not kept (column_representation utc)",
    )


def _text(column: ColumnFacts) -> ColumnMapping:
    return mapped(
        column,
        pa.string(),
        _TEXT_HINT,
        source=SourceForm.SERVER_TEXT,
        note="ISO text as the server writes it, every digit and the offset kept",
    )


def _expect(column: ColumnFacts, representation: str | None, possible: tuple[str, ...]) -> str | None:
    if representation is None or representation in possible:
        return representation
    ways = f"possible here: {', '.join(possible)}" if possible else "this type needs none"
    raise ConfigError(
        f"column {column.name} of type {shown_type(column)} cannot be kept as {representation!r}",
        remedy=f"change its column_representation; {ways}",
        column=column.name,
    )

"""Dates and times. Only datetime2(7), time(7) and datetimeoffset leave a choice, because no single type holds them.

datetime2(7) counts 100 ns from year 1 to 9999. timestamp[ns] holds 100 ns but only the years 1677 to 2262; timestamp[us]
holds all years but loses the seventh digit. So: `nanoseconds` refuses a value outside those years, `microseconds` refuses a
value whose seventh digit is not 0, `text` takes everything. The end of a system-versioned row's period is 9999-12-31
23:59:59.9999999 while the row is current, so text is its default; for every other datetime2(7) it is nanoseconds.

datetime lies on a grid of 1/300 s and comes as the server shows it: .000, .003 or .007. A datetimeoffset is text with its
offset; `utc` keeps the instant and loses the offset. The choice is made from catalogue and config, never from the rows, so that
it is the same in every file of a table.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.choices import chosen
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped

MICROSECOND_SCALE = 6
"""Digits of a second that a microsecond type holds."""

SEVENTH_DIGIT = "a value whose seventh digit is not 0 stops the load"

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
    chosen(column, representation, ())
    return mapped(column, pa.date32(), {"data_type": "date"})


def _milliseconds(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    """datetime shows .000, .003 or .007 (its grid is 1/300 s); smalldatetime whole minutes."""
    if chosen(column, representation, ("text",)) == "text":
        return _text(column)
    return mapped(column, pa.timestamp("ms"), {**_NAIVE, "precision": 3})


def _datetime2(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if column.scale <= MICROSECOND_SCALE:
        if chosen(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.timestamp("us"), {**_NAIVE, "precision": 6})
    kept = chosen(column, representation, ("nanoseconds", "microseconds", "text")) or _default(column)
    if kept == "text":
        return _text(column)
    if kept == "microseconds":
        return mapped(
            column,
            pa.timestamp("us"),
            {**_NAIVE, "precision": 6},
            source=SourceForm.CHECKED_MICROSECONDS,
            note=SEVENTH_DIGIT,
        )
    return mapped(
        column,
        pa.timestamp("ns"),
        {**_NAIVE, "precision": 9},
        source=SourceForm.WITH_NANOSECONDS,
        note="100 ns kept; a value outside the years 1677 to 2262 stops the load",
    )


def _default(column: ColumnFacts) -> str:
    return "text" if column.generated == "row_end" else "nanoseconds"


def _time(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    hint = {"data_type": "time", "precision": 6}
    if column.scale <= MICROSECOND_SCALE:
        if chosen(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.time64("us"), hint)
    if chosen(column, representation, ("microseconds", "text")) == "microseconds":
        return mapped(
            column,
            pa.time64("us"),
            hint,
            source=SourceForm.CHECKED_MICROSECONDS,
            note=SEVENTH_DIGIT,
        )
    return _text(column)


def _datetimeoffset(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if chosen(column, representation, ("text", "utc")) != "utc":
        return _text(column)
    fine = column.scale > MICROSECOND_SCALE
    return mapped(
        column,
        pa.timestamp("us", tz="UTC"),
        {"data_type": "timestamp", "timezone": True, "precision": 6},
        source=SourceForm.CHECKED_MICROSECONDS if fine else SourceForm.PLAIN,
        lost="the offset",
        note=f"the instant in UTC (column_representation utc){f'; {SEVENTH_DIGIT}' if fine else ''}",
    )


def _text(column: ColumnFacts) -> ColumnMapping:
    return mapped(
        column,
        pa.string(),
        _TEXT_HINT,
        source=SourceForm.SERVER_TEXT,
        note="ISO text as the server writes it, every digit and the offset kept",
    )

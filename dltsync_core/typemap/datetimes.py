"""Dates and times. Only datetime2(7), time(7) and datetimeoffset leave a choice, because no single type holds them.

datetime2(7) counts 100 ns from year 1 to 9999. timestamp[ns] holds 100 ns but only from 1677 to 2262; timestamp[us] holds all
years but loses the seventh digit. So: `nanoseconds` refuses a value outside that range, `microseconds` refuses a value whose
seventh digit is not 0, `text` holds every value. `open_end` is `microseconds` with one exception: the greatest value of the
type, which usually means an open end, is stored as the last microsecond of the calendar, and the value that would be stored the
same (its seventh digit 0) stops the load. So every value can be restored exactly. It is the default of an scd table's end date.
The end of a system-versioned row's period is 9999-12-31 23:59:59.9999999 while the row is current, so text is its default in
other tables; for every other datetime2(7) it is nanoseconds.

datetime lies on a grid of 1/300 s and is loaded as the server shows it: .000, .003 or .007. A datetimeoffset is text with its
offset; `utc` is the instant and loses the offset, `utc_open_end` does so with the exception above. The choice is made from
catalogue and config, never from the rows, so that it is the same in every file of a table.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen

MICROSECOND_SCALE = 6
"""Digits of a second that a microsecond type holds."""

SEVENTH_DIGIT = "a value whose seventh digit is not 0 stops the load"

LOWEST_NANOSECONDS = -9_223_286_400_000_000_000
HIGHEST_NANOSECONDS = 2**63 - 8
"""Nanoseconds since 1970 of the first and the last 100 ns that lake and warehouse support. Arrow and Parquet begin a day
earlier, at 1677-09-21 00:12:43.145224193, but DuckDB neither shows nor compares values before midnight, and one such value
makes every SELECT of its column fail. It reads the greatest integer as infinity; no step of 100 ns falls on it."""

NANOSECOND_RANGE = "1677-09-22 00:00:00 to 2262-04-11 23:47:16.8547758"
"""The same range as text."""

LAST_MICROSECOND = 253_402_300_799_999_999
"""Microseconds since 1970 of 9999-12-31 23:59:59.999999: what `open_end` stores for the greatest value of the type."""

TYPE_MAXIMUM = "9999-12-31 23:59:59.9999999"
OPEN_END = (
    f"open end: the type's maximum {TYPE_MAXIMUM} is stored as 9999-12-31 23:59:59.999999; any other value whose seventh "
    "digit is not 0, and that one with the seventh digit 0, stops the load"
)


def map_datetime(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of a date or time, None for another type.

    `representation` is the config's choice; None takes the default. Raises ConfigError when the type cannot be
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
    return mapped(column, pa.date32())


def _milliseconds(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    """datetime shows .000, .003 or .007 (its grid is 1/300 s); smalldatetime whole minutes."""
    if chosen(column, representation, ("text",)) == "text":
        return _text(column)
    return mapped(column, pa.timestamp("ms"))


def _datetime2(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if column.scale <= MICROSECOND_SCALE:
        if chosen(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.timestamp("us"))
    form = chosen(column, representation, ("nanoseconds", "microseconds", "open_end", "text")) or _default(column)
    if form == "text":
        return _text(column)
    if form in {"microseconds", "open_end"}:
        return mapped(
            column,
            pa.timestamp("us"),
            source=SourceForm.OPEN_END if form == "open_end" else SourceForm.CHECKED_MICROSECONDS,
            note=OPEN_END if form == "open_end" else SEVENTH_DIGIT,
        )
    return mapped(
        column,
        pa.timestamp("ns"),
        source=SourceForm.WITH_NANOSECONDS,
        note=f"100 ns preserved; a value outside {NANOSECOND_RANGE} stops the load",
    )


def _default(column: ColumnFacts) -> str:
    return "text" if column.generated == "row_end" else "nanoseconds"


def _time(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    if column.scale <= MICROSECOND_SCALE:
        if chosen(column, representation, ("microseconds", "text")) == "text":
            return _text(column)
        return mapped(column, pa.time64("us"))
    if chosen(column, representation, ("microseconds", "text")) == "microseconds":
        return mapped(
            column,
            pa.time64("us"),
            source=SourceForm.CHECKED_MICROSECONDS,
            note=SEVENTH_DIGIT,
        )
    return _text(column)


def _datetimeoffset(column: ColumnFacts, representation: str | None) -> ColumnMapping:
    fine = column.scale > MICROSECOND_SCALE
    form = chosen(column, representation, ("text", "utc", "utc_open_end") if fine else ("text", "utc"))
    if form in {None, "text"}:
        return _offset_text(column)
    source, detail = SourceForm.PLAIN, ""
    if fine:
        source, detail = SourceForm.CHECKED_MICROSECONDS, f"; {SEVENTH_DIGIT}"
    if form == "utc_open_end":
        source, detail = SourceForm.OPEN_END, f"; {OPEN_END}"
    return mapped(
        column,
        pa.timestamp("us", tz="UTC"),
        source=source,
        lost="the offset",
        note=f"the instant in UTC (column_representation {form}){detail}",
    )


def _text(column: ColumnFacts) -> ColumnMapping:
    note = "ISO text as the server writes it, with every digit"
    return mapped(column, pa.string(), source=SourceForm.SERVER_TEXT, note=note)


def _offset_text(column: ColumnFacts) -> ColumnMapping:
    note = "ISO text, local time and offset, with every digit"
    return mapped(column, pa.string(), source=SourceForm.OFFSET_TEXT, note=note)

"""Dates and times in plain DuckDB text: the same arithmetic as `values.datetimes`, a column at a time."""

from __future__ import annotations

from sqlserver_sandbox.model import TICKS_PER_DAY, SqlType
from sqlserver_sandbox.tsql.values.datetimes import TICKS_1900, TICKS_PER_MINUTE

_TICK_TYPES = ("datetime2", "datetime", "smalldatetime", "date")


def local_ticks(sql: str, declared: SqlType) -> str:
    """100 ns of local time since 0001-01-01, as BIGINT."""
    if declared.name == "date":
        return f"(CAST(date_diff('day', DATE '0001-01-01', {sql}) AS BIGINT) * {TICKS_PER_DAY})"
    if declared.name == "datetime":
        # Shifted by whole days, so that // and % never see a negative number; by thirds, so that nothing overflows.
        shifted = f"({sql} + {_DATETIME_SHIFT})"
        thirds = f"({shifted} // 3 * 100000 + ({shifted} % 3 * 200000 + 3) // 6)"
        return f"({thirds} + {TICKS_1900 - _DATETIME_SHIFT_TICKS})"
    if declared.name == "smalldatetime":
        return f"({sql} * {TICKS_PER_MINUTE} + {TICKS_1900})"
    if declared.name == "time":
        return f"({sql} + {TICKS_1900})"
    if declared.name == "datetimeoffset":
        return f'({sql}.ticks + CAST({sql}."offset" AS BIGINT) * {TICKS_PER_MINUTE})'
    return f"({sql})"


_SHIFT_DAYS = 1900 * 366
_DATETIME_SHIFT = _SHIFT_DAYS * 300 * 86_400
_DATETIME_SHIFT_TICKS = _SHIFT_DAYS * TICKS_PER_DAY


def date_of(ticks: str) -> str:
    return f"(DATE '0001-01-01' + CAST({ticks} // {TICKS_PER_DAY} AS INTEGER))"


def moment_sql(sql: str, source: SqlType, target: SqlType) -> str | None:
    """One date or time type as another where nothing can go out of range, else None."""
    if target.name == "date" and source.name in (*_TICK_TYPES, "datetimeoffset"):
        return date_of(local_ticks(sql, source))
    if target.name == "datetime2" and source.name in (*_TICK_TYPES, "time", "datetimeoffset"):
        exact = target.scale == 7 if source.name == "datetime" else target.scale >= source.scale
        return local_ticks(sql, source) if exact else None
    if target.name == "time" and source.name == "datetime2" and target.scale >= source.scale:
        return f"({sql} % {TICKS_PER_DAY})"
    if (
        target.name == "datetimeoffset"
        and source.name in ("datetime2", "datetimeoffset")
        and target.scale >= source.scale
    ):
        return sql if source.name == "datetimeoffset" else _with_zero_offset(sql)
    return None


def _with_zero_offset(sql: str) -> str:
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE {{'ticks': {sql}, 'offset': CAST(0 AS SMALLINT)}} END"


def moment_text_sql(sql: str, declared: SqlType, style: int | None) -> tuple[str | None, int]:
    """(text, its length) for the ISO styles of dates, datetime2, datetime, smalldatetime, time and datetimeoffset."""
    if style is None:
        style = 0 if declared.name in ("datetime", "smalldatetime") else 121
    if declared.name == "date":
        return (f"CAST({sql} AS VARCHAR)", 10) if style in (20, 21, 23, 25, 120, 121, 126) else (None, 0)
    if style == 126 and declared.name in ("datetime", "smalldatetime"):
        return _iso_text(sql, declared), 23
    ticks = local_ticks(sql, declared)
    day = f"CAST({date_of(ticks)} AS VARCHAR)"
    if style == 23 and declared.name != "time":
        return day, 10
    if style not in (20, 21, 25, 120, 121):
        return None, 0
    digits = _digits(declared) if style in (21, 25, 121) else 0
    clock = _clock(ticks, digits)
    if declared.name == "time":
        return clock, 8 + (digits + 1 if digits else 0)
    text = f"{day} || ' ' || {clock}"
    length = 19 + (digits + 1 if digits else 0)
    if declared.name == "datetimeoffset":
        return f"({text} || ' ' || {_zone(sql)})", length + 7
    return f"({text})", length


def _iso_text(sql: str, declared: SqlType) -> str:
    """Style 126: no fraction when it would be .000."""
    ticks = local_ticks(sql, declared)
    front = f"CAST({date_of(ticks)} AS VARCHAR) || 'T' || "
    return (
        f"(CASE WHEN ({ticks} + 5000) % 10000000 // 10000 = 0 THEN {front}{_clock(ticks, 0)}"
        f" ELSE {front}{_clock(ticks, 3)} END)"
    )


def _digits(declared: SqlType) -> int:
    return 3 if declared.name in ("datetime", "smalldatetime") else declared.scale


def _clock(ticks: str, digits: int) -> str:
    of_day = f"({ticks} % {TICKS_PER_DAY})"
    if digits == 3:
        # datetime's thirds of a second are shown rounded to milliseconds; datetime2(3) has none to round.
        of_day = f"({of_day} + 5000)"
    seconds = f"({of_day} // 10000000)"
    parts = (f"{seconds} // 3600", f"{seconds} // 60 % 60", f"{seconds} % 60")
    text = " || ':' || ".join(f"lpad(CAST({p} AS VARCHAR), 2, '0')" for p in parts)
    if not digits:
        return text
    fraction = f"lpad(CAST({of_day} % 10000000 // {10 ** (7 - digits)} AS VARCHAR), {digits}, '0')"
    return f"{text} || '.' || {fraction}"


def _zone(sql: str) -> str:
    minutes = f'abs({sql}."offset")'
    sign = f"CASE WHEN {sql}.\"offset\" < 0 THEN '-' ELSE '+' END"
    parts = " || ':' || ".join(f"lpad(CAST({p} AS VARCHAR), 2, '0')" for p in (f"{minutes} // 60", f"{minutes} % 60"))
    return f"{sign} || {parts}"

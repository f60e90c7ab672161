"""Functions on dates and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import TICKS_PER_DAY, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import INT, as_int, exactly
from sqlserver_sandbox.tsql.bind.bound import Bound, cast, computed, constant, raise_sql
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.datetimes import date_of, local_ticks
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import Name
from sqlserver_sandbox.tsql.types import DATETIMES
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.datetimes import MAX_TICKS
from sqlserver_sandbox.tsql.values.errors import overflow

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call, Expression

_PARTS = {
    "year": "year",
    "yy": "year",
    "yyyy": "year",
    "quarter": "quarter",
    "qq": "quarter",
    "q": "quarter",
    "month": "month",
    "mm": "month",
    "m": "month",
    "dayofyear": "dayofyear",
    "dy": "dayofyear",
    "y": "dayofyear",
    "day": "day",
    "dd": "day",
    "d": "day",
    "week": "week",
    "wk": "week",
    "ww": "week",
    "weekday": "weekday",
    "dw": "weekday",
    "w": "weekday",
    "hour": "hour",
    "hh": "hour",
    "minute": "minute",
    "mi": "minute",
    "n": "minute",
    "second": "second",
    "ss": "second",
    "s": "second",
    "millisecond": "millisecond",
    "ms": "millisecond",
    "microsecond": "microsecond",
    "mcs": "microsecond",
    "nanosecond": "nanosecond",
    "ns": "nanosecond",
}
_TICKS = {
    "day": TICKS_PER_DAY,
    "hour": 36_000_000_000,
    "minute": 600_000_000,
    "second": 10_000_000,
    "millisecond": 10_000,
    "microsecond": 10,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_CLOCK = ("hour", "minute", "second", "millisecond", "microsecond", "nanosecond")


def _part(node: Expression, function: str) -> str:
    if not isinstance(node, Name) or len(node.parts) != 1:
        raise SqlError(1023, f"Invalid parameter 1 specified for {function}.", class_=15)
    part = _PARTS.get(node.parts[0].lower())
    if part is None:
        if node.parts[0].lower() in ("iso_week", "isowk", "isoww", "tzoffset", "tz"):
            raise refused(f"{function}({node.parts[0]}, …)")
        raise SqlError(155, f"'{node.parts[0]}' is not a recognized {function} option.", class_=15)
    return part


def _now(declared: SqlType) -> Callable[[ExpressionBinder, Call], Bound]:
    """The statement's time: UTC, which is also the sandbox's local time."""

    def rule(binder: ExpressionBinder, node: Call) -> Bound:
        exactly(binder, node, 0)
        ticks = binder.context.facts.utc_ticks
        value = convert_value(ticks, SqlType("datetime2", scale=7), declared)
        return constant(value, declared)

    return rule


def _moment(bound: Bound, function: str) -> Bound:
    """The argument as a date or time; text becomes datetime2(7) here, which keeps every digit."""
    if bound.type.name in DATETIMES:
        return bound
    if bound.is_text:
        return convert(bound, SqlType("datetime2", scale=7), explicit=False)
    if bound.null_literal:
        return convert(bound, SqlType("datetime"))
    raise refused(f"{function} of {bound.type.name}")


def _datepart(binder: ExpressionBinder, node: Call) -> Bound:
    if len(node.args) != 2:
        raise SqlError(174, "The datepart function requires 2 argument(s).", class_=15, line=node.line)
    return _extract(_part(node.args[0], "datepart"), _moment(binder.bind(node.args[1]), "DATEPART"))


def _shorthand(part: str) -> Callable[[ExpressionBinder, Call], Bound]:
    def rule(binder: ExpressionBinder, node: Call) -> Bound:
        (value,) = exactly(binder, node, 1)
        return _extract(part, _moment(value, node.name.upper()))

    return rule


def _extract(part: str, value: Bound) -> Bound:
    if (value.type.name == "date" and part in _CLOCK) or (value.type.name == "time" and part not in _CLOCK):
        raise SqlError(
            9810, f"The datepart {part} is not supported by date function datepart for data type {value.type.name}."
        )
    ticks = local_ticks(value.sql, value.type)
    if part in _CLOCK:
        if value.type.name in ("datetime", "smalldatetime") and part == "millisecond":
            ticks = f"({ticks} + 5000)"
        elif value.type.name == "datetime" and part in ("microsecond", "nanosecond"):
            raise refused(f"DATEPART({part}, …) of datetime")
        within = f"({ticks} % {TICKS_PER_DAY})"
        text = {
            "hour": f"{within} // 36000000000",
            "minute": f"{within} // 600000000 % 60",
            "second": f"{within} // 10000000 % 60",
            "millisecond": f"{within} % 10000000 // 10000",
            "microsecond": f"{within} % 10000000 // 10",
            "nanosecond": f"{within} % 10000000 * 100",
        }[part]
        return computed(f"CAST({text} AS INTEGER)", INT, value)
    day = value.sql if value.type.name == "date" else date_of(ticks)
    if part == "week":
        # DATEFIRST is 7: a week begins on Sunday, and the first holds January 1.
        first = f"date_trunc('year', {day})"
        text = f"(dayofyear({day}) - 1 + dayofweek({first})) // 7 + 1"
    elif part == "weekday":
        text = f"dayofweek({day}) + 1"
    else:
        text = f"{part}({day})"
    return computed(f"CAST({text} AS INTEGER)", INT, value)


def _dateadd(binder: ExpressionBinder, node: Call) -> Bound:
    if len(node.args) != 3:
        raise SqlError(174, "The dateadd function requires 3 argument(s).", class_=15, line=node.line)
    part = _part(node.args[0], "dateadd")
    raw = binder.bind(node.args[1])
    # A decimal loses its fraction, by the rule for decimal to int.
    number = as_int(raw)
    value = binder.bind(node.args[2])
    if value.is_text or value.null_literal:
        value = convert(value, SqlType("datetime"), explicit=False)
    moment = _moment(value, "DATEADD")
    if moment.type.name == "time" or (moment.type.name == "date" and part in _CLOCK):
        raise SqlError(
            9810, f"The datepart {part} is not supported by date function dateadd for data type {moment.type.name}."
        )
    unit = {"dayofyear": "day", "weekday": "day"}.get(part, part)
    local = local_ticks(moment.sql, moment.type)
    if unit in _MONTHS:
        moved = (
            f"CAST(date_diff('day', DATE '0001-01-01', CAST({date_of(local)} +"
            f" to_months(CAST({number.sql} * {_MONTHS[unit]} AS INTEGER)) AS DATE)) AS BIGINT)"
        )
        added = f"({moved} * {TICKS_PER_DAY} + {local} % {TICKS_PER_DAY})"
    elif unit == "nanosecond":
        raise refused("DATEADD(nanosecond, …)")
    else:
        ticks = 7 * TICKS_PER_DAY if unit == "week" else _TICKS[unit]
        added = f"({local} + CAST({number.sql} AS BIGINT) * {ticks})"
    return _back(added, moment, number)


def _back(ticks: str, moment: Bound, number: Bound) -> Bound:
    """Local ticks back in the moment's own type; 517 past the end of its range."""
    declared = moment.type
    error = raise_sql(
        SqlError(517, f"Adding a value to a '{declared.name}' column caused an overflow."), SqlType("bigint")
    )
    safe = (
        f"CASE WHEN {ticks} >= 0 AND {ticks} < {MAX_TICKS} THEN {ticks} WHEN {ticks} IS NULL THEN NULL ELSE {error} END"
    )
    if declared.name == "datetimeoffset":
        text = f"{{'ticks': {safe} - CAST({moment.sql}.\"offset\" AS BIGINT) * 600000000, 'offset': {moment.sql}.\"offset\"}}"
        return computed(
            cast(f"CASE WHEN {moment.sql} IS NULL OR {number.sql} IS NULL THEN NULL ELSE {text} END", declared),
            declared,
            moment,
            number,
        )
    wide = Bound(f"({safe})", SqlType("datetime2", scale=7), moment.nullable or number.nullable)
    return convert(wide, declared)


def _datediff(binder: ExpressionBinder, node: Call) -> Bound:
    """Boundaries crossed between the two, in int (bigint for DATEDIFF_BIG)."""
    if len(node.args) != 3:
        raise SqlError(174, f"The {node.name} function requires 3 argument(s).", class_=15, line=node.line)
    part = _part(node.args[0], "datediff")
    start, end = (_moment(binder.bind(a), "DATEDIFF") for a in node.args[1:])
    target = SqlType("bigint") if node.name == "datediff_big" else INT
    a, b = (_utc(m) for m in (start, end))
    if part in ("year", "quarter", "month"):

        def months(t: str) -> str:
            return f"(CAST(year({date_of(t)}) AS BIGINT) * 12 + month({date_of(t)}) - 1)"

        unit = _MONTHS[part]
        text = f"({months(b)} // {unit} - {months(a)} // {unit})"
    elif part == "week":
        # 0001-01-01 was a Monday: one day on, weeks begin on Sunday.
        text = f"(({b} // {TICKS_PER_DAY} + 1) // 7 - ({a} // {TICKS_PER_DAY} + 1) // 7)"
    elif part == "nanosecond":
        text = f"(({b} - {a}) * 100)"
    else:
        unit = _TICKS[{"dayofyear": "day", "weekday": "day"}.get(part, part)]
        text = f"({b} // {unit} - {a} // {unit})"
    if target.name == "bigint":
        return computed(text, target, start, end)
    error = raise_sql(
        SqlError(
            535,
            "The datediff function resulted in an overflow. The number of dateparts"
            " separating two date/time instances is too large."
            " Try to use datediff with a less precise datepart.",
        ),
        INT,
    )
    sql = (
        f"CASE WHEN {text} BETWEEN -2147483648 AND 2147483647 THEN CAST({text} AS INTEGER)"
        f" WHEN {text} IS NULL THEN NULL ELSE {error} END"
    )
    return computed(sql, INT, start, end)


def _utc(moment: Bound) -> str:
    return f"{moment.sql}.ticks" if moment.type.name == "datetimeoffset" else local_ticks(moment.sql, moment.type)


def _datefromparts(binder: ExpressionBinder, node: Call) -> Bound:
    parts = [as_int(p) for p in exactly(binder, node, 3)]
    year, month, day = (p.sql for p in parts)
    target = SqlType("date")
    bad = raise_sql(
        SqlError(289, "Cannot construct data type date, some of the arguments have values which are not valid."), target
    )
    text = f"TRY_CAST(lpad(CAST({year} AS VARCHAR), 4, '0') || '-' || {month} || '-' || {day} AS DATE)"
    valid = f"{year} BETWEEN 1 AND 9999 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {text} IS NOT NULL"
    missing = " OR ".join(f"{p.sql} IS NULL" for p in parts)
    return computed(f"CASE WHEN {missing} THEN NULL WHEN {valid} THEN {text} ELSE {bad} END", target, *parts)


def _eomonth(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 1, 2)
    target = SqlType("date")
    day = convert(_moment(args[0], "EOMONTH"), target)
    months = as_int(args[1]) if len(args) == 2 else constant(0, INT)
    moved = f"last_day(CAST({day.sql} + to_months({months.sql}) AS DATE))"
    error = raise_sql(overflow("expression", target), target)
    return computed(
        f"CASE WHEN year({moved}) BETWEEN 1 AND 9999 THEN {moved} WHEN {moved} IS NULL THEN NULL ELSE {error} END",
        target,
        day,
        months,
    )


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "sysutcdatetime": _now(SqlType("datetime2", scale=7)),
    "sysdatetime": _now(SqlType("datetime2", scale=7)),
    "getdate": _now(SqlType("datetime")),
    "getutcdate": _now(SqlType("datetime")),
    "current_timestamp": _now(SqlType("datetime")),
    "dateadd": _dateadd,
    "datediff": _datediff,
    "datediff_big": _datediff,
    "datepart": _datepart,
    "year": _shorthand("year"),
    "month": _shorthand("month"),
    "day": _shorthand("day"),
    "datefromparts": _datefromparts,
    "eomonth": _eomonth,
}

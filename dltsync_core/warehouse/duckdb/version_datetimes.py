"""SQL over the moments of a history, whatever DuckDB type holds them: as nanoseconds since 1970 in HUGEINT, and back.

HUGEINT holds every type's full range, and nothing is rounded. Text is the server's own (`tsql.values`): one width for every value
of a column, with an offset in all of them or in none.
"""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.duckdb import sql as q

TEXT = "VARCHAR"
NANOS_PER_STEP = {
    "DATE": 86_400_000_000_000,
    "TIMESTAMP_S": 1_000_000_000,
    "TIMESTAMP_MS": 1_000_000,
    "TIMESTAMP": 1_000,
    "TIMESTAMP WITH TIME ZONE": 1_000,
    "TIMESTAMP_NS": 1,
}
"""The smallest difference that each type can express."""

_NANOSECOND_DIGITS = 9
_SECOND = 10**_NANOSECOND_DIGITS
_NANOS_PER_MINUTE = 60 * _SECOND
_TO_THE_SECOND = 19
"""Characters of `yyyy-mm-dd hh:mm:ss`."""
_OFFSET = r"[+-]\d\d:\d\d$"
_OFFSET_CHARACTERS = 6
_MOMENT = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,7})?( ?[+-]\d\d:\d\d)?"


@dataclass(frozen=True)
class TextForm:
    """How a column of text writes its moments: digits of a second, a T between date and time, an offset."""

    digits: int = 0
    with_t: bool = False
    with_offset: bool = False

    @property
    def nanos_per_step(self) -> int:
        return int(10 ** (_NANOSECOND_DIGITS - self.digits))


FINEST_TEXT = TextForm(digits=7)
"""datetime2(7): what a column of text has room for when none of its values shows how it writes them."""


def nanos(expression: str, kind: str) -> str:
    """The moment as nanoseconds since 1970, of text with an offset in UTC; NULL for NULL."""
    if kind == "TIMESTAMP_NS":
        return f"CAST(epoch_ns({expression}) AS HUGEINT)"
    if kind == TEXT:
        return f"({_seconds(expression)} + {_fraction(expression)} - {_offset(expression)})"
    return f"CAST(epoch_us(CAST({expression} AS TIMESTAMP)) AS HUGEINT) * 1000"


def moment(value: str, kind: str, form: TextForm) -> str:
    """The moment from nanoseconds since 1970, in the column's type. Text with an offset is written in UTC."""
    if kind == "TIMESTAMP_NS":
        return f"make_timestamp_ns(CAST({value} AS BIGINT))"
    if kind == TEXT:
        return _written(value, form)
    return f"CAST(make_timestamp(CAST({value} // 1000 AS BIGINT)) AS {kind})"


def text_form(relation: str, column: str) -> str:
    """One row: a text that is no moment of the server (NULL when there is none), how many texts there are, the digits, whether
    there is a T, and an offset."""
    name = q.identifier(column)
    digits = f"max(length(regexp_extract({name}, '\\.(\\d+)', 1)))"
    return (
        f"SELECT min({name}) FILTER (NOT regexp_full_match({name}, {q.text(_MOMENT)})), count({name}), coalesce({digits}, 0), "
        f"coalesce(bool_or(substr({name}, 11, 1) = 'T'), FALSE), "
        f"coalesce(bool_or(regexp_matches({name}, {q.text(_OFFSET)})), FALSE) FROM {relation}"
    )


def _seconds(text: str) -> str:
    return f"CAST(epoch_us(CAST(substr({text}, 1, {_TO_THE_SECOND}) AS TIMESTAMP)) AS HUGEINT) * 1000"


def _fraction(text: str) -> str:
    digits = f"regexp_extract({text}, '\\.(\\d+)', 1)"
    return f"CAST(rpad({digits}, {_NANOSECOND_DIGITS}, '0') AS HUGEINT)"


def _offset(text: str) -> str:
    """Nanoseconds that the local time is ahead of UTC."""
    zone = f"right({text}, {_OFFSET_CHARACTERS})"
    minutes = f"CAST(substr({zone}, 2, 2) AS HUGEINT) * 60 + CAST(substr({zone}, 5, 2) AS HUGEINT)"
    signed = f"CASE WHEN substr({zone}, 1, 1) = '-' THEN -1 ELSE 1 END * ({minutes}) * {_NANOS_PER_MINUTE}"
    return f"CASE WHEN regexp_matches({text}, {q.text(_OFFSET)}) THEN {signed} ELSE 0 END"


def _written(value: str, form: TextForm) -> str:
    # What remains of a moment before 1970 is negative in DuckDB.
    rest = f"((({value}) % {_SECOND} + {_SECOND}) % {_SECOND})"
    whole = f"CAST(make_timestamp(CAST((({value}) - {rest}) // 1000 AS BIGINT)) AS VARCHAR)"
    parts = [f"replace({whole}, ' ', 'T')" if form.with_t else whole]
    if form.digits:
        digits = f"'.' || substr(lpad(CAST({rest} AS VARCHAR), {_NANOSECOND_DIGITS}, '0'), 1, {form.digits})"
        # The server leaves a fraction of zeros out where it writes a T (style 126).
        parts.append(f"CASE WHEN {rest} = 0 THEN '' ELSE {digits} END" if form.with_t else digits)
    if form.with_offset:
        parts.append("'+00:00'")
    return " || ".join(f"({part})" for part in parts)

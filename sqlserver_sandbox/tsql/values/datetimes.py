"""Dates and times: text to ticks, ticks to text, and from one type to another.

Inside, every value is a `Moment`: 100 ns ticks of local time since 0001-01-01 and an offset in minutes.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from sqlserver_sandbox.model import TICKS_PER_DAY, TICKS_PER_SECOND, SqlError, SqlType
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values import errors

DAY_1900 = date(1900, 1, 1).toordinal() - 1
DAY_1753 = date(1753, 1, 1).toordinal() - 1
MAX_TICKS = date(9999, 12, 31).toordinal() * TICKS_PER_DAY
TICKS_1900 = DAY_1900 * TICKS_PER_DAY
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
DATETIME_UNITS_PER_DAY = 300 * 86_400
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Moment(NamedTuple):
    local: int
    offset: int = 0


def to_moment(value: object, source: SqlType) -> Moment:
    """A stored value of any date or time type."""
    if isinstance(value, date):
        return Moment((value.toordinal() - 1) * TICKS_PER_DAY)
    if isinstance(value, tuple):
        return Moment(value[0] + value[1] * TICKS_PER_MINUTE, value[1])
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} is no stored {source.name}")
    if source.name == "datetime":
        return Moment(TICKS_1900 + datetime_to_ticks(value))
    if source.name == "smalldatetime":
        return Moment(TICKS_1900 + value * TICKS_PER_MINUTE)
    if source.name == "time":
        return Moment(TICKS_1900 + value)
    return Moment(value)


def datetime_to_ticks(units: int) -> int:
    """1/300 s to 100 ns, rounded to nearest: compatibility level 130 and later show .0033333 and .0066667."""
    return (units * 100_000 * 2 + 3) // 6


def ticks_to_datetime(ticks: int) -> int:
    """100 ns to 1/300 s, halves up: .995 becomes .997 ('datetime', rounding of fractional second precision)."""
    return (ticks * 6 + 100_000) // 200_000


def from_moment(moment: Moment, source: SqlType, target: SqlType) -> object:
    """The stored value of `target`; 242 or 517 when it is out of that type's range."""
    local = moment.local
    if target.name == "date":
        return date.fromordinal(local // TICKS_PER_DAY + 1)
    if target.name == "time":
        return _rounded_time(local % TICKS_PER_DAY, target.scale)
    if target.name == "datetimeoffset":
        rounded = round_ticks(local, target.scale, target)
        return (rounded - moment.offset * TICKS_PER_MINUTE, moment.offset)
    if target.name == "datetime2":
        return round_ticks(local, target.scale, target)
    if target.name == "datetime":
        return _to_datetime(local, source, target)
    return _to_smalldatetime(local, source, target)


def _to_datetime(local: int, source: SqlType, target: SqlType) -> int:
    units = ticks_to_datetime(local - TICKS_1900)
    if local < DAY_1753 * TICKS_PER_DAY or units >= (MAX_TICKS - TICKS_1900) // TICKS_PER_DAY * DATETIME_UNITS_PER_DAY:
        raise errors.date_out_of_range(source, target)
    return units


def _to_smalldatetime(local: int, source: SqlType, target: SqlType) -> int:
    # 29.998 s and below round down, 29.999 s and above up ('smalldatetime'): the seconds are rounded to milliseconds first.
    minutes = (local - TICKS_1900 + 10_000 + TICKS_PER_MINUTE // 2) // TICKS_PER_MINUTE
    if not 0 <= minutes <= 65535 * 1440 + 1439:
        raise errors.date_out_of_range(source, target)
    return minutes


def round_ticks(ticks: int, scale: int, target: SqlType) -> int:
    unit = int(10 ** (7 - scale))
    rounded: int = (ticks + unit // 2) // unit * unit
    if rounded >= MAX_TICKS:
        raise refused(f"rounding past the end of {target.name}")
    return rounded


def _rounded_time(ticks: int, scale: int) -> int:
    unit = int(10 ** (7 - scale))
    rounded: int = (ticks + unit // 2) // unit * unit
    if rounded >= TICKS_PER_DAY:
        raise refused("rounding a time past midnight")
    return rounded


# ---- from text ---------------------------------------------------------------------------------------------------
_TIME = r"(?P<h>\d{1,2}):(?P<mi>\d{1,2})(?::(?P<s>\d{1,2})(?:\.(?P<f>\d{1,9}))?)?(?:[ ]*(?P<ap>[AaPp][Mm]))?"
_ZONE = r"(?:[ ]*(?P<z>[Zz]|[+-]\d{1,2}:\d{2}))?"
_DATES = (
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",
    r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
    r"(?P<mon>[A-Za-z]{3,9})[ ]+(?P<d>\d{1,2}),?[ ]+(?P<y>\d{4})",
    r"(?P<d>\d{1,2})[ ]+(?P<mon>[A-Za-z]{3,9}),?[ ]+(?P<y>\d{4})",
)
_DEFAULT = tuple(re.compile(rf"[ ]*{d}(?:(?:[ ]+|T){_TIME}{_ZONE})?[ ]*") for d in _DATES)
_TIME_ONLY = re.compile(rf"[ ]*{_TIME}{_ZONE}[ ]*")
_STYLED = {
    101: re.compile(rf"[ ]*{_DATES[3]}(?:[ ]+{_TIME})?[ ]*"),
    103: re.compile(rf"[ ]*(?P<d>\d{{1,2}})/(?P<m>\d{{1,2}})/(?P<y>\d{{4}})(?:[ ]+{_TIME})?[ ]*"),
    104: re.compile(rf"[ ]*(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>\d{{4}})(?:[ ]+{_TIME})?[ ]*"),
    112: re.compile(rf"[ ]*{_DATES[1]}(?:[ ]+{_TIME})?[ ]*"),
    23: re.compile(rf"[ ]*{_DATES[0]}(?:[ ]+{_TIME})?[ ]*"),
    120: re.compile(rf"[ ]*{_DATES[0]}(?:[ ]+{_TIME}{_ZONE})?[ ]*"),
    121: re.compile(rf"[ ]*{_DATES[0]}(?:[ ]+{_TIME}{_ZONE})?[ ]*"),
    126: re.compile(rf"[ ]*{_DATES[0]}(?:T{_TIME}{_ZONE})?[ ]*"),
    127: re.compile(rf"[ ]*{_DATES[0]}(?:T{_TIME}{_ZONE})?[ ]*"),
}
_ALIASES = {20: 120, 21: 121, 25: 121}


def parse_datetime(text: str, source: SqlType, target: SqlType, style: int | None) -> object:
    """Text as a date or time, read as us_english (month, day, year). 241 for text in no listed format."""
    moment = _parse(text, target, style)
    if target.name in ("datetime", "smalldatetime") and target.name == "datetime":
        return _to_datetime(moment.local, source, target)
    return from_moment(moment, source, target)


def _parse(text: str, target: SqlType, style: int | None) -> Moment:
    if not text.strip(" "):
        return Moment(TICKS_1900)
    if style in (None, 0):
        patterns: tuple[re.Pattern[str], ...] = (*_DEFAULT, _TIME_ONLY)
    else:
        styled = _STYLED.get(_ALIASES.get(style or 0, style or 0))
        if styled is None:
            raise refused(f"reading dates with style {style}")
        patterns = (styled,)
    for pattern in patterns:
        match = pattern.fullmatch(text)
        if match is not None:
            return _moment(match.groupdict(), target)
    raise errors.bad_date()


def _moment(found: dict[str, str | None], target: SqlType) -> Moment:
    legacy = target.name in ("datetime", "smalldatetime")
    days = _days(found) if found.get("y") else DAY_1900
    ticks = _time_ticks(found, legacy) if found.get("h") else 0
    zone = found.get("z")
    if zone and legacy and zone not in "Zz":
        raise errors.bad_date()
    offset = 0 if zone in (None, "z", "Z") else _offset(zone)
    return Moment(days * TICKS_PER_DAY + ticks, offset)


def _days(found: dict[str, str | None]) -> int:
    month = _month(found["mon"]) if found.get("mon") else int(found["m"] or 0)
    try:
        return date(int(found["y"] or 0), month, int(found["d"] or 0)).toordinal() - 1
    except ValueError:
        raise errors.bad_date() from None


def _month(name: str | None) -> int:
    full = (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )
    word = (name or "").capitalize()
    for number, (short, long) in enumerate(zip(MONTHS, full, strict=True), 1):
        if word in (short, long):
            return number
    raise errors.bad_date()


def _time_ticks(found: dict[str, str | None], legacy: bool) -> int:
    hour, minute, second = int(found["h"] or 0), int(found["mi"] or 0), int(found.get("s") or 0)
    fraction, half = found.get("f") or "", (found.get("ap") or "").upper()
    if len(fraction) > (3 if legacy else 7):
        raise errors.bad_date()
    if half:
        if not 1 <= hour <= 12:
            raise errors.bad_date()
        hour = hour % 12 + (12 if half == "PM" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise errors.bad_date()
    return (hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + int(fraction.ljust(7, "0") or 0)


def _offset(zone: str) -> int:
    hours, minutes = zone[1:].split(":")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > 14 * 60:
        raise errors.bad_date()
    return -total if zone[0] == "-" else total


# ---- to text -----------------------------------------------------------------------------------------------------
def datetime_text(value: object, source: SqlType, style: int | None) -> str:
    """The value in a CONVERT style; None is what CAST gives. 281 or the refusal for other styles."""
    if style is None:
        style = 0 if source.name in ("datetime", "smalldatetime") else 121
    rule = _FORMATS.get(style)
    if rule is None:
        raise refused(f"date style {style}")
    return rule(to_moment(value, source), source)


def _date(moment: Moment) -> date:
    return date.fromordinal(moment.local // TICKS_PER_DAY + 1)


def _clock(moment: Moment) -> tuple[int, int, int, int]:
    seconds, fraction = divmod(moment.local % TICKS_PER_DAY, TICKS_PER_SECOND)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, fraction


def _hms(moment: Moment) -> str:
    hour, minute, second, _ = _clock(moment)
    return f"{hour:02}:{minute:02}:{second:02}"


def _fraction(moment: Moment, source: SqlType) -> str:
    ticks = _clock(moment)[3]
    if source.name in ("datetime", "smalldatetime"):
        # .003 and .007 as shown; the third is .000. Rounding the true third of a second gives the same.
        return f".{(ticks + 5000) // 10_000:03}"
    return f".{ticks:07}"[: source.scale + 1] if source.scale else ""


def _zone(moment: Moment) -> str:
    hours, minutes = divmod(abs(moment.offset), 60)
    return f"{'-' if moment.offset < 0 else '+'}{hours:02}:{minutes:02}"


def _style_0(moment: Moment, source: SqlType) -> str:
    day, (hour, minute, _, _) = _date(moment), _clock(moment)
    front = f"{MONTHS[day.month - 1]} {day.day:2} {day.year:04}"
    back = f"{(hour + 11) % 12 + 1:2}:{minute:02}{'PM' if hour >= 12 else 'AM'}"
    if source.name == "date":
        return front
    if source.name == "time":
        return back
    return f"{front} {back}" + (f" {_zone(moment)}" if source.name == "datetimeoffset" else "")


def _style_23(moment: Moment, source: SqlType) -> str:
    if source.name == "time":
        raise SqlError(8114, "Error converting data type time to varchar.")
    return _date(moment).isoformat()


def _style_112(moment: Moment, source: SqlType) -> str:
    return _style_23(moment, source).replace("-", "")


def _style_101(moment: Moment, source: SqlType) -> str:
    text = _style_23(moment, source)
    return f"{text[5:7]}/{text[8:]}/{text[:4]}"


def _style_103(moment: Moment, source: SqlType) -> str:
    text = _style_23(moment, source)
    return f"{text[8:]}/{text[5:7]}/{text[:4]}"


def _style_108(moment: Moment, source: SqlType) -> str:
    if source.name == "date":
        raise SqlError(8114, "Error converting data type date to varchar.")
    return _hms(moment)


def _style_120(moment: Moment, source: SqlType) -> str:
    if source.name == "date":
        return _style_23(moment, source)
    if source.name == "time":
        return _hms(moment)
    zone = f" {_zone(moment)}" if source.name == "datetimeoffset" else ""
    return f"{_date(moment).isoformat()} {_hms(moment)}{zone}"


def _style_121(moment: Moment, source: SqlType) -> str:
    if source.name == "date":
        return _style_23(moment, source)
    clock = _hms(moment) + _fraction(moment, source)
    if source.name == "time":
        return clock
    zone = f" {_zone(moment)}" if source.name == "datetimeoffset" else ""
    return f"{_date(moment).isoformat()} {clock}{zone}"


def _style_126(moment: Moment, source: SqlType) -> str:
    if source.name == "date":
        return _style_23(moment, source)
    fraction = _fraction(moment, source)
    if not fraction.strip(".0"):
        if source.scale:
            raise refused(f"style 126 on a {source.name} without a fraction (use 121)")
        fraction = ""
    if source.name == "time":
        return _hms(moment) + fraction
    zone = _zone(moment) if source.name == "datetimeoffset" else ""
    return f"{_date(moment).isoformat()}T{_hms(moment)}{fraction}{zone}"


def _style_127(moment: Moment, source: SqlType) -> str:
    """ISO 8601 with Z: an offset is converted to UTC; the other types are written as by 126."""
    if source.name != "datetimeoffset":
        return _style_126(moment, source)
    utc = Moment(moment.local - moment.offset * TICKS_PER_MINUTE)
    return _style_126(utc, SqlType("datetime2", scale=source.scale)) + "Z"


_FORMATS = {
    0: _style_0,
    100: _style_0,
    101: _style_101,
    103: _style_103,
    8: _style_108,
    108: _style_108,
    24: _style_108,
    112: _style_112,
    23: _style_23,
    20: _style_120,
    120: _style_120,
    21: _style_121,
    25: _style_121,
    121: _style_121,
    126: _style_126,
    127: _style_127,
}


STYLES = frozenset({*_FORMATS, *_STYLED})
"""Every style that is written or read."""

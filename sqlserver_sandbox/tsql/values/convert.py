"""CAST and CONVERT, one value at a time: the table of what converts to what."""

from __future__ import annotations

from sqlserver_sandbox.model import TICKS_PER_DAY, SqlError, SqlType
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, DATETIMES, INT_RANGE, INTEGERS, NUMBERS, STRINGS, describe
from sqlserver_sandbox.tsql.values import datetimes, errors, numbers, texts

_BYTES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}


def family(declared: SqlType) -> str:
    """number, text, bytes, moment, guid or xml."""
    for name, members in (("number", NUMBERS), ("text", STRINGS), ("bytes", BINARIES), ("moment", DATETIMES)):
        if declared.name in members:
            return name
    return {"uniqueidentifier": "guid", "xml": "xml"}.get(declared.name, declared.name)


ALLOWED = {
    ("number", "number"),
    ("number", "text"),
    ("number", "bytes"),
    ("text", "number"),
    ("text", "text"),
    ("text", "bytes"),
    ("text", "moment"),
    ("text", "guid"),
    ("text", "xml"),
    ("bytes", "bytes"),
    ("bytes", "text"),
    ("bytes", "number"),
    ("bytes", "guid"),
    ("moment", "moment"),
    ("moment", "text"),
    ("number", "moment"),
    ("guid", "text"),
    ("guid", "bytes"),
    ("guid", "guid"),
    ("xml", "text"),
    ("xml", "xml"),
}
"""Families whose conversion is on the list; within them `check_allowed` refuses the pairs that are not."""


def check_allowed(source: SqlType, target: SqlType, *, explicit: bool = True) -> None:
    """529 (explicit) or 206/257 (implicit) when SQL Server has no such conversion, the refusal when the sandbox has not."""
    pair = (family(source), family(target))
    if pair == ("text", "bytes") and not explicit:
        raise SqlError(
            257,
            f"Implicit conversion from data type {source.name} to {target.name} is not"
            " allowed. Use the CONVERT function to run this query.",
        )
    if pair not in ALLOWED:
        if "guid" in pair and ("number" in pair or "moment" in pair):
            raise _no_such(source, target, explicit)
        raise refused(f"converting {describe(source)} to {describe(target)}")
    if source.name in ("float", "real", "decimal", "numeric", "money", "smallmoney") and pair[1] in ("bytes", "moment"):
        raise refused(f"converting {describe(source)} to {describe(target)}")
    if pair == ("number", "moment") and (
        target.name not in ("datetime", "smalldatetime") or source.name not in INTEGERS
    ):
        raise _no_such(source, target, explicit)
    if pair == ("bytes", "number") and target.name not in (*INTEGERS, "bit"):
        raise refused(f"converting {describe(source)} to {describe(target)}")
    if {source.name, target.name} in ({"date", "time"},):
        raise _no_such(source, target, explicit)


def _no_such(source: SqlType, target: SqlType, explicit: bool) -> SqlError:
    if explicit:
        return SqlError(529, f"Explicit conversion from data type {source.name} to {target.name} is not allowed.")
    return SqlError(206, f"Operand type clash: {source.name} is incompatible with {target.name}")


def convert_value(value: object, source: SqlType, target: SqlType, style: int | None = None) -> object:
    """`value` of type `source` as `target`, or the SqlError SQL Server raises. `check_allowed` has passed."""
    return _RULES[family(target)](value, source, target, style)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} is no bytes")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} is no whole number")
    return int(value)


def _to_number(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    kind = family(source)
    if kind == "text":
        return numbers.parse_number(_text(value), source, target)
    if kind == "bytes":
        return _int_from_bytes(_bytes(value), target)
    return numbers.to_number(value, source, target)


def _int_from_bytes(data: bytes, target: SqlType) -> object:
    if target.name == "bit":
        return any(data)
    low, _ = INT_RANGE[target.name]
    width = _BYTES[target.name]
    return int.from_bytes(data[-width:].rjust(width, b"\0"), "big", signed=low < 0)


def _to_text(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    kind = family(source)
    if kind == "number":
        return texts.fit_number_text(numbers.number_text(value, source, style), source, target)
    if kind == "moment":
        return texts.fit_text(datetimes.datetime_text(value, source, style), target)
    if kind == "bytes":
        return _bytes_text(_bytes(value), target, style or 0)
    if kind == "guid" and target.length < 36 and target.length > 0:
        raise SqlError(8170, "Insufficient result space to convert uniqueidentifier value to char.")
    return texts.fit_text(_text(value), target)


def _bytes_text(data: bytes, target: SqlType, style: int) -> str:
    if style == 0:
        return texts.fit_text(texts.decode_text(data, target), target)
    if style not in (1, 2):
        raise refused(f"binary style {style}")
    return texts.fit_text(("0x" if style == 1 else "") + data.hex().upper(), target)


def _to_bytes(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    if isinstance(value, bytes):
        return texts.fit_bytes(value, target)
    if source.name == "uniqueidentifier":
        return texts.fit_bytes(texts.guid_bytes(str(value)), target)
    if isinstance(value, str):
        if style in (1, 2):
            return texts.fit_bytes(texts.parse_hex(value, source, target, style or 0), target)
        if style not in (None, 0):
            raise refused(f"binary style {style}")
        return texts.fit_bytes(texts.encode_text(value, source), target)
    number = _whole(value)
    return texts.fit_number_bytes(number.to_bytes(_BYTES[source.name], "big", signed=number < 0), target)


def _to_moment(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    if isinstance(value, str):
        return datetimes.parse_datetime(value, source, target, style)
    if family(source) == "number":
        ticks = datetimes.TICKS_1900 + _whole(value) * TICKS_PER_DAY
        if not 0 <= ticks < datetimes.MAX_TICKS:
            raise errors.overflow("expression", target)
        return datetimes.from_moment(datetimes.Moment(ticks), source, target)
    return datetimes.from_moment(datetimes.to_moment(value, source), source, target)


def _to_guid(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    if isinstance(value, bytes):
        return texts.guid_from_bytes(value)
    return value if source.name == "uniqueidentifier" else texts.parse_guid(_text(value))


def _to_xml(value: object, source: SqlType, target: SqlType, style: int | None) -> object:
    return value


_RULES = {
    "number": _to_number,
    "text": _to_text,
    "bytes": _to_bytes,
    "moment": _to_moment,
    "guid": _to_guid,
    "xml": _to_xml,
}

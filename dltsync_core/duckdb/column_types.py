"""The DuckDB type of an Arrow column, the dlt hint for exactly that type, and the type that holds every value of two others.

A warehouse column is only ever widened, never narrowed.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from dltsync_core.errors import UnsupportedColumn
from dltsync_core.typemap.uuids import is_uuid

_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_TIMESTAMPS = {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}
_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}


def duckdb_type(arrow_type: pa.DataType) -> str:
    """The DuckDB type, as its catalogue writes it. Raises UnsupportedColumn for types no source column is mapped to."""
    return _described(arrow_type)[0]


def hints_of(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """A complete dlt hint for every column, in order.

    Nothing is left to dlt's guesses: a naive timestamp without `timezone: False` would become one with a time zone, and
    the file would be rewritten.
    """
    return {
        field.name: {"name": field.name, **_described(field.type)[1], "nullable": field.nullable} for field in schema
    }


def _described(arrow_type: pa.DataType) -> tuple[str, dict[str, Any]]:
    kinds = pa.types
    if kinds.is_boolean(arrow_type):
        return "BOOLEAN", {"data_type": "bool"}
    if kinds.is_signed_integer(arrow_type):
        return _INTEGERS[arrow_type.bit_width], {"data_type": "bigint", "precision": arrow_type.bit_width}
    if kinds.is_decimal(arrow_type):
        precision, scale = arrow_type.precision, arrow_type.scale
        return f"DECIMAL({precision},{scale})", {"data_type": "decimal", "precision": precision, "scale": scale}
    if kinds.is_float32(arrow_type) or kinds.is_float64(arrow_type):
        return "DOUBLE", {"data_type": "double"}
    if kinds.is_date32(arrow_type):
        return "DATE", {"data_type": "date"}
    if kinds.is_time64(arrow_type) and arrow_type.unit == "us":
        return "TIME", {"data_type": "time", "precision": 6}
    if kinds.is_timestamp(arrow_type):
        digits = _DIGITS[arrow_type.unit]
        if arrow_type.tz is not None:
            return "TIMESTAMP WITH TIME ZONE", {"data_type": "timestamp", "timezone": True, "precision": 6}
        return _TIMESTAMPS[arrow_type.unit], {"data_type": "timestamp", "timezone": False, "precision": digits}
    if is_uuid(arrow_type):
        return "UUID", {"data_type": "text"}  # dlt knows no UUID; it hands the file on as it is
    if kinds.is_string(arrow_type) or kinds.is_large_string(arrow_type):
        return "VARCHAR", {"data_type": "text"}
    if kinds.is_binary(arrow_type) or kinds.is_large_binary(arrow_type) or kinds.is_fixed_size_binary(arrow_type):
        return "BLOB", {"data_type": "binary"}
    raise UnsupportedColumn(f"the warehouse has no exact type for Arrow {arrow_type}")


MAX_DIGITS = 38
"""Digits of DuckDB's widest DECIMAL."""

_INTEGERS_BY_WIDTH = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_MOMENTS = ("DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS")
"""From coarse to fine: a day is its midnight. TIMESTAMP_NS has a smaller range than the others: DuckDB checks whether the
present values fit."""

_FLOATS = ("FLOAT", "DOUBLE")

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def widest(held: str, wanted: str) -> str | None:
    """The narrowest type that holds both exactly; None when there is none, or values would change their text.

    Integers and decimals are one family, dates and moments without time zone another. Text, bytes, UUIDs, booleans,
    floats and times of day only fit themselves: as text a number would be spelt anew, and as a float it would not be exact.
    """
    if held == wanted:
        return held
    for family in (_INTEGERS_BY_WIDTH, _MOMENTS):
        if held in family and wanted in family:
            return family[max(family.index(held), family.index(wanted))]
    one, other = digits_of(held), digits_of(wanted)
    if one is None or other is None:
        return None
    whole, fraction = max(one[0], other[0]), max(one[1], other[1])
    return f"DECIMAL({whole + fraction},{fraction})" if whole + fraction <= MAX_DIGITS else None


def same_family(held: str, wanted: str) -> bool:
    """Whether a column of one type is compared with a column of the other by value: exact numbers, dates and times, floats, or
    the same type. Another program may have given a column any other type than `wanted`."""
    families = (_MOMENTS, _FLOATS)
    return (
        held == wanted
        or any(held in family and wanted in family for family in families)
        or (digits_of(held) is not None and digits_of(wanted) is not None)
    )


def digits_of(kind: str) -> tuple[int, int] | None:
    """Digits of an exact number before and after the point; None for another type."""
    if kind in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[kind], 0
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else None

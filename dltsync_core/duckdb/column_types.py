"""The DuckDB type of an Arrow column, and the dlt hint for exactly that type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dltsync_core.errors import UnsupportedColumn

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
    if kinds.is_string(arrow_type) or kinds.is_large_string(arrow_type):
        return "VARCHAR", {"data_type": "text"}
    if kinds.is_binary(arrow_type) or kinds.is_large_binary(arrow_type) or kinds.is_fixed_size_binary(arrow_type):
        return "BLOB", {"data_type": "binary"}
    raise UnsupportedColumn(f"the warehouse has no exact type for Arrow {arrow_type}")

"""Storage values as DuckDB literals, as Arrow scalars, and as text that JSON can keep."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.types import BINARIES, DECIMALS, FLOATS, MONEY, MONEY_DIGITS, duck_type
from sqlserver_sandbox.tsql.values.numbers import quantize

OFFSET_STRUCT = pa.struct([pa.field("ticks", pa.int64()), pa.field("offset", pa.int16())])

_ARROW: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float64(),
    "real": pa.float32(),
    "date": pa.date32(),
    "time": pa.int64(),
    "datetime2": pa.int64(),
    "datetime": pa.int64(),
    "smalldatetime": pa.int64(),
    "datetimeoffset": OFFSET_STRUCT,
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    "binary": pa.binary(),
    "varbinary": pa.binary(),
    "image": pa.binary(),
    "rowversion": pa.binary(),
}

_WHOLE = (pa.uint8(), pa.int16(), pa.int32(), pa.int64())


def arrow_type(declared: SqlType) -> pa.DataType:
    """The Arrow form of `model`."""
    if declared.name in DECIMALS:
        return pa.decimal128(declared.precision, declared.scale)
    return _ARROW.get(declared.name, pa.string())


def from_arrow(array: Any, declared: SqlType) -> object:
    """The first element of an array in its declared Arrow form, as a storage value; None for NULL."""
    value = array[0].as_py()
    if value is not None and declared.name == "datetimeoffset":
        return (value["ticks"], value["offset"])
    return value


def to_python(value: object) -> object:
    """A storage value as pyarrow and DuckDB take it."""
    return {"ticks": value[0], "offset": value[1]} if isinstance(value, tuple) else value


def text_literal(text: str) -> str:
    """A DuckDB string literal; NUL characters are spliced in, the parser takes none."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else "(" + " || chr(0) || ".join(pieces) + ")"


def literal(value: object, declared: SqlType) -> str:
    """`value` as DuckDB text of exactly the storage type."""
    if value is None:
        return f"CAST(NULL AS {duck_type(declared)})"
    if isinstance(value, bytes):
        return f"unhex('{value.hex()}')"
    if isinstance(value, tuple):
        return f"CAST({{'ticks': {value[0]}, 'offset': {value[1]}}} AS {duck_type(declared)})"
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS {duck_type(declared)})"
    if isinstance(value, Decimal):
        return f"CAST('{value:f}' AS {duck_type(declared)})"
    return f"CAST({str(value).lower()} AS {duck_type(declared)})"


def encode_value(value: object) -> Any:
    """A storage value as JSON keeps it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else value


def decode_value(encoded: Any, declared: SqlType) -> object:
    """The inverse of `encode_value` for a value of that type."""
    if encoded is None:
        return None
    if declared.name in BINARIES:
        return bytes.fromhex(encoded)
    if declared.name == "datetimeoffset":
        ticks, offset = encoded.split(":")
        return (int(ticks), int(offset))
    if declared.name in DECIMALS or declared.name in MONEY:
        return quantize(Decimal(encoded), _scale(declared))
    if declared.name in FLOATS:
        return float(encoded)
    return date.fromisoformat(encoded) if declared.name == "date" else encoded


def decode_text(text: str, declared: SqlType) -> object:
    """The value of that type whose `encode_value` has this text."""
    if declared.name == "bit":
        return text == "true"
    if arrow_type(declared) in _WHOLE:
        return int(text)
    return decode_value(text, declared)


def _scale(declared: SqlType) -> int:
    return MONEY_DIGITS[declared.name][1] if declared.name in MONEY else declared.scale

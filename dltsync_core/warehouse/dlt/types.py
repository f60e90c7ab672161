"""The types in which a destination of dlt holds the lake's columns, what a column loses or refuses there, and the way back.

Types of the destination have DuckDB's names inside this package (`duckdb.column_types`), so that one set of rules says what a
table can be widened to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dltsync_core.typemap.uuids import is_uuid
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

_PLAIN_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "double precision": "DOUBLE",
    "double": "DOUBLE",
    "real": "FLOAT",
    "float": "FLOAT",
    "date": "DATE",
    "text": "VARCHAR",
    "bytea": "BLOB",
    "blob": "BLOB",
    "binary": "BLOB",
    "uuid": "UUID",
}
_MOMENTS = {
    "timestamp without time zone": "TIMESTAMP",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "time without time zone": "TIME",
    "time": "TIME",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "TIME": pa.time64("us"),
    "BLOB": pa.binary(),
}
SEVENTH_DIGIT = "the warehouse column holds microseconds: a value with a seventh digit other than 0 stops the load"
ZERO_CHARACTER = "the warehouse column cannot hold the character U+0000: a value with one stops the load"


def landed_type(arrow_type: pa.DataType) -> pa.DataType:
    """The Arrow type in which a column goes to the destination: no dates and times but days and microseconds, no single floats
    (drivers write each value in the width Arrow has), no whole numbers of one byte, and UUIDs as text."""
    kinds = pa.types
    if is_uuid(arrow_type):
        return pa.string()
    if kinds.is_timestamp(arrow_type):
        return pa.timestamp("us", tz=arrow_type.tz)
    if kinds.is_float32(arrow_type):
        return pa.float64()
    if kinds.is_int8(arrow_type):
        return pa.int16()
    if kinds.is_fixed_size_binary(arrow_type):
        return pa.binary()
    return arrow_type


def landed_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, landed_type(field.type), field.nullable) for field in schema])


def refusals(schema: pa.Schema, *, no_zero_character: bool) -> dict[str, str]:
    """What the destination refuses of a column's values, by column: the rest is held exactly."""
    notes = {field.name: SEVENTH_DIGIT for field in schema if _counts_nanoseconds(field.type)}
    if no_zero_character:
        notes |= {field.name: ZERO_CHARACTER for field in schema if _is_text(field.type)}
    return notes


def first_refused(
    files: Sequence[Path], schema: pa.Schema, beside: Sequence[str], *, no_zero_character: bool
) -> tuple[str, pa.RecordBatch] | None:
    """The first value that the destination cannot hold: its column, and its row with the columns `beside`. None when there is
    none. Reads the columns that can have one, a batch at a time."""
    asked = refusals(schema, no_zero_character=no_zero_character)
    if not asked:
        return None
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=list(dict.fromkeys([*asked, *beside]))):
                for column in asked:
                    at = pc.index(_refused(batch.column(column)), True).as_py()
                    if at >= 0:
                        return column, batch.select(list(dict.fromkeys([column, *beside]))).slice(at, 1)
    return None


def warehouse_column(row: Sequence[Any]) -> tuple[WarehouseColumn, str]:
    """A column from its row of `information_schema.columns` (name, type, nullable, digits, scale, digits of the second,
    length): by DuckDB's names, and as the database writes its type. A type that no load makes stays as the database writes it."""
    name, kind, nullable, precision, scale, fraction, length = row
    lowered = str(kind).lower()
    found = own = str(kind)
    if lowered in {"numeric", "decimal", "number"} and precision is not None:
        found, own = f"DECIMAL({int(precision)},{int(scale or 0)})", f"{kind}({int(precision)},{int(scale or 0)})"
    elif _DECIMAL.fullmatch(own.upper()):
        found = own.upper()
    elif lowered in _MOMENTS:
        whole = fraction is None or int(fraction) == 6
        found, own = (_MOMENTS[lowered], own) if whole else (f"{own}({int(fraction)})",) * 2
    elif lowered in {"character varying", "varchar"}:
        found, own = ("VARCHAR", own) if length is None else (f"{own}({length})",) * 2
    else:
        found = _PLAIN_TYPES.get(lowered, own)
    return WarehouseColumn(str(name), found, str(nullable).upper() == "YES"), own


def arrow_type_of(duckdb_name: str) -> pa.DataType:
    """The Arrow type of a column read back. Text for a type that no load makes."""
    decimal = _DECIMAL.fullmatch(duckdb_name)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2])) if int(decimal[1]) <= 38 else pa.string()
    return _ARROW_TYPES.get(duckdb_name, pa.string())


def arrow_array(values: Sequence[Any], arrow_type: pa.DataType) -> pa.Array[Any]:
    """Values as a driver returns them."""
    if pa.types.is_binary(arrow_type):
        values = [None if value is None else bytes(value) for value in values]
    elif pa.types.is_string(arrow_type):
        values = [None if value is None else str(value) for value in values]
    return pa.array(values, arrow_type)


def _counts_nanoseconds(arrow_type: pa.DataType) -> bool:
    return pa.types.is_timestamp(arrow_type) and arrow_type.unit == "ns"


def _is_text(arrow_type: pa.DataType) -> bool:
    return pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)


def _refused(values: Any) -> Any:
    if _is_text(values.type):
        return pc.match_substring(values, "\0")
    counts = values.cast(pa.int64())
    whole = pc.multiply(pc.divide(counts, pa.scalar(1000, pa.int64())), pa.scalar(1000, pa.int64()))
    return pc.not_equal(counts, whole)

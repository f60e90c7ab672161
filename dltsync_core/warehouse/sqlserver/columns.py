"""The type in which a SQL Server warehouse holds a column's form in the lake, exactly, and how the values get there.

Not the source's type in every case: code page text travels as Unicode, so it is nvarchar whatever the code page (the bulk copy
replaces characters that a code page lacks with question marks, without an error); a rowversion is its eight bytes; dates and
times that the lake holds as text are dates and times again, because SQL Server reads its own text without loss. An `open_end`
arrives as the lake has it: one microsecond before the end of the calendar, not the type's maximum.
"""

from __future__ import annotations

import re
from typing import Any, cast

import pyarrow as pa

from dltsync_core.errors import UnsupportedColumn
from dltsync_core.tsql.fragments import Identifier, Sql, TypeName, sql
from dltsync_core.tsql.warehouse.tables import TargetColumn
from dltsync_core.typemap.mapping import COLLATION_KEY, SQL_TYPE_KEY, ColumnMapping
from dltsync_core.typemap.uuids import is_uuid

LONGEST_NVARCHAR = 4000
LONGEST_VARBINARY = 8000
TEXT_ON_THE_WAY = "varchar(40)"
"""Of a date or time that the lake holds as text, in the table that rows are copied into before the server converts them."""

_DECLARED = re.compile(r"([a-z0-9_]+)(?:\((max|\d+)(?:,\d+)?\))?", re.IGNORECASE)
_DATETIMES = frozenset({"date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
_TEXTS = frozenset(
    {"char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml", "json", "vector", "sql_variant", "hierarchyid"}
)
_TWO_BYTES = frozenset({"nchar", "nvarchar"})
_INTEGERS = {8: "tinyint", 16: "smallint", 32: "int", 64: "bigint"}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 7}


def sqlserver_type(mapping: ColumnMapping) -> str:
    """The declared type of a mapped column, as CREATE TABLE writes it."""
    return type_of(mapping.field)


def target_column(field: pa.Field[Any]) -> TargetColumn:
    """The column for a field of a load: its type, whether it admits NULL, and for text the source's collation."""
    declared = type_of(field)
    collation = (field.metadata or {}).get(COLLATION_KEY)
    has_collation = collation is not None and declared.startswith(("nvarchar", "nchar"))
    return TargetColumn(
        field.name, declared, field.nullable, collation.decode() if collation and has_collation else None
    )


def type_of(field: pa.Field[Any]) -> str:
    """The declared type for a field, from the source's declared type and the form in the lake; from the form alone where a
    file says nothing of its source. Raises UnsupportedColumn for a form that no source column has."""
    declared = (field.metadata or {}).get(SQL_TYPE_KEY)
    if declared is None:
        return _from_arrow(field)
    text, form = declared.decode(), field.type
    found = _DECLARED.fullmatch(text)
    name, size = (found[1], found[2]) if found is not None else (text, None)
    is_text = pa.types.is_string(form) or pa.types.is_large_string(form)
    if name == "rowversion":
        return "binary(8)"
    if not is_text and (name in _TEXTS or name in {"geometry", "geography", "image"} or found is None):
        return _bytes_of(name, size)
    if not is_text:
        return text
    if name in _DATETIMES or name in {"nchar", "nvarchar", "uniqueidentifier"}:
        return text
    if name in {"char", "varchar"}:
        fits = size is not None and size != "max" and int(size) <= LONGEST_NVARCHAR
        return f"nvarchar({size})" if fits else "nvarchar(max)"
    return f"nvarchar({LONGEST_NVARCHAR})" if name == "hierarchyid" else "nvarchar(max)"


def is_converted(column: pa.Field[Any], declared: str) -> bool:
    """Whether the server converts the values: dates and times that the lake holds as text, which no bulk copy takes."""
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return is_text and _base(declared) in _DATETIMES


def conversion(name: str, declared: str) -> Sql:
    """From the server's own text (`tsql.values.as_text`) to the type, without loss."""
    column, exact, base = Identifier(name), TypeName(declared), _base(declared)
    if base == "datetimeoffset":
        # The text has no blank before the offset, and the documented form has one.
        return sql("CAST(LEFT({c}, LEN({c}) - 6) + ' ' + RIGHT({c}, 6) AS {type})", c=column, type=exact)
    if base in {"datetime", "smalldatetime"}:
        return sql("CONVERT({type}, {c}, 126)", c=column, type=exact)
    # ISO text, which these types read alike in every language.
    return sql("CAST({c} AS {type})", c=column, type=exact)


def bulk_type(column: pa.Field[Any], declared: str) -> pa.DataType:
    """The Arrow type in which the values are sent to a column of that type, which may be wider than the field's."""
    base, own = _base(declared), cast("pa.DataType", column.type)
    if is_uuid(own):
        return pa.string()
    if pa.types.is_integer(column.type):
        return {"tinyint": pa.int16(), "smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64()}.get(base, own)
    if pa.types.is_decimal(column.type) and base in {"decimal", "numeric"}:
        digits, scale = (int(part) for part in declared[declared.index("(") + 1 : -1].split(","))
        return pa.decimal128(digits, scale)
    return own


def holds(held: str, wanted: str) -> bool:
    """Whether a column of type `held` holds every value of `wanted` exactly."""
    if held == wanted:
        return True
    one, other = _base(held), _base(wanted)
    if {one, other} <= set(_ORDER):
        return _ORDER.index(one) >= _ORDER.index(other)
    if one != other:
        return {one, other} == {"decimal", "numeric"} and _numbers(held) == _numbers(wanted)
    if one in {"nvarchar", "varbinary"}:
        return _size(held) >= _size(wanted)
    if one in {"decimal", "numeric"}:
        (digits, scale), (few, short) = _numbers(held), _numbers(wanted)
        return scale >= short and digits - scale >= few - short
    if one in {"datetime2", "time", "datetimeoffset"}:
        return _size(held) >= _size(wanted)
    return False


_ORDER = ("smallint", "int", "bigint")
"""Without tinyint, which is unsigned in SQL Server and would be sent as another type."""


def _numbers(declared: str) -> tuple[int, int]:
    digits, scale = declared[declared.index("(") + 1 : -1].split(",")
    return int(digits), int(scale)


def _size(declared: str) -> int:
    found = _DECLARED.fullmatch(declared)
    return 2**31 if found is None or found[2] in {None, "max"} else int(found[2])


def _base(declared: str) -> str:
    return declared.partition("(")[0]


def _bytes_of(name: str, size: str | None) -> str:
    """Character types loaded as stored, and types without a form of their own."""
    if name in {"char", "varchar", *_TWO_BYTES} and size not in {None, "max"}:
        length = int(str(size)) * (2 if name in _TWO_BYTES else 1)
        return f"varbinary({length})"
    return "varbinary(max)"


def _from_arrow(field: pa.Field[Any]) -> str:
    kinds, form = pa.types, field.type
    if is_uuid(form):
        return "uniqueidentifier"
    if kinds.is_boolean(form):
        return "bit"
    if kinds.is_signed_integer(form) and form.bit_width in _INTEGERS and form.bit_width > 8:
        return _INTEGERS[form.bit_width]
    if kinds.is_decimal128(form):
        return f"decimal({form.precision},{form.scale})"
    if kinds.is_float64(form):
        return "float"
    if kinds.is_float32(form):
        return "real"
    if kinds.is_date32(form):
        return "date"
    if kinds.is_time64(form):
        return f"time({_DIGITS[form.unit]})"
    if kinds.is_timestamp(form):
        kind = "datetimeoffset" if form.tz is not None else "datetime2"
        return f"{kind}({_DIGITS[form.unit]})"
    if kinds.is_string(form) or kinds.is_large_string(form):
        return "nvarchar(max)"
    if kinds.is_binary(form) or kinds.is_large_binary(form) or kinds.is_fixed_size_binary(form):
        return "varbinary(max)"
    raise UnsupportedColumn(f"a SQL Server warehouse has no exact type for Arrow {form}", column=field.name)

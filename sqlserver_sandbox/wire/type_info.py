"""TYPE_INFO ([MS-TDS] 2.2.5.6): how a declared type is written in front of its values, and read back from a client."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

from sqlserver_sandbox.model import MAX, SqlType
from sqlserver_sandbox.wire.collations import SIZE as COLLATION_SIZE
from sqlserver_sandbox.wire.collations import collation_from_wire, find_collation
from sqlserver_sandbox.wire.fields import FieldReader
from sqlserver_sandbox.wire.refusals import protocol_error, refusal


class Layout(Enum):
    """How one value is delimited in a row."""

    FIXED = 0  # `width` bytes, never null
    BYTE_LENGTH = 1  # one byte of length; 0 is null
    USHORT_LENGTH = 2  # two bytes of length; 0xFFFF is null
    PLP = 3  # partially length-prefixed pieces: the (max) types and xml
    TEXT_POINTER = 4  # text, ntext, image: a text pointer, a timestamp, four bytes of length; no pointer is null


USHORT_NULL = 0xFFFF
PLP_MARK = 0xFFFF

# name: (token when NOT NULL, token when nullable, bytes per value)
FIXED_TYPES = {
    "tinyint": (0x30, 0x26, 1),
    "bit": (0x32, 0x68, 1),
    "smallint": (0x34, 0x26, 2),
    "int": (0x38, 0x26, 4),
    "bigint": (0x7F, 0x26, 8),
    "real": (0x3B, 0x6D, 4),
    "float": (0x3E, 0x6D, 8),
    "smallmoney": (0x7A, 0x6E, 4),
    "money": (0x3C, 0x6E, 8),
    "smalldatetime": (0x3A, 0x6F, 4),
    "datetime": (0x3D, 0x6F, 8),
}
_FIXED_TOKENS = {fixed: (name, width) for name, (fixed, _nullable, width) in FIXED_TYPES.items()}
_NULLABLE_TOKENS = {(nullable, width): name for name, (_fixed, nullable, width) in FIXED_TYPES.items()}
_NULLABLE_ONLY = {nullable for _fixed, nullable, _width in FIXED_TYPES.values()}

NULL_TYPE, GUID = 0x1F, 0x24
DATE, TIME, DATETIME2, DATETIMEOFFSET = 0x28, 0x29, 0x2A, 0x2B
_SCALED = {"time": TIME, "datetime2": DATETIME2, "datetimeoffset": DATETIMEOFFSET}
_SCALED_NAMES = {token: name for name, token in _SCALED.items()}
_EXACT = {"decimal": 0x6A, "numeric": 0x6C}
_EXACT_NAMES = {token: name for name, token in _EXACT.items()}

# name: (token, bytes per declared unit of length, longest length that is not (max))
_BOUNDED = {
    "varbinary": (0xA5, 1, 8000),
    "varchar": (0xA7, 1, 8000),
    "binary": (0xAD, 1, 8000),
    "char": (0xAF, 1, 8000),
    "nvarchar": (0xE7, 2, 4000),
    "nchar": (0xEF, 2, 4000),
}
_BOUNDED_NAMES = {token: name for name, (token, _unit, _longest) in _BOUNDED.items()}
_OUT_OF_ROW = {"image": (0x22, 0x7FFF_FFFF), "text": (0x23, 0x7FFF_FFFF), "ntext": (0x63, 0x7FFF_FFFE)}
_OUT_OF_ROW_NAMES = {token: name for name, (token, _size) in _OUT_OF_ROW.items()}
XML = 0xF1
_UNSUPPORTED = {0x62: "sql_variant", 0xF0: "CLR types", 0xF3: "table-valued parameters", 0xF4: "json", 0xF5: "vector"}

CHARACTER_TYPES = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext", "sysname"})
UTF16_TYPES = frozenset({"nchar", "nvarchar", "ntext", "sysname", "xml"})
USER_TYPES = {"rowversion": 0x50, "sysname": 0x100}
"""UserType in COLMETADATA: how a client tells rowversion from binary(8), and sysname from nvarchar(128)."""


@dataclass(frozen=True)
class WireType:
    """A declared type together with how its values are delimited. `width` counts bytes and belongs to FIXED."""

    sql: SqlType
    layout: Layout
    width: int = 0


def decimal_width(precision: int) -> int:
    """Bytes of magnitude of a decimal ([MS-TDS] 2.2.5.5.1.6)."""
    if precision <= 9:
        return 4
    if precision <= 19:
        return 8
    return 12 if precision <= 28 else 16


def time_width(scale: int) -> int:
    """Bytes of a time of day with `scale` digits of second ([MS-TDS] 2.2.5.5.1.8)."""
    if scale <= 2:
        return 3
    return 4 if scale <= 4 else 5


def value_width(sql_type: SqlType) -> int:
    """Bytes of one value of a fixed-width type, without its length. A decimal's are the most it can have."""
    name = sql_type.name
    if name in FIXED_TYPES:
        return FIXED_TYPES[name][2]
    if name in _EXACT:
        return 1 + 16
    if name in _SCALED:
        extra = {"time": 0, "datetime2": 3, "datetimeoffset": 5}[name]
        return time_width(sql_type.scale) + extra
    return {"date": 3, "uniqueidentifier": 16}[name]


def layout_of(sql_type: SqlType, *, nullable: bool) -> Layout:
    """How the server delimits the values of a column it declares with `render_type_info`."""
    name = sql_type.name
    if name in FIXED_TYPES and not nullable:
        return Layout.FIXED
    if name == "xml" or (name in _BOUNDED and sql_type.length == MAX):
        return Layout.PLP
    if name in _OUT_OF_ROW:
        return Layout.TEXT_POINTER
    if name in _BOUNDED or name in USER_TYPES:
        return Layout.USHORT_LENGTH
    return Layout.BYTE_LENGTH


def render_type_info(sql_type: SqlType, *, nullable: bool) -> bytes:
    """TYPE_INFO for a column or a returned value. The nullable forms are used exactly when a null may come."""
    name = sql_type.name
    if name in FIXED_TYPES:
        fixed, nullable_token, width = FIXED_TYPES[name]
        return bytes((nullable_token, width)) if nullable else bytes((fixed,))
    if name in _EXACT:
        size = decimal_width(sql_type.precision) + 1
        return bytes((_EXACT[name], size, sql_type.precision, sql_type.scale))
    if name in _SCALED:
        return bytes((_SCALED[name], sql_type.scale))
    if name == "date":
        return bytes((DATE,))
    if name == "uniqueidentifier":
        return bytes((GUID, 16))
    if name == "xml":
        return bytes((XML, 0))  # 0: bound to no schema collection
    if name == "rowversion":
        return struct.pack("<BH", _BOUNDED["binary"][0], 8)
    return _render_variable(sql_type)


def _render_variable(sql_type: SqlType) -> bytes:
    name, length = ("nvarchar", 128) if sql_type.name == "sysname" else (sql_type.name, sql_type.length)
    collation = find_collation(sql_type.collation).wire if name in CHARACTER_TYPES else b""
    if name in _OUT_OF_ROW:
        token, size = _OUT_OF_ROW[name]
        no_table_name = b"\1\0\0"  # one part, empty
        return struct.pack("<BI", token, size) + collation + no_table_name
    if name not in _BOUNDED:
        raise refusal(f"the type {name} in a result")
    token, unit, longest = _BOUNDED[name]
    if length != MAX and not 0 <= length <= longest:
        raise ValueError(f"{name}({length}) is not a type")
    return struct.pack("<BH", token, PLP_MARK if length == MAX else length * unit) + collation


def parse_type_info(fields: FieldReader, *, in_row: bool) -> WireType:
    """The type a client declares: for a parameter, or (`in_row`) for a column of bulk data."""
    token = fields.byte()
    if token in _FIXED_TOKENS:
        name, width = _FIXED_TOKENS[token]
        return WireType(SqlType(name), Layout.FIXED, width)
    if token == NULL_TYPE:
        return WireType(SqlType("int"), Layout.FIXED, 0)
    if token in _NULLABLE_ONLY:
        width = fields.byte()
        found = _NULLABLE_TOKENS.get((token, width))
        if found is None:
            raise protocol_error(f"type {token:#04x} cannot have {width} bytes")
        return WireType(SqlType(found), Layout.BYTE_LENGTH)
    if token == DATE:
        return WireType(SqlType("date"), Layout.BYTE_LENGTH)
    if token == GUID:
        fields.byte()
        return WireType(SqlType("uniqueidentifier"), Layout.BYTE_LENGTH)
    if token in _SCALED_NAMES:
        return WireType(SqlType(_SCALED_NAMES[token], scale=_scale(fields.byte(), 7)), Layout.BYTE_LENGTH)
    if token in _EXACT_NAMES:
        fields.byte()
        precision = fields.byte()
        if not 1 <= precision <= 38:
            raise protocol_error(f"a decimal of {precision} digits")
        scale = _scale(fields.byte(), precision)
        return WireType(SqlType(_EXACT_NAMES[token], precision=precision, scale=scale), Layout.BYTE_LENGTH)
    return _parse_variable(fields, token, in_row=in_row)


def _scale(scale: int, most: int) -> int:
    if scale > most:
        raise protocol_error(f"a scale of {scale}, where {most} is the most")
    return scale


def _parse_variable(fields: FieldReader, token: int, *, in_row: bool) -> WireType:
    if token in _BOUNDED_NAMES:
        name = _BOUNDED_NAMES[token]
        size = fields.ushort()
        _token, unit, longest = _BOUNDED[name]
        length = MAX if size == PLP_MARK else size // unit
        if length > longest:
            raise protocol_error(f"{name} of {size} bytes")
        layout = Layout.PLP if length == MAX else Layout.USHORT_LENGTH
        return WireType(SqlType(name, length=length, collation=_parse_collation(fields, name)), layout)
    if token in _OUT_OF_ROW_NAMES:
        name = _OUT_OF_ROW_NAMES[token]
        fields.ulong()
        collation = _parse_collation(fields, name)
        if in_row:
            fields.us_varchar()  # the table's name, which INSERT BULK has told already
        return WireType(SqlType(name, collation=collation), Layout.TEXT_POINTER)
    if token == XML:
        if fields.byte():
            raise refusal("xml bound to a schema collection")
        return WireType(SqlType("xml"), Layout.PLP)
    if token in _UNSUPPORTED:
        raise refusal(f"{_UNSUPPORTED[token]} (TDS type {token:#04x})")
    raise protocol_error(f"unknown type {token:#04x}")


def _parse_collation(fields: FieldReader, name: str) -> str | None:
    if name not in CHARACTER_TYPES:
        return None
    return collation_from_wire(fields.take(COLLATION_SIZE)).name

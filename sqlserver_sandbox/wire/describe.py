"""The result of sp_describe_undeclared_parameters, in the shape that its documentation gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from sqlserver_sandbox.model import MAX, Column, ResultSet, SqlType
from sqlserver_sandbox.wire.codec.values import arrow_form
from sqlserver_sandbox.wire.collations import find_collation
from sqlserver_sandbox.wire.type_info import CHARACTER_TYPES, decimal_width, render_type_info

_SYSNAME, _INT, _BIT, _TINYINT = SqlType("sysname"), SqlType("int"), SqlType("bit"), SqlType("tinyint")
_COLUMNS = (
    Column("parameter_ordinal", _INT, nullable=False),
    Column("name", _SYSNAME, nullable=False),
    Column("suggested_system_type_id", _INT, nullable=False),
    Column("suggested_system_type_name", SqlType("nvarchar", length=256)),
    Column("suggested_max_length", SqlType("smallint"), nullable=False),
    Column("suggested_precision", _TINYINT, nullable=False),
    Column("suggested_scale", _TINYINT, nullable=False),
    Column("suggested_user_type_id", _INT),
    Column("suggested_user_type_database", _SYSNAME),
    Column("suggested_user_type_schema", _SYSNAME),
    Column("suggested_user_type_name", _SYSNAME),
    Column("suggested_assembly_qualified_type_name", SqlType("nvarchar", length=4000)),
    Column("suggested_xml_collection_id", _INT),
    Column("suggested_xml_collection_database", _SYSNAME),
    Column("suggested_xml_collection_schema", _SYSNAME),
    Column("suggested_xml_collection_name", _SYSNAME),
    Column("suggested_is_xml_document", _BIT, nullable=False),
    Column("suggested_is_case_sensitive", _BIT, nullable=False),
    Column("suggested_is_fixed_length_clr_type", _BIT, nullable=False),
    Column("suggested_is_input", _BIT, nullable=False),
    Column("suggested_is_output", _BIT, nullable=False),
    Column("formal_parameter_name", _SYSNAME),
    Column("suggested_tds_type_id", _INT, nullable=False),
    Column("suggested_tds_length", _INT, nullable=False),
)


@dataclass(frozen=True)
class _Facts:
    """system_type_id, max_length in bytes, precision and scale, as sys.types has them."""

    system_type_id: int
    max_length: int
    precision: int = 0
    scale: int = 0


_FACTS = {
    "image": _Facts(34, 16),
    "text": _Facts(35, 16),
    "uniqueidentifier": _Facts(36, 16),
    "date": _Facts(40, 3, 10),
    "tinyint": _Facts(48, 1, 3),
    "smallint": _Facts(52, 2, 5),
    "int": _Facts(56, 4, 10),
    "smalldatetime": _Facts(58, 4, 16),
    "real": _Facts(59, 4, 24),
    "money": _Facts(60, 8, 19, 4),
    "datetime": _Facts(61, 8, 23, 3),
    "float": _Facts(62, 8, 53),
    "ntext": _Facts(99, 16),
    "bit": _Facts(104, 1, 1),
    "smallmoney": _Facts(122, 4, 10, 4),
    "bigint": _Facts(127, 8, 19),
    "rowversion": _Facts(189, 8),
    "sysname": _Facts(231, 256),
    "xml": _Facts(241, -1),
}
_SIZED_IDS = {"varbinary": 165, "varchar": 167, "binary": 173, "char": 175, "nvarchar": 231, "nchar": 239}
_SCALED = {"time": (41, 3, 8), "datetime2": (42, 6, 19), "datetimeoffset": (43, 8, 26)}


def undeclared_parameters(suggested: Sequence[tuple[str, SqlType]]) -> ResultSet:
    """One row per undeclared parameter, in order of appearance."""
    rows = [_row(ordinal, name, sql_type) for ordinal, (name, sql_type) in enumerate(suggested, 1)]
    arrays = [pa.array([row[place] for row in rows], arrow_form(column.type)) for place, column in enumerate(_COLUMNS)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in _COLUMNS])
    return ResultSet(_COLUMNS, iter((batch,)))


def _row(ordinal: int, name: str, sql_type: SqlType) -> tuple[object, ...]:
    facts = _facts(sql_type)
    info = render_type_info(sql_type, nullable=True)
    case_sensitive = sql_type.name in CHARACTER_TYPES and find_collation(sql_type.collation).case_sensitive
    tds_length = 0xFFFF if facts.max_length == MAX else facts.max_length
    return (
        ordinal,
        "@" + name.lstrip("@"),
        facts.system_type_id,
        _spelled(sql_type),
        facts.max_length,
        facts.precision,
        facts.scale,
        *(None,) * 9,  # user type, assembly and xml collection: the sandbox has none
        False,
        case_sensitive,
        False,
        True,
        False,
        None,
        info[0],
        tds_length,
    )


def _facts(sql_type: SqlType) -> _Facts:
    name = sql_type.name
    if name in _SIZED_IDS:
        unit = 2 if name in ("nchar", "nvarchar") else 1
        return _Facts(_SIZED_IDS[name], MAX if sql_type.length == MAX else sql_type.length * unit)
    if name in _SCALED:
        type_id, shortest, digits = _SCALED[name]
        scale = sql_type.scale
        width = shortest + (0 if scale <= 2 else 1 if scale <= 4 else 2)
        return _Facts(type_id, width, digits + (scale + 1 if scale else 0), scale)
    if name in ("decimal", "numeric"):
        width = decimal_width(sql_type.precision) + 1
        return _Facts(106 if name == "decimal" else 108, width, sql_type.precision, sql_type.scale)
    return _FACTS[name]


def _spelled(sql_type: SqlType) -> str:
    """The type as one writes it in a declaration."""
    if sql_type.name in _SIZED_IDS:
        return f"{sql_type.name}({'max' if sql_type.length == MAX else sql_type.length})"
    if sql_type.name in _SCALED:
        return f"{sql_type.name}({sql_type.scale})"
    if sql_type.name in ("decimal", "numeric"):
        return f"{sql_type.name}({sql_type.precision},{sql_type.scale})"
    return "timestamp" if sql_type.name == "rowversion" else sql_type.name

"""sp_columns and sp_tablecollations_100."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.column_sizes import odbc_sizes
from sqlserver_sandbox.engine.procedures.declaration import Rows, as_columns
from sqlserver_sandbox.engine.procedures.lookup import find_tables, matches, type_row
from sqlserver_sandbox.tsql.bind.functions_system import parse_object_name
from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import (
    DECIMALS,
    STRINGS,
    catalogue_name,
)

_COLUMN_SPEC = (
    "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name, COLUMN_NAME name,"
    " DATA_TYPE smallint, TYPE_NAME name, PRECISION int?,"
    " LENGTH int?, SCALE smallint?, RADIX smallint?, NULLABLE smallint, REMARKS"
    " v(254)?, COLUMN_DEF n(4000)?, SQL_DATA_TYPE smallint,"
    " SQL_DATETIME_SUB smallint?, CHAR_OCTET_LENGTH int?, ORDINAL_POSITION int, IS_NULLABLE v(254)?"
)


_SPEC_100 = (
    _COLUMN_SPEC
    + ", SS_IS_SPARSE smallint?, SS_IS_COLUMN_SET smallint?, SS_IS_COMPUTED smallint?, SS_IS_IDENTITY smallint?,"
    " SS_UDT_CATALOG_NAME name?, SS_UDT_SCHEMA_NAME name?, SS_UDT_ASSEMBLY_TYPE_NAME"
    " n(4000)?, SS_XML_SCHEMACOLLECTION_CATALOG_NAME name?,"
    " SS_XML_SCHEMACOLLECTION_SCHEMA_NAME name?, SS_XML_SCHEMACOLLECTION_NAME name?, SS_DATA_TYPE tinyint"
)


_SS_TYPES = {
    "bit": (50, 50),
    "tinyint": (48, 38),
    "smallint": (52, 38),
    "int": (56, 38),
    "bigint": (63, 108),
    "real": (59, 109),
    "float": (62, 109),
    "smallmoney": (122, 110),
    "money": (60, 110),
    "decimal": (55, 106),
    "numeric": (63, 108),
    "datetime": (61, 111),
    "smalldatetime": (58, 111),
    "char": (47, 39),
    "varchar": (39, 39),
    "nchar": (39, 39),
    "nvarchar": (39, 39),
    "sysname": (39, 39),
    "binary": (45, 37),
    "varbinary": (37, 37),
    "rowversion": (45, 37),
    "text": (35, 35),
    "ntext": (35, 35),
    "image": (34, 34),
    "uniqueidentifier": (37, 37),
    "xml": (0, 0),
    "date": (0, 0),
    "time": (0, 0),
    "datetime2": (0, 0),
    "datetimeoffset": (0, 0),
}
"""SS_DATA_TYPE, the SQL Server 6 type number: (not nullable, nullable)."""


def _column_rows(execution: Execution, values: dict[str, Any]) -> list[tuple[TableColumn, tuple[Any, ...]]]:
    exact = values.get("fusepattern") == 0
    rows = []
    for database, schema, table in find_tables(execution, values, exact=exact):
        for position, column in enumerate(table.columns, 1):
            if not matches(values["column_name"], column.name, exact=exact):
                continue
            name = "sysname" if column.is_sysname else catalogue_name(column.type.name)
            info = type_row(column)
            precision, length, scale, radix, octets = odbc_sizes(column)
            shown = f"{name} identity" if column.identity else name
            if column.identity and column.type.name in DECIMALS:
                shown = f"{name}() identity"
            rows.append(
                (
                    column,
                    (
                        database.name,
                        schema,
                        table.name,
                        column.name,
                        info[1],
                        shown,
                        precision,
                        length,
                        scale,
                        radix,
                        int(column.nullable),
                        None,
                        f"({column.default.text})" if column.default else None,
                        info[15],
                        info[16],
                        octets,
                        position,
                        "YES" if column.nullable else "NO",
                    ),
                )
            )
    return rows


def columns(execution: Execution, values: dict[str, Any]) -> Rows:
    rows = _column_rows(execution, values)
    return as_columns(_COLUMN_SPEC + ", SS_DATA_TYPE tinyint"), [
        (*r, _SS_TYPES[c.type.name][c.nullable]) for c, r in rows
    ]


def columns_100(execution: Execution, values: dict[str, Any]) -> Rows:
    if values["namescope"] not in (None, 0):
        raise refused(f"sp_columns_100 with @NameScope = {values['namescope']}")
    found = []
    for column, row in _column_rows(execution, values):
        found.append(
            (
                *row,
                0,
                0,
                0,
                int(column.identity is not None),
                None,
                None,
                None,
                None,
                None,
                None,
                _SS_TYPES[column.type.name][column.nullable],
            )
        )
    return as_columns(_SPEC_100), found


def table_collations(execution: Execution, values: dict[str, Any]) -> Rows:
    """The collation of each column, as the five bytes of the protocol; NULL for columns without one."""
    spec = "colid int, name name, tds_collation vb(5)?, collation name?"
    name = parse_object_name(str(values["object"] or ""))
    table = execution.database.table(name.schema, name.name) if name else None
    if table is None:
        return as_columns(spec), []
    found = []
    for position, column in enumerate(table.columns, 1):
        collation = column.type.collation if column.type.name in STRINGS else None
        found.append((position, column.name, tds_collation(collation) if collation else None, collation))
    return as_columns(spec), found


def tds_collation(name: str) -> bytes:
    """LCID 1033, comparison flags, and the sort order of the SQL collations ([MS-TDS] 2.2.5.1.2)."""
    upper = name.upper()
    flags = 0x0200 if upper.endswith(("_BIN2", "_BIN2_UTF8")) else 0x00C0 if "_CS_" in upper else 0x00D0
    version = 0x2 if "_100_" in upper else 0
    utf8 = 0x4000000 if upper.endswith("_UTF8") else 0
    sort = {"SQL_LATIN1_GENERAL_CP1_CI_AS": 52, "SQL_LATIN1_GENERAL_CP1_CS_AS": 51}.get(upper, 0)
    number = 0x409 | (flags << 16) | (version << 28) | utf8
    return (number & 0xFFFFFFFF).to_bytes(4, "little") + bytes([sort])

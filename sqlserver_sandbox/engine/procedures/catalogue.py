"""ODBC's catalogue procedures: sp_tables, sp_columns, sp_pkeys, sp_statistics, sp_special_columns and their kin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlserver_sandbox.engine.procedures.datatype_info import ROWS
from sqlserver_sandbox.engine.sysviews.declaration import parse_columns
from sqlserver_sandbox.engine.sysviews.registry import VIEWS
from sqlserver_sandbox.model import Column, SqlError
from sqlserver_sandbox.tsql.bind.functions_system import parse_object_name
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import (
    BINARIES,
    DATETIMES,
    DECIMALS,
    FLOATS,
    STRINGS,
    UNICODE,
    catalogue_name,
    catalogue_sizes,
    is_max,
)

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession

Rows = tuple[tuple[Column, ...], list[tuple[Any, ...]]]
_CODES = {row[0]: row for row in ROWS}


def _columns(spec: str) -> tuple[Column, ...]:
    return tuple(Column(c.name, c.type, c.nullable) for c in parse_columns(spec))


def _matches(pattern: str | None, name: str, *, exact: bool = False) -> bool:
    """A LIKE pattern with \\-less escapes in brackets, as ODBC's catalogue functions pass it; None matches all."""
    if pattern is None or pattern == "%":
        return True
    if exact:
        return pattern.lower() == name.lower()
    text = ""
    position = 0
    while position < len(pattern):
        found = re.compile(r"\[([^\]])\]|\\(.)").match(pattern, position)
        if found:
            text += re.escape(found[1] or found[2])
            position = found.end()
            continue
        text += {"%": ".*", "_": "."}.get(pattern[position], re.escape(pattern[position]))
        position += 1
    return re.fullmatch(text, name, re.IGNORECASE | re.DOTALL) is not None


def _database(session: DuckDbSession, qualifier: str | None) -> Database | None:
    """The current database; 15250 for another, as the procedures have it."""
    statement = session.statement({})
    database = statement.database
    if qualifier and qualifier.lower() != database.name.lower() and qualifier != "%":
        raise SqlError(
            15250, "The database name component of the object qualifier must be the name of the current database."
        )
    return database


def _found(session: DuckDbSession, values: dict[str, Any], *, exact: bool) -> list[tuple[Database, str, Table]]:
    database = _database(session, values.get("table_qualifier"))
    if database is None:
        return []
    found = []
    for table in database.tables:
        schema = database.schema_by_id(table.schema_id).name
        if _matches(values["table_owner"], schema, exact=exact) and _matches(
            values["table_name"], table.name, exact=exact
        ):
            found.append((database, schema, table))
    return sorted(found, key=lambda f: (f[1].lower(), f[2].name.lower()))


def databases(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    statement = session.statement({})
    return _columns("DATABASE_NAME name?, DATABASE_SIZE int?, REMARKS v(254)?"), [
        (d.name, None, None) for d in statement.catalogue.databases()
    ]


def tables(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    """Tables and system views by pattern, or (ODBC's special cases) all databases, schemas or table types."""
    columns = _columns("TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name?, TABLE_TYPE v(32)?, REMARKS v(254)?")
    name, owner, qualifier, kinds = (values[k] for k in ("table_name", "table_owner", "table_qualifier", "table_type"))
    statement = session.statement({})
    if name == "" and owner == "" and qualifier == "%":
        return columns, [(d.name, None, None, None, None) for d in statement.catalogue.databases()]
    if name == "" and qualifier == "" and owner == "%":
        schemas = [*sorted(s.name for s in statement.database.schemas), "INFORMATION_SCHEMA", "sys"]
        return columns, [(None, s, None, None, None) for s in schemas]
    if name == "" and owner == "" and qualifier == "" and kinds == "%":
        return columns, [(None, None, None, k, None) for k in ("SYSTEM TABLE", "TABLE", "VIEW")]
    wanted = {k.strip(" '").upper() for k in kinds.split(",")} if kinds else {"TABLE", "VIEW"}
    rows: list[tuple[Any, ...]] = []
    if "TABLE" in wanted:
        rows += [
            (d.name, schema, t.name, "TABLE", None)
            for d, schema, t in _found(session, values, exact=values["fusepattern"] == 0)
        ]
    if "VIEW" in wanted:
        for view in VIEWS:
            schema, _, plain = view.partition(".")
            shown = (schema.upper(), plain.upper()) if schema == "information_schema" else (schema, plain)
            if _matches(owner, shown[0]) and _matches(name, shown[1]):
                rows.append((statement.database.name, *shown, "VIEW", None))
    return columns, sorted(rows, key=lambda r: (r[3], r[0].lower(), r[1].lower(), r[2].lower()))


# ---- columns -----------------------------------------------------------------------------------------------------
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


def _sizes(column: TableColumn) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    """(precision, length, scale, radix, octets) as ODBC counts them: display characters and transfer bytes."""
    declared = column.type
    name = declared.name
    length, precision, scale = catalogue_sizes(declared)
    if name in STRINGS or name in BINARIES or name == "xml":
        if is_max(declared):
            octets = {"text": 2147483647, "image": 2147483647, "ntext": 2147483646}.get(name, 0)
            return (1073741823 if name == "ntext" else octets), octets, None, None, octets
        return (length // 2 if name in UNICODE else length), length, None, None, length
    if name in DATETIMES:
        widths = {"date": 6, "time": 12, "datetimeoffset": 20}
        shown = {"datetime": 23, "smalldatetime": 16}.get(name, precision)
        return shown, widths.get(name, 16), None if name == "date" else (3 if name == "datetime" else scale), None, None
    if name in DECIMALS or name in ("money", "smallmoney"):
        return precision, precision + 2, scale, 10, None
    if name in FLOATS:
        return (53 if name == "float" else 24), length, None, 2, None
    if name == "uniqueidentifier":
        return 36, 16, None, None, None
    return precision, length, None if name == "bit" else 0, None if name == "bit" else 10, None


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


def _column_rows(session: DuckDbSession, values: dict[str, Any]) -> list[tuple[TableColumn, tuple[Any, ...]]]:
    exact = values.get("fusepattern") == 0
    rows = []
    for database, schema, table in _found(session, values, exact=exact):
        for place, column in enumerate(table.columns, 1):
            if not _matches(values["column_name"], column.name, exact=exact):
                continue
            name = "sysname" if column.is_sysname else catalogue_name(column.type.name)
            info = _CODES[name]
            precision, length, scale, radix, octets = _sizes(column)
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
                        place,
                        "YES" if column.nullable else "NO",
                    ),
                )
            )
    return rows


def columns(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    rows = _column_rows(session, values)
    return _columns(_COLUMN_SPEC + ", SS_DATA_TYPE tinyint"), [
        (*r, _SS_TYPES[c.type.name][c.nullable]) for c, r in rows
    ]


def columns_100(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    if values["namescope"] not in (None, 0):
        raise refused(f"sp_columns_100 with @NameScope = {values['namescope']}")
    found = []
    for column, row in _column_rows(session, values):
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
    return _columns(_SPEC_100), found


# ---- keys and indexes --------------------------------------------------------------------------------------------
def primary_keys(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    spec = (
        "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name, COLUMN_NAME name, KEY_SEQ smallint, PK_NAME name?"
    )
    rows: list[tuple[Any, ...]] = []
    for database, schema, table in _found(session, values, exact=True):
        key = next((i for i in table.indexes if i.key_kind == "PK"), None)
        if key is not None:
            front = (database.name, schema, table.name)
            rows.extend(
                (*front, table.column_by_id(k.column_id).name, k.key_ordinal, key.name) for k in key.key_columns
            )
    return _columns(spec), rows


def statistics(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    """Type 0 is the table itself, 1 a clustered index, 3 another."""
    spec = (
        "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name, NON_UNIQUE"
        " smallint?, INDEX_QUALIFIER name?, INDEX_NAME name?, TYPE smallint,"
        " SEQ_IN_INDEX smallint?, COLUMN_NAME name?, COLLATION c(1)?, CARDINALITY int?, PAGES int?, FILTER_CONDITION v(128)?"
    )
    unique_only = str(values["is_unique"] or "N").upper() == "Y"
    rows: list[tuple[Any, ...]] = []
    for database, schema, table in _found(session, values, exact=True):
        front = (database.name, schema, table.name)
        count = sum(session.count_rows(database, table))
        rows.append((*front, None, None, None, 0, None, None, None, count, None, None))
        for index in table.indexes:
            if (
                index.index_id == 0
                or (unique_only and not index.unique)
                or not _matches(values["index_name"], index.name or "")
            ):
                continue
            for k in index.key_columns:
                name = table.column_by_id(k.column_id).name
                kind = 1 if index.index_id == 1 else 3
                rows.append(
                    (
                        *front,
                        int(not index.unique),
                        table.name,
                        index.name,
                        kind,
                        k.key_ordinal,
                        name,
                        "D" if k.descending else "A",
                        count,
                        None,
                        None,
                    )
                )
    return _columns(spec), sorted(rows, key=lambda r: (r[3] or 0, r[6], r[5] or "", r[7] or 0))


def special_columns(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    """'R': the columns of the best unique key. 'V': the rowversion column."""
    spec = (
        "SCOPE smallint?, COLUMN_NAME name, DATA_TYPE smallint, TYPE_NAME name, PRECISION"
        " int?, LENGTH int?, SCALE smallint?, PSEUDO_COLUMN smallint"
    )
    kind = str(values["col_type"] or "R").upper()
    nullable = str(values["nullable"] or "U").upper() == "U"
    rows = []
    for _, _, table in _found(session, values, exact=True):
        for column in _versions(table) if kind == "V" else _best_key(table, nullable=nullable):
            info = _CODES["sysname" if column.is_sysname else catalogue_name(column.type.name)]
            precision, length, scale, _, _ = _sizes(column)
            rows.append(
                (
                    None if kind == "V" else 0,
                    column.name,
                    info[1],
                    catalogue_name(column.type.name),
                    precision,
                    length,
                    scale,
                    1,
                )
            )
    return _columns(spec), rows


def _versions(table: Table) -> list[TableColumn]:
    return [c for c in table.columns if c.type.name == "rowversion"]


def _best_key(table: Table, *, nullable: bool) -> list[TableColumn]:
    keys = sorted(
        (i for i in table.indexes if i.unique), key=lambda i: (i.key_kind != "PK", len(i.key_columns), i.index_id)
    )
    for index in keys:
        found = [table.column_by_id(k.column_id) for k in index.key_columns]
        if nullable or not any(c.nullable for c in found):
            return found
    return []


def table_collations(session: DuckDbSession, values: dict[str, Any]) -> Rows:
    """The collation of each column, as the five bytes of the protocol; NULL for columns without one."""
    spec = "colid int, name name, tds_collation vb(5)?, collation name?"
    name = parse_object_name(str(values["object"] or ""))
    statement = session.statement({})
    table = statement.database.table(name.schema, name.name) if name else None
    if table is None:
        return _columns(spec), []
    found = []
    for place, column in enumerate(table.columns, 1):
        collation = column.type.collation if column.type.name in STRINGS else None
        found.append((place, column.name, tds_collation(collation) if collation else None, collation))
    return _columns(spec), found


def tds_collation(name: str) -> bytes:
    """LCID 1033, comparison flags, and the sort order of the SQL collations ([MS-TDS] 2.2.5.1.2)."""
    upper = name.upper()
    flags = 0x0200 if upper.endswith(("_BIN2", "_BIN2_UTF8")) else 0x00C0 if "_CS_" in upper else 0x00D0
    version = 0x2 if "_100_" in upper else 0
    utf8 = 0x4000000 if upper.endswith("_UTF8") else 0
    sort = {"SQL_LATIN1_GENERAL_CP1_CI_AS": 52, "SQL_LATIN1_GENERAL_CP1_CS_AS": 51}.get(upper, 0)
    number = 0x409 | (flags << 16) | (version << 28) | utf8
    return (number & 0xFFFFFFFF).to_bytes(4, "little") + bytes([sort])

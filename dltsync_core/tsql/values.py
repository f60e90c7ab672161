"""A column's value as the server's own lossless text, and back: the styles that lose nothing, by type.

CONVERT's default styles lose: datetime minutes, float all but six digits, money all but two decimals. The styles that are used
(23, 121 and 126 of dates and times, 1 of bytes, 3 of floats) are defined to the last character. Those of money are not the
same in every engine that speaks T-SQL, so money is converted through the decimal that holds it exactly. A datetimeoffset is its
local time and its offset as ISO 8601 writes them: style 121 puts a blank before the offset, which DuckDB and other readers do
not accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.tsql.fragments import Composable, Identifier, Parameter, Sql, TypeName, sql
from dltsync_core.typemap.declared_type import declared_type

if TYPE_CHECKING:
    from typing_extensions import LiteralString

_CONVERSIONS: dict[str, LiteralString] = {
    "bit": "CONVERT(varchar(20), {value})",
    "tinyint": "CONVERT(varchar(20), {value})",
    "smallint": "CONVERT(varchar(20), {value})",
    "int": "CONVERT(varchar(20), {value})",
    "bigint": "CONVERT(varchar(20), {value})",
    "decimal": "CONVERT(varchar(50), {value})",
    "numeric": "CONVERT(varchar(50), {value})",
    "money": "CONVERT(varchar(50), CAST({value} AS decimal(19,4)))",
    "smallmoney": "CONVERT(varchar(50), CAST({value} AS decimal(10,4)))",
    "float": "CONVERT(varchar(40), {value}, 3)",
    # Of a real itself style 3 gives fewer digits; as a float it is the same number, and the text is a float's.
    "real": "CONVERT(varchar(40), CAST({value} AS float), 3)",
    "date": "CONVERT(varchar(10), {value}, 23)",
    "datetime": "CONVERT(varchar(30), {value}, 126)",
    "smalldatetime": "CONVERT(varchar(30), {value}, 126)",
    "datetime2": "CONVERT(varchar(40), {value}, 121)",
    "time": "CONVERT(varchar(40), {value}, 121)",
    "uniqueidentifier": "CONVERT(char(36), {value})",
    "xml": "CAST({value} AS nvarchar(max))",
    "text": "CAST({value} AS varchar(max))",
    "ntext": "CAST({value} AS nvarchar(max))",
    "image": "CONVERT(varchar(max), CAST({value} AS varbinary(max)), 1)",
    "json": "CAST({value} AS nvarchar(max))",
    "vector": "CAST({value} AS nvarchar(max))",
    "hierarchyid": "{value}.ToString()",
    "rowversion": "CONVERT(varchar(18), CONVERT(binary(8), {value}), 1)",
}
_LOCAL_AND_OFFSET: LiteralString = (
    "CONVERT(varchar(27), CAST({value} AS {local}), 121) + RIGHT(CONVERT(varchar(40), {value}, 121), 6)"
)
"""As datetime2 it is the local time with all its digits; the offset is the last six characters of any style that has one."""
_CLR_BYTES: LiteralString = "CONVERT(varchar(max), CAST({value} AS varbinary(max)), 1)"
"""geometry, geography and the types of the database's own: their serialised bytes."""
_VARIANT: LiteralString = """(SELECT t.base + N':' + CASE
      WHEN t.base IN (N'bit', N'tinyint', N'smallint', N'int', N'bigint') THEN CONVERT(nvarchar(4000), CAST(t.v AS bigint))
      WHEN t.base IN (N'decimal', N'numeric') THEN CONVERT(nvarchar(4000), t.v)
      WHEN t.base IN (N'money', N'smallmoney') THEN CONVERT(nvarchar(4000), CAST(CAST(t.v AS money) AS decimal(19,4)))
      WHEN t.base IN (N'float', N'real') THEN CONVERT(nvarchar(4000), CAST(t.v AS float), 3)
      WHEN t.base = N'date' THEN CONVERT(nvarchar(4000), CAST(t.v AS date), 23)
      WHEN t.base = N'datetime' THEN CONVERT(nvarchar(4000), CAST(t.v AS datetime), 126)
      WHEN t.base = N'smalldatetime' THEN CONVERT(nvarchar(4000), CAST(t.v AS smalldatetime), 126)
      WHEN t.base = N'datetime2' THEN CONVERT(nvarchar(4000), CAST(t.v AS datetime2(7)), 121)
      WHEN t.base = N'time' THEN CONVERT(nvarchar(4000), CAST(t.v AS time(7)), 121)
      WHEN t.base = N'datetimeoffset' THEN CONVERT(nvarchar(27), CAST(CAST(t.v AS datetimeoffset(7)) AS datetime2(7)), 121)
        + RIGHT(CONVERT(nvarchar(40), CAST(t.v AS datetimeoffset(7)), 121), 6)
      WHEN t.base = N'uniqueidentifier' THEN CONVERT(nvarchar(4000), CAST(t.v AS uniqueidentifier))
      WHEN t.base IN (N'binary', N'varbinary') THEN CONVERT(nvarchar(max), CAST(t.v AS varbinary(8000)), 1)
      WHEN t.base IN (N'char bytes', N'varchar bytes') THEN CONVERT(nvarchar(max), CAST(t.v AS varbinary(8000)), 1)
      ELSE CAST(t.v AS nvarchar(4000)) END
    FROM (SELECT {value} AS v, CAST(SQL_VARIANT_PROPERTY({value}, 'BaseType') AS nvarchar(128)) + CASE
      WHEN CAST(SQL_VARIANT_PROPERTY({value}, 'BaseType') AS nvarchar(128)) IN (N'char', N'varchar')
        AND DATALENGTH({value}) > 4000 THEN N' bytes' ELSE N'' END AS base) AS t)"""
"""A variant cannot be cast to a (max) type, and a cast of code page text to nvarchar(4000) would cut it without an error: so
its bytes are used."""
LONGEST_NVARCHAR = 4000
_DATE_ALONE = len("yyyy-mm-dd")
_LARGEST_HEX = 3999
"""Bytes whose hexadecimal text (two characters each, and 0x) still fits varchar(8000)."""


def as_text(column: ColumnFacts, value: Composable | None = None) -> Sql:
    """The expression that renders `value` (default: the column) as text without loss. NULL stays NULL."""
    operand = Identifier(column.name) if value is None else value
    name = column.type_name
    if name in {"binary", "varbinary"}:
        if 0 < column.max_length <= _LARGEST_HEX:
            return sql("CONVERT(varchar(8000), {value}, 1)", value=operand)
        return sql("CONVERT(varchar(max), {value}, 1)", value=operand)
    if name in {"char", "varchar", "nchar", "nvarchar"}:
        return sql("{value}", value=operand)
    if name == "sql_variant":
        return sql(_VARIANT, value=operand)
    if name == "datetimeoffset":
        local = TypeName(f"datetime2({column.scale})")
        return sql(_LOCAL_AND_OFFSET, value=operand, local=local)
    if name not in _CONVERSIONS and column.is_clr:
        return sql(_CLR_BYTES, value=operand)
    return sql(_CONVERSIONS[name], value=operand)


def as_binary_ordered_text(column: ColumnFacts) -> Sql:
    """As `as_text`, with one collation for all character types.

    Columns of different collations cannot be concatenated. The conversion to Unicode comes first: it reads the bytes by the
    column's own code page, and after it the collation decides nothing but comparisons.
    """
    name = Identifier(column.name)
    if column.type_name not in {"char", "varchar", "nchar", "nvarchar", "text", "ntext"}:
        return as_text(column)
    if 0 < column.max_length <= LONGEST_NVARCHAR and column.type_name not in {"text", "ntext"}:
        return sql("CONVERT(nvarchar(4000), {name}) COLLATE Latin1_General_100_BIN2", name=name)
    return sql("CONVERT(nvarchar(max), {name}) COLLATE Latin1_General_100_BIN2", name=name)


def from_text(column: ColumnFacts, text: str) -> Sql:
    """A parameter in exactly the column's type, so that a comparison with the bare column can use partitions and indexes."""
    exact, value = TypeName(declared_type(column)), Parameter(text)
    if column.type_name in {"binary", "varbinary", "rowversion"}:
        return sql("CONVERT({exact}, {value}, 1)", exact=exact, value=value)
    if column.type_name in {"datetime", "smalldatetime"}:
        # Without the style the conversion depends on the session's language; style 126 needs the time as well.
        value = Parameter(f"{text}T00:00:00" if len(text) == _DATE_ALONE else text)
        return sql("CONVERT({exact}, {value}, 126)", exact=exact, value=value)
    return sql("CAST({value} AS {exact})", exact=exact, value=value)

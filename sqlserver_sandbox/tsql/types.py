"""Declared types: from the words of a statement to a `SqlType`, and what the catalogue says about each."""

from __future__ import annotations

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import TypeSpec

PRECEDENCE = [
    "datetimeoffset",
    "datetime2",
    "datetime",
    "smalldatetime",
    "date",
    "time",
    "float",
    "real",
    "decimal",
    "numeric",
    "money",
    "smallmoney",
    "bigint",
    "int",
    "smallint",
    "tinyint",
    "bit",
    "ntext",
    "text",
    "image",
    "rowversion",
    "uniqueidentifier",
    "nvarchar",
    "nchar",
    "varchar",
    "char",
    "varbinary",
    "binary",
]
"""Data type precedence, highest first ('Data type precedence' in Microsoft's reference); xml and sql_variant never mix."""

INTEGERS = ("tinyint", "smallint", "int", "bigint")
DECIMALS = ("decimal", "numeric")
MONEY = ("money", "smallmoney")
FLOATS = ("float", "real")
STRINGS = ("char", "varchar", "nchar", "nvarchar", "text", "ntext")
UNICODE = ("nchar", "nvarchar", "ntext")
BINARIES = ("binary", "varbinary", "image", "rowversion")
DATETIMES = ("date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset")
LOB = ("text", "ntext", "image", "xml")
NUMBERS = ("bit", *INTEGERS, *DECIMALS, *MONEY, *FLOATS)

_SYNONYMS = {"integer": "int", "dec": "decimal", "timestamp": "rowversion", "character": "char", "sysname": "nvarchar"}
_PLAIN = frozenset(
    [
        "bit",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "money",
        "smallmoney",
        "real",
        "date",
        "datetime",
        "smalldatetime",
        "text",
        "ntext",
        "image",
        "xml",
        "rowversion",
        "uniqueidentifier",
    ]
)
_REFUSED = frozenset(["sql_variant", "hierarchyid", "geometry", "geography", "json", "vector", "table", "cursor"])

INT_RANGE = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
INT_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
MONEY_DIGITS = {"money": (19, 4), "smallmoney": (10, 4)}

MAX_PARTITIONS = 15_000
"""Of one table (SQL Server docs: CREATE PARTITION FUNCTION)."""
SYSTEM_TYPE_ID = {
    "image": 34,
    "text": 35,
    "uniqueidentifier": 36,
    "date": 40,
    "time": 41,
    "datetime2": 42,
    "datetimeoffset": 43,
    "tinyint": 48,
    "smallint": 52,
    "int": 56,
    "smalldatetime": 58,
    "real": 59,
    "money": 60,
    "datetime": 61,
    "float": 62,
    "sql_variant": 98,
    "ntext": 99,
    "bit": 104,
    "decimal": 106,
    "numeric": 108,
    "smallmoney": 122,
    "bigint": 127,
    "varbinary": 165,
    "varchar": 167,
    "binary": 173,
    "char": 175,
    "rowversion": 189,
    "nvarchar": 231,
    "nchar": 239,
    "xml": 241,
}
"""sys.types.system_type_id."""

DUCK_TYPE = {
    "bit": "BOOLEAN",
    "tinyint": "UTINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "DOUBLE",
    "real": "FLOAT",
    "date": "DATE",
    "time": "BIGINT",
    "datetime2": "BIGINT",
    "datetime": "BIGINT",
    "smalldatetime": "BIGINT",
    "datetimeoffset": 'STRUCT(ticks BIGINT, "offset" SMALLINT)',
    "money": "DECIMAL(19,4)",
    "smallmoney": "DECIMAL(10,4)",
    "char": "VARCHAR",
    "varchar": "VARCHAR",
    "nchar": "VARCHAR",
    "nvarchar": "VARCHAR",
    "text": "VARCHAR",
    "ntext": "VARCHAR",
    "xml": "VARCHAR",
    "binary": "BLOB",
    "varbinary": "BLOB",
    "image": "BLOB",
    "rowversion": "BLOB",
    "uniqueidentifier": "VARCHAR",
}


def duck_type(declared: SqlType) -> str:
    """The DuckDB type that stores `declared` (see `model`)."""
    if declared.name in DECIMALS:
        return f"DECIMAL({declared.precision},{declared.scale})"
    return DUCK_TYPE[declared.name]


def resolve(spec: TypeSpec, *, default_length: int = 1, line: int = 1, collation: str = DEFAULT_COLLATION) -> SqlType:
    """The type a statement names. `default_length` of char and binary types is 1 in DDL and DECLARE, 30 in CAST.

    Raises 2715 (no such type), 131 or 1001 or 2750 (bad length, precision), and the refusal for types off the list.
    """
    name = _SYNONYMS.get(spec.name, spec.name)
    if name in _REFUSED:
        raise refused(f"the type {name}", line=line)
    if spec.name == "sysname":
        return SqlType("nvarchar", 128, collation=collation)
    if name in _PLAIN:
        if spec.args is not None:
            raise SqlError(
                2716,
                f"Column, parameter, or variable #1: Cannot specify a column width on data type {spec.name}.",
                line=line,
            )
        return SqlType(name, collation=collation if name in STRINGS else None)
    if name in DECIMALS:
        return _decimal(name, spec, line)
    if name == "float":
        bits = spec.args[0] if spec.args else 53
        if not 1 <= bits <= 53 or len(spec.args or ()) > 1:
            raise _bad_size(bits, line)
        return SqlType("float" if bits > 24 else "real")
    if name in ("time", "datetime2", "datetimeoffset"):
        scale = spec.args[0] if spec.args else 7
        if not 0 <= scale <= 7 or len(spec.args or ()) > 1:
            raise SqlError(1002, f"Line {line}: Specified scale {scale} is invalid.", class_=15, line=line)
        return SqlType(name, scale=scale)
    if name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        return _sized(name, spec, default_length, line, collation)
    raise SqlError(2715, f"Column, parameter, or variable #1: Cannot find data type {spec.name}.", line=line)


def _decimal(name: str, spec: TypeSpec, line: int) -> SqlType:
    precision, scale = (*(spec.args or (18,)), 0)[:2]
    if not 1 <= precision <= 38:
        raise SqlError(
            2750,
            f"Column or parameter #1: Specified column precision {precision} is greater than the maximum precision of 38.",
            line=line,
        )
    if not 0 <= scale <= precision:
        raise SqlError(183, "The scale must be less than or equal to the precision.", class_=15, line=line)
    return SqlType(name, precision=precision, scale=scale)


def _sized(name: str, spec: TypeSpec, default_length: int, line: int, collation: str) -> SqlType:
    length = spec.args[0] if spec.args else default_length
    limit = 4000 if name in ("nchar", "nvarchar") else 8000
    if len(spec.args or ()) > 1 or (length == MAX and name in ("char", "nchar", "binary")):
        raise SqlError(
            102, "Incorrect syntax near 'max'." if length == MAX else "Incorrect syntax near ','.", class_=15, line=line
        )
    if length != MAX and length < 1:
        raise _bad_size(length, line)
    if length > limit:
        raise SqlError(
            131,
            f"The size ({length}) given to the type '{name}' exceeds the maximum allowed ({limit}).",
            class_=15,
            line=line,
        )
    return SqlType(name, length, collation=collation if name in STRINGS else None)


def _bad_size(size: int, line: int) -> SqlError:
    return SqlError(1001, f"Line {line}: Length or precision specification {size} is invalid.", class_=15, line=line)


# ---- facts about a type ------------------------------------------------------------------------------------------
def is_max(declared: SqlType) -> bool:
    return declared.length == MAX or declared.name in LOB


def catalogue_sizes(declared: SqlType) -> tuple[int, int, int]:
    """(max_length in bytes, precision, scale) as sys.columns shows them."""
    name, length = declared.name, declared.length
    if name in DECIMALS:
        return _decimal_bytes(declared.precision), declared.precision, declared.scale
    if name in ("time", "datetime2", "datetimeoffset"):
        return _fraction_bytes(name, declared.scale), _fraction_precision(name, declared.scale), declared.scale
    if name in ("nchar", "nvarchar"):
        return (MAX if length == MAX else 2 * length), 0, 0
    if name in ("char", "varchar", "binary", "varbinary"):
        return length, 0, 0
    return _FIXED_SIZES[name]


_FIXED_SIZES = {
    "bit": (1, 1, 0),
    "tinyint": (1, 3, 0),
    "smallint": (2, 5, 0),
    "int": (4, 10, 0),
    "bigint": (8, 19, 0),
    "money": (8, 19, 4),
    "smallmoney": (4, 10, 4),
    "float": (8, 53, 0),
    "real": (4, 24, 0),
    "date": (3, 10, 0),
    "datetime": (8, 23, 3),
    "smalldatetime": (4, 16, 0),
    "uniqueidentifier": (16, 0, 0),
    "rowversion": (8, 0, 0),
    "text": (16, 0, 0),
    "ntext": (16, 0, 0),
    "image": (16, 0, 0),
    "xml": (-1, 0, 0),
    "sql_variant": (8016, 0, 0),
}


def _decimal_bytes(precision: int) -> int:
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def _fraction_bytes(name: str, scale: int) -> int:
    base = 3 if scale <= 2 else 4 if scale <= 4 else 5
    return base + {"time": 0, "datetime2": 3, "datetimeoffset": 5}[name]


def _fraction_precision(name: str, scale: int) -> int:
    base = {"time": 8, "datetime2": 19, "datetimeoffset": 26}[name]
    return base + (scale + 1 if scale else 0)


def describe(declared: SqlType) -> str:
    """The type as DDL spells it: nvarchar(50), decimal(18,2), datetime2(3)."""
    if declared.name in DECIMALS:
        return f"{declared.name}({declared.precision},{declared.scale})"
    if declared.name in ("time", "datetime2", "datetimeoffset"):
        return f"{declared.name}({declared.scale})"
    if declared.length:
        return f"{declared.name}({'max' if declared.length == MAX else declared.length})"
    return catalogue_name(declared.name)


def catalogue_name(name: str) -> str:
    """sys.types spells rowversion 'timestamp'."""
    return "timestamp" if name == "rowversion" else name


def decimal_shape(declared: SqlType) -> tuple[int, int]:
    """(precision, scale) that an exact number has when it meets a decimal."""
    if declared.name in DECIMALS:
        return declared.precision, declared.scale
    if declared.name in MONEY:
        return MONEY_DIGITS[declared.name]
    return INT_DIGITS[declared.name], 0

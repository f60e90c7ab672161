"""sp_datatype_info: what ODBC's SQLGetTypeInfo shows, one row per type. Drivers take fractional digits from here."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.declaration import Rows, as_columns

SPEC = (
    "TYPE_NAME name, DATA_TYPE smallint, PRECISION int?, LITERAL_PREFIX v(32)?,"
    " LITERAL_SUFFIX v(32)?, CREATE_PARAMS v(32)?, NULLABLE smallint,"
    " CASE_SENSITIVE smallint, SEARCHABLE smallint, UNSIGNED_ATTRIBUTE smallint?, MONEY smallint, AUTO_INCREMENT smallint?,"
    " LOCAL_TYPE_NAME name?, MINIMUM_SCALE smallint?, MAXIMUM_SCALE smallint?,"
    " SQL_DATA_TYPE smallint, SQL_DATETIME_SUB smallint?,"
    " NUM_PREC_RADIX int?, INTERVAL_PRECISION smallint?, USERTYPE smallint"
)


def _row(
    name: str,
    code: int,
    precision: int | None,
    *,
    prefix: str | None = None,
    suffix: str | None = None,
    params: str | None = None,
    nullable: int = 1,
    case: int = 0,
    search: int = 2,
    unsigned: int | None = None,
    money: int = 0,
    auto: int | None = None,
    scales: tuple[int | None, int | None] = (None, None),
    sql_type: int | None = None,
    sub: int | None = None,
    radix: int | None = None,
    usertype: int = 0,
) -> tuple[Any, ...]:
    return (
        name,
        code,
        precision,
        prefix,
        suffix,
        params,
        nullable,
        case,
        search,
        unsigned,
        money,
        auto,
        name,
        *scales,
        code if sql_type is None else sql_type,
        sub,
        radix,
        None,
        usertype,
    )


def _integer(name: str, code: int, precision: int, usertype: int) -> list[tuple[Any, ...]]:
    unsigned = 1 if name == "tinyint" else 0
    plain = _row(name, code, precision, unsigned=unsigned, auto=0, scales=(0, 0), radix=10, usertype=usertype)
    counted = _row(
        f"{name} identity",
        code,
        precision,
        nullable=0,
        unsigned=unsigned,
        auto=1,
        scales=(0, 0),
        radix=10,
        usertype=usertype,
    )
    return [plain, counted]


def _exact(name: str, code: int, usertype: int) -> list[tuple[Any, ...]]:
    return [
        _row(name, code, 38, params="precision,scale", unsigned=0, auto=0, scales=(0, 38), radix=10, usertype=usertype),
        _row(
            f"{name}() identity",
            code,
            38,
            params="precision",
            nullable=0,
            unsigned=0,
            auto=1,
            scales=(0, 0),
            radix=10,
            usertype=usertype,
        ),
    ]


ROWS: list[tuple[Any, ...]] = [
    _row("sql_variant", -150, 8000, scales=(0, 0), radix=10, usertype=39),
    _row(
        "datetimeoffset", -155, 34, prefix="'", suffix="'", params="scale", search=3, scales=(0, 7), sub=0, usertype=0
    ),
    _row("time", -154, 16, prefix="'", suffix="'", params="scale", search=3, scales=(0, 7), sub=0, usertype=0),
    _row("xml", -152, 0, prefix="N'", suffix="'", case=1, search=0, usertype=0),
    _row("uniqueidentifier", -11, 36, prefix="'", suffix="'", usertype=37),
    _row("ntext", -10, 1073741823, prefix="N'", suffix="'", search=1, usertype=0),
    _row("nvarchar", -9, 4000, prefix="N'", suffix="'", params="max length", search=3, usertype=0),
    _row("sysname", -9, 128, prefix="N'", suffix="'", nullable=0, search=3, usertype=18),
    _row("nchar", -8, 4000, prefix="N'", suffix="'", params="length", search=3, usertype=0),
    _row("bit", -7, 1, scales=(0, 0), usertype=16),
    *_integer("tinyint", -6, 3, 5),
    *_integer("bigint", -5, 19, 0),
    _row("image", -4, 2147483647, prefix="0x", search=0, usertype=20),
    _row("varbinary", -3, 8000, prefix="0x", params="max length", usertype=4),
    _row("binary", -2, 8000, prefix="0x", params="length", usertype=3),
    _row("timestamp", -2, 8, prefix="0x", nullable=0, usertype=80),
    _row("text", -1, 2147483647, prefix="'", suffix="'", search=1, usertype=19),
    _row("char", 1, 8000, prefix="'", suffix="'", params="length", search=3, usertype=1),
    *_exact("numeric", 2, 10),
    *_exact("decimal", 3, 24),
    _row("money", 3, 19, prefix="$", unsigned=0, money=1, auto=0, scales=(4, 4), radix=10, usertype=11),
    _row("smallmoney", 3, 10, prefix="$", unsigned=0, money=1, auto=0, scales=(4, 4), radix=10, usertype=21),
    *_integer("int", 4, 10, 7),
    *_integer("smallint", 5, 5, 6),
    _row("float", 6, 53, unsigned=0, auto=0, radix=2, usertype=8),
    _row("real", 7, 24, unsigned=0, auto=0, radix=2, usertype=23),
    _row("date", 91, 10, prefix="'", suffix="'", search=3, sql_type=9, sub=1, usertype=0),
    _row(
        "datetime2",
        93,
        27,
        prefix="'",
        suffix="'",
        params="scale",
        search=3,
        scales=(0, 7),
        sql_type=9,
        sub=3,
        usertype=0,
    ),
    _row("datetime", 93, 23, prefix="'", suffix="'", search=3, scales=(3, 3), sql_type=9, sub=3, usertype=12),
    _row("smalldatetime", 93, 16, prefix="'", suffix="'", search=3, scales=(0, 0), sql_type=9, sub=3, usertype=22),
    _row("varchar", 12, 8000, prefix="'", suffix="'", params="max length", search=3, usertype=2),
]


def datatype_info(execution: Execution, values: dict[str, Any]) -> Rows:
    """All types, or those of one ODBC code. Code 93 (timestamp) is datetime2, datetime and smalldatetime."""
    wanted = values["data_type"]
    # ODBC 2 codes of dates and times, and 0 for everything.
    code = {None: 0, 9: 91, 10: -154, 11: 93}.get(wanted, wanted)
    found = [r for r in ROWS if code in (0, r[1])]
    return as_columns(SPEC), sorted(found, key=lambda r: (r[1], r[11] or 0, r[10], r[19]))

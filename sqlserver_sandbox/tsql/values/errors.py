"""The errors of conversions, in SQL Server's words."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError, SqlType


def conversion_failed(value: str, source: SqlType, target: SqlType) -> SqlError:
    """245: text that is no such number."""
    return SqlError(
        245, f"Conversion failed when converting the {source.name} value '{value}' to data type {target.name}."
    )


def error_converting(source: SqlType, target: SqlType) -> SqlError:
    """8114."""
    return SqlError(8114, f"Error converting data type {source.name} to {_numeric(target.name)}.")


def overflow(source: str, target: SqlType) -> SqlError:
    """8115."""
    return SqlError(8115, f"Arithmetic overflow error converting {source} to data type {_numeric(target.name)}.")


def int_overflow(value: str, source: SqlType, target: SqlType) -> SqlError:
    """A number too large for an integer type: 8115 for int and bigint, 220 for the small ones, 232 from float."""
    if source.name in ("float", "real"):
        return SqlError(232, f"Arithmetic overflow error for type {target.name}, value = {value}.")
    if target.name in ("smallint", "tinyint") and source.name in ("tinyint", "smallint", "int", "bigint"):
        return SqlError(220, f"Arithmetic overflow error for data type {target.name}, value = {value}.")
    return overflow(
        "expression" if source.name in ("int", "bigint", "smallint", "tinyint", "bit") else _numeric(source.name),
        target,
    )


def text_overflow(value: str, source: SqlType, target: SqlType) -> SqlError:
    """Digits that do not fit an integer type: 248 for int, 244 for the small ones, 8115 for bigint."""
    if target.name == "int":
        return SqlError(248, f"The conversion of the {source.name} value '{value}' overflowed an int column.")
    if target.name in ("smallint", "tinyint"):
        kind = {"smallint": "INT2", "tinyint": "INT1"}[target.name]
        return SqlError(
            244,
            f"The conversion of the {source.name} value '{value}' overflowed an {kind} column. Use a larger integer column.",
        )
    return overflow("expression", target)


def bad_date() -> SqlError:
    """241."""
    return SqlError(241, "Conversion failed when converting date and/or time from character string.")


def date_out_of_range(source: SqlType, target: SqlType) -> SqlError:
    """242."""
    return SqlError(
        242,
        f"The conversion of a {source.name} data type to a {target.name} data type resulted in an out-of-range value.",
    )


def _numeric(name: str) -> str:
    return "numeric" if name == "decimal" else name

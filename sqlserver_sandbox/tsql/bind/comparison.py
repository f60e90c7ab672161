"""Equality and order: what a value is compared by, so that DuckDB's =, <, GROUP BY and ORDER BY answer as SQL Server's."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql import collations
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, DECIMALS, LOB, MONEY, UNICODE, decimal_shape
from sqlserver_sandbox.tsql.values.storage import text_literal

_FOLDS = {"ci": "fold_ci", "cs": "fold_cs"}


def equality_key(bound: Bound) -> str:
    """DuckDB text equal for two values exactly when SQL Server calls them equal."""
    name = bound.type.name
    if name in LOB or name == "sql_variant":
        raise SqlError(402, f"The data types {name} and {name} are incompatible in the equal to operator.")
    if bound.is_text:
        kind = collations.collation(bound.collation).kind
        if bound.constant is not None and isinstance(bound.constant.value, str):
            return text_literal(collations.comparison_key(bound.constant.value, kind))
        if bound.plain and kind == "ci":
            return f"lower(rtrim({bound.sql}, ' '))"
        return f"{_FOLDS[kind]}({bound.sql})" if kind in _FOLDS else f"rtrim({bound.sql}, ' ')"
    if name in BINARIES and name != "rowversion":
        # Zero bytes at the end do not count, as blanks do not in text.
        return f"rtrim(hex({bound.sql}), '0')"
    return f"{bound.sql}.ticks" if name == "datetimeoffset" else bound.sql


def order_key(bound: Bound) -> str:
    """DuckDB text that sorts as SQL Server sorts the value; text whose order is not certain is refused when a row has it."""
    if bound.is_text and bound.type.name not in LOB:
        collation = collations.collation(bound.collation)
        if collation.kind == "cs":
            raise refused(f"ordering text under {collation.name}; use a _CI_AS or _BIN2 collation")
        if collation.kind == "ci":
            return f"order_ci({bound.sql})"
        return f"{'order_bin_unicode' if bound.type.name in UNICODE else 'order_bin_varchar'}({bound.sql})"
    if bound.type.name == "uniqueidentifier":
        return f"order_guid({bound.sql})"
    if bound.type.name == "bit":
        return f"CAST({bound.sql} AS INTEGER)"
    return equality_key(bound)


def matched(left: Bound, right: Bound, operator: str) -> tuple[Bound, Bound]:
    """Both sides in the type they are compared in."""
    pair = (left, right)
    target, label = common_type(pair, _WORDS.get(operator, operator))
    _check_pair(left, right, operator)
    if target.name in (*DECIMALS, *MONEY):
        target = _exact(left.type, right.type, target)
    if target.name in ("datetime2", "datetimeoffset", "time"):
        # Comparing keeps every digit of both sides.
        target = SqlType(target.name, scale=7)
    return _side(left, target, label), _side(right, target, label)


def _side(bound: Bound, target: SqlType, label: str) -> Bound:
    if bound.is_text and target.collation:
        # Lengths do not matter to a comparison: no cutting, no padding.
        text = SqlType("nvarchar" if target.name in UNICODE else "varchar", -1, collation=target.collation)
        source = SqlType(bound.type.name, bound.type.length, collation=target.collation)
        return convert(Bound(bound.sql, source, bound.nullable, bound.constant, label, bound.null_literal), text)
    return convert(bound, target, explicit=False)


def _exact(left: SqlType, right: SqlType, target: SqlType) -> SqlType:
    shapes = [
        decimal_shape(t)
        for t in (left, right)
        if t.name in (*DECIMALS, *MONEY, "tinyint", "smallint", "int", "bigint", "bit")
    ]
    scale = max(s for _, s in shapes)
    whole = max(p - s for p, s in shapes)
    if scale + whole > 38:
        raise refused("comparing decimals that need more than 38 digits together")
    return SqlType("decimal", precision=scale + whole, scale=scale)


_WORDS = {
    "=": "equal to",
    "<>": "not equal to",
    "<": "less than",
    ">": "greater than",
    "<=": "less than or equal to",
    ">=": "greater than or equal to",
}


def _check_pair(left: Bound, right: Bound, operator: str) -> None:
    for side in (left, right):
        if side.type.name in LOB:
            raise SqlError(
                402,
                f"The data types {left.type.name} and {right.type.name} are incompatible"
                f" in the {_WORDS.get(operator, operator)} operator.",
            )


def compare(left: Bound, right: Bound, operator: str) -> str:
    """The comparison as a DuckDB condition (true, false or NULL)."""
    a, b = matched(left, right, operator)
    if operator in ("=", "<>"):
        return f"({equality_key(a)} {operator} {equality_key(b)})"
    return f"({order_key(a)} {operator} {order_key(b)})"

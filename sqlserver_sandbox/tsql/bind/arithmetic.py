"""+ - * / % and the bitwise operators: SQL Server's result types, its rounding, its errors."""

from __future__ import annotations

import json
from decimal import Decimal

from sqlserver_sandbox.model import MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, cast, computed, constant, raise_sql
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.unify import common_collation, common_type
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import (
    BINARIES,
    DATETIMES,
    DECIMALS,
    FLOATS,
    INTEGERS,
    LOB,
    MONEY,
    STRINGS,
    UNICODE,
    decimal_shape,
)
from sqlserver_sandbox.tsql.values.storage import text_literal

_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}
_NARROW = 18
"""Digits of a DuckDB decimal that is kept in 64 bits."""
DIVIDE_BY_ZERO = SqlError(8134, "Divide by zero error encountered.")


def decimal_result(operator: str, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """(precision, scale) of an exact result ('Precision, scale, and length')."""
    (p1, s1), (p2, s2) = left, right
    if operator in "+-":
        scale = max(s1, s2)
        whole = max(p1 - s1, p2 - s2)
        precision = whole + scale + 1
        if precision > 38:
            return 38, min(scale, max(38 - whole, 0))
        return precision, scale
    if operator == "%":
        return min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)
    if operator == "*":
        precision, scale = p1 + p2 + 1, s1 + s2
    else:
        scale = max(6, s1 + p2 + 1)
        precision = p1 - s1 + s2 + scale
    return _capped(precision, scale)


def _capped(precision: int, scale: int) -> tuple[int, int]:
    """Results of * and / wider than 38 digits: the scale gives way, but never below 6 unless it was there already."""
    if precision <= 38:
        return precision, scale
    whole = precision - scale
    if whole < 32:
        return 38, min(scale, 38 - whole)
    return 38, min(scale, 6)


def arithmetic(operator: str, left: Bound, right: Bound) -> Bound:
    """`left operator right`. Raises 402 or 8117 for types that have no such operator."""
    if operator == "+" and _joins_text(left, right):
        return concatenate(left, right)
    _check_operands(operator, left, right)
    names = {p.type.name for p in (left, right) if not p.null_literal}
    if operator in "&|^":
        return _bitwise(operator, left, right)
    target, _ = common_type((left, right))
    if target.name in STRINGS:
        raise _incompatible(operator, left, right)
    if target.name in INTEGERS or (target.name == "bit" and names == {"bit"}):
        if target.name == "bit":
            raise _incompatible(operator, left, right)
        return _integers(operator, left, right, target)
    if target.name in FLOATS:
        return _floats(operator, left, right, target)
    if target.name in MONEY:
        return _money(operator, left, right, target)
    return _decimals(operator, left, right)


def _joins_text(left: Bound, right: Bound) -> bool:
    def text_like(b: Bound) -> bool:
        return b.is_text or b.null_literal

    return text_like(left) and text_like(right) and (left.is_text or right.is_text)


def _check_operands(operator: str, left: Bound, right: Bound) -> None:
    for side in (left, right):
        name = side.type.name
        if name in DATETIMES:
            raise refused(f"{_NAMES.get(operator, operator)} with {name}; use DATEADD or DATEDIFF")
        if name in BINARIES and not (left.type.name in INTEGERS or right.type.name in INTEGERS):
            raise refused(f"{_NAMES.get(operator, operator)} with {name}")
        if name in LOB or name in ("uniqueidentifier", "sql_variant"):
            raise SqlError(8117, f"Operand data type {name} is invalid for {_NAMES.get(operator, operator)} operator.")


def _incompatible(operator: str, left: Bound, right: Bound) -> SqlError:
    name = left.type.name
    if operator == "+" or left.type.name != right.type.name:
        return SqlError(
            402,
            f"The data types {left.type.name} and {right.type.name} are incompatible in the {_NAMES[operator]} operator.",
        )
    return SqlError(8117, f"Operand data type {name} is invalid for {_NAMES[operator]} operator.")


def _integers(operator: str, left: Bound, right: Bound, target: SqlType) -> Bound:
    a, b = convert(left, target, explicit=False), convert(right, target, explicit=False)
    if operator in "+-*":
        return computed(f"({a.sql} {operator} {b.sql})", target, a, b)
    op = "//" if operator == "/" else "%"
    return computed(_guarded(f"{a.sql} {op} {b.sql}", b.sql, target), target, a, b)


def _guarded(expression: str, divisor: str, target: SqlType) -> str:
    return cast(f"CASE WHEN {divisor} = 0 THEN {raise_sql(DIVIDE_BY_ZERO, target)} ELSE {expression} END", target)


def _floats(operator: str, left: Bound, right: Bound, target: SqlType) -> Bound:
    if operator == "%":
        raise SqlError(
            402, f"The data types {left.type.name} and {right.type.name} are incompatible in the modulo operator."
        )
    a, b = convert(left, target, explicit=False), convert(right, target, explicit=False)
    value = f"{a.sql} {operator} {b.sql}"
    if operator == "/":
        value = _guarded(value, b.sql, target)
    return computed(f"finite_{target.name}({value})", target, a, b)


def _money(operator: str, left: Bound, right: Bound, target: SqlType) -> Bound:
    a, b = convert(left, target, explicit=False), convert(right, target, explicit=False)
    if operator in "+-":
        return computed(_exactly(operator, a.sql, b.sql, a.type, b.type, target), target, a, b)
    raise refused(f"{_NAMES[operator]} with {target.name}; cast to decimal first")


def _decimals(operator: str, left: Bound, right: Bound) -> Bound:
    sides = []
    for side, other in ((left, right), (right, left)):
        if side.type.name in STRINGS:
            # Text takes the other side's type.
            side = convert(side, other.type, explicit=False)
        elif side.null_literal:
            side = constant(None, other.type)
        elif side.type.name == "bit":
            side = convert(side, SqlType("int"))
        sides.append(side)
    a, b = sides
    shapes = (_shape(a), _shape(b))
    precision, scale = decimal_result(operator, *shapes)
    target = SqlType("numeric", precision=precision, scale=scale)
    ea, eb = (convert(s, SqlType("numeric", precision=p, scale=q)) for s, (p, q) in zip((a, b), shapes, strict=True))
    return computed(_exactly(operator, ea.sql, eb.sql, ea.type, eb.type, target), target, a, b)


def _shape(bound: Bound) -> tuple[int, int]:
    """An integer literal brings only the digits it has."""
    if bound.type.name in INTEGERS and bound.constant is not None and bound.label == "literal":
        return max(1, len(str(abs(int(str(bound.constant.value)))))), 0
    return decimal_shape(bound.type)


def _exactly(operator: str, a: str, b: str, left: SqlType, right: SqlType, target: SqlType) -> str:
    """Exact decimal arithmetic: DuckDB's own where no digit is lost, else the reference."""
    (p1, s1), (p2, s2) = decimal_shape(left), decimal_shape(right)
    precision, scale = decimal_shape(target)
    if operator in "+-" and scale == max(s1, s2) and precision < 38:
        wide = f"DECIMAL({precision},{scale})"
        return cast(f"(CAST({a} AS {wide}) {operator} CAST({b} AS {wide}))", target)
    if operator == "*" and p1 + p2 <= 38 and scale == s1 + s2:
        if max(p1, p2) <= _NARROW < p1 + p2:
            # DuckDB would multiply in 64 bits and overflow; one wide operand makes it use 128.
            a = f"CAST({a} AS DECIMAL({_NARROW + 1},{s1}))"
        return cast(f"({a} * {b})", target)
    spec = json.dumps([operator, precision, scale])
    return cast(f"exact_decimal({text_literal(spec)}, CAST({a} AS VARCHAR), CAST({b} AS VARCHAR))", target)


def _bitwise(operator: str, left: Bound, right: Bound) -> Bound:
    target, _ = common_type((left, right))
    if target.name not in INTEGERS:
        raise SqlError(
            402, f"The data types {left.type.name} and {right.type.name} are incompatible in the '{operator}' operator."
        )
    a, b = convert(left, target), convert(right, target)
    text = f"xor({a.sql}, {b.sql})" if operator == "^" else f"({a.sql} {operator} {b.sql})"
    return computed(text, target, a, b)


def negate(operand: Bound) -> Bound:
    """Unary minus."""
    declared = operand.type
    if declared.name == "bit" or declared.name not in (*INTEGERS, *DECIMALS, *MONEY, *FLOATS):
        raise SqlError(8117, f"Operand data type {declared.name} is invalid for minus operator.")
    if declared.name == "tinyint":
        operand = convert(operand, SqlType("smallint"))
        declared = operand.type
    if operand.constant is not None and operand.constant.value is not None:
        value = operand.constant.value
        # Not the minus sign: it would round to the thread's context of 28 digits.
        negated = value.copy_negate() if isinstance(value, Decimal) else -value  # type: ignore[operator]
        return constant(negated, declared, label=operand.label)
    return computed(f"(-{operand.sql})", declared, operand)


def concatenate(left: Bound, right: Bound) -> Bound:
    """text + text: NULL when either is; cut at 8000 bytes unless one is a (max)."""
    collation, label = common_collation((left, right), "add")
    declared = concatenated_type([p.type for p in (left, right) if not p.null_literal], collation)
    unbounded = SqlType(declared.name, MAX, collation=collation)
    a, b = convert(left, unbounded), convert(right, unbounded)
    if a.constant is not None and b.constant is not None:
        if a.constant.value is None or b.constant.value is None:
            return constant(None, declared, label=label)
        return convert(constant(f"{a.constant.value}{b.constant.value}", unbounded, label=label), declared)
    lengths = [p.type.length for p in (left, right) if not p.null_literal]
    limit = 4000 if declared.name in UNICODE else 8000
    if declared.length == MAX or sum(lengths) <= limit:
        return computed(f"({a.sql} || {b.sql})", declared, left, right, label=label)
    return convert(computed(f"({a.sql} || {b.sql})", unbounded, left, right, label=label), declared)


def concatenated_type(types: list[SqlType], collation: str) -> SqlType:
    if any(t.name in LOB for t in types):
        raise refused("joining text, ntext or xml values; cast to a (max) type")
    unicode = any(t.name in UNICODE for t in types)
    limit = 4000 if unicode else 8000
    name = "nvarchar" if unicode else "varchar"
    if any(t.length == MAX for t in types):
        return SqlType(name, MAX, collation=collation)
    return SqlType(name, max(1, min(limit, sum(t.length for t in types))), collation=collation)

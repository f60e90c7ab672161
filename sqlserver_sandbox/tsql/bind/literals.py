"""Literals: what type each has, exactly as SQL Server reads it."""

from __future__ import annotations

from decimal import Decimal

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, constant, null
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import Literal
from sqlserver_sandbox.tsql.values.texts import encode_1252, units


def bind_literal(node: Literal) -> Bound:
    """The value with its type: 1 is int, 2147483648 is numeric(10,0), 1.50 is numeric(3,2), 'ab' is varchar(2)."""
    text = node.text
    if node.kind == "null":
        return null()
    if node.kind == "integer":
        return _integer(text)
    if node.kind == "decimal":
        return _decimal(text)
    if node.kind == "float":
        return constant(float(text if text[-1].isdigit() else text + "0"), SqlType("float"))
    if node.kind == "money":
        return constant(Decimal(text[1:]).quantize(Decimal("0.0001")), SqlType("money"))
    if node.kind == "binary":
        digits = text[2:]
        data = bytes.fromhex("0" * (len(digits) % 2) + digits)
        return constant(data, SqlType("varbinary", _length(len(data), 8000)))
    if node.kind == "nstring":
        return constant(text, SqlType("nvarchar", _length(units(text), 4000), collation=DEFAULT_COLLATION))
    if node.kind == "string":
        encode_1252(text)
        return constant(text, SqlType("varchar", _length(len(text), 8000), collation=DEFAULT_COLLATION))
    raise refused(f"{node.kind} literals")


def _length(length: int, limit: int) -> int:
    return MAX if length > limit else max(1, length)


def _integer(text: str) -> Bound:
    value = int(text)
    if value < 2**31:
        return constant(value, SqlType("int"), label="literal")
    return _decimal(text)


def _decimal(text: str) -> Bound:
    whole, _, fraction = text.partition(".")
    whole = whole.lstrip("0")
    precision, scale = max(1, len(whole) + len(fraction)), len(fraction)
    if precision > 38:
        raise SqlError(
            1007,
            f"The number '{text}' is out of the range for numeric representation (maximum precision 38).",
            class_=15,
        )
    return constant(
        Decimal(f"{whole or 0}.{fraction}" if fraction else (whole or "0")),
        SqlType("numeric", precision=precision, scale=scale),
    )

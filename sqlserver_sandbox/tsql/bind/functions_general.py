"""ISNULL, COALESCE, NULLIF, NEWID, SQL_VARIANT_PROPERTY."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import exactly, known_text, nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound, computed, constant
from sqlserver_sandbox.tsql.bind.comparison import compare
from sqlserver_sandbox.tsql.bind.conversions import convert, variant_base
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import catalogue_sizes
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call


def _isnull(binder: ExpressionBinder, node: Call) -> Bound:
    """The first argument's type, also for the replacement: it may be cut."""
    value, replacement = exactly(binder, node, 2)
    if value.null_literal:
        return replacement
    target = value.type
    other = convert(replacement, target, explicit=False)
    if value.constant is not None:
        return other if value.constant.value is None else value
    return computed(
        f"coalesce({value.sql}, {other.sql})",
        target,
        value,
        other,
        nullable=other.nullable and value.nullable,
        label=value.label,
    )


def _coalesce(binder: ExpressionBinder, node: Call) -> Bound:
    parts = [binder.bind(a) for a in node.args]
    if len(parts) < 2:
        raise SqlError(102, "Incorrect syntax near ')'.", class_=15, line=node.line)
    if all(p.null_literal for p in parts):
        raise SqlError(
            4127, "At least one of the arguments to COALESCE must be an expression that is not the NULL constant."
        )
    target, label = common_type(parts)
    converted = [convert(p, target, explicit=False) for p in parts]
    if all(p.constant is not None for p in converted):
        return next((p for p in converted if p.constant is not None and p.constant.value is not None), converted[0])
    text = f"coalesce({', '.join(p.sql for p in converted)})"
    return computed(text, target, *converted, nullable=all(p.nullable for p in converted), label=label)


def _nullif(binder: ExpressionBinder, node: Call) -> Bound:
    left, right = exactly(binder, node, 2)
    if left.null_literal:
        raise SqlError(
            4151,
            "The type of the first argument to NULLIF cannot be the NULL constant"
            " because the type of the first argument has to be known.",
        )
    return computed(
        f"CASE WHEN {compare(left, right, '=')} THEN NULL ELSE {left.sql} END",
        left.type,
        left,
        right,
        nullable=True,
        label=left.label,
    )


def _newid(binder: ExpressionBinder, node: Call) -> Bound:
    exactly(binder, node, 0)
    return Bound("upper(CAST(uuid() AS VARCHAR))", SqlType("uniqueidentifier"), False, volatile=True)


_PROPERTIES: dict[str, Callable[[SqlType], object]] = {
    "basetype": lambda t: t.name,
    "precision": lambda t: catalogue_sizes(t)[1],
    "scale": lambda t: catalogue_sizes(t)[2],
    "maxlength": lambda t: catalogue_sizes(t)[0],
    "collation": lambda t: t.collation,
}


def _variant_property(binder: ExpressionBinder, node: Call) -> Bound:
    """SQL Server answers with sql_variant; the sandbox with nvarchar(128) for names and int for numbers."""
    value, which = exactly(binder, node, 2)
    name = (known_text(which, "a property name") or "").lower()
    rule = _PROPERTIES.get(name)
    if rule is None:
        if name == "totalbytes":
            raise refused("SQL_VARIANT_PROPERTY(…, 'TotalBytes')")
        return constant(None, SqlType("int"))
    target = nvarchar(128) if name in ("basetype", "collation") else SqlType("int")
    if value.type.name != "sql_variant":
        return constant(rule(value.type), target)
    branches = [
        f"WHEN {text_literal(json.dumps(asdict(base)))} THEN {constant(rule(base), target).sql}"
        for base in value.variants
    ]
    if not branches:
        return constant(None, target)
    return Bound(f"CASE {variant_base(value.sql)} {' '.join(branches)} END", target, True)


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "isnull": _isnull,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "newid": _newid,
    "sql_variant_property": _variant_property,
}

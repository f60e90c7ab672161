"""Aggregates and window functions: result types and overflow as SQL Server has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import INT, known_int
from sqlserver_sandbox.tsql.bind.bound import Bound, cast, computed, raise_sql
from sqlserver_sandbox.tsql.bind.comparison import equality_key, order_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import DECIMALS, FLOATS, INTEGERS, LOB, MONEY
from sqlserver_sandbox.tsql.values.errors import overflow
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call, Window

AGGREGATES = ("count", "count_big", "sum", "min", "max", "avg")
WINDOW_ONLY = ("row_number", "rank", "dense_rank", "lead", "lag")


def bind_aggregate(binder: ExpressionBinder, node: Call) -> Bound:
    """An aggregate over the rows of a group; `binder` is below GROUP BY."""
    return _aggregate(binder, node, "")


def _aggregate(binder: ExpressionBinder, node: Call, over: str) -> Bound:
    if node.star:
        if node.name not in ("count", "count_big"):
            raise SqlError(102, "Incorrect syntax near '*'.", class_=15, line=node.line)
        return _count(f"count(*){over}", node)
    if len(node.args) != 1:
        raise SqlError(174, f"The {node.name} function requires 1 argument(s).", class_=15, line=node.line)
    value = binder.bind(node.args[0])
    if value.type.name in LOB or value.type.name == "sql_variant":
        raise SqlError(8117, f"Operand data type {value.type.name} is invalid for {node.name} operator.")
    if node.distinct and over:
        raise SqlError(10759, "Use of DISTINCT is not allowed with the OVER clause.", class_=15, line=node.line)
    if node.name in ("count", "count_big"):
        inner = f"DISTINCT {equality_key(value)}" if node.distinct else value.sql
        return _count(f"count({inner}){over}", node)
    if node.name in ("min", "max"):
        return _extreme(node.name, value, over)
    if node.distinct and value.is_text:
        raise SqlError(8117, f"Operand data type {value.type.name} is invalid for {node.name} operator.")
    return _sum(value, node, over) if node.name == "sum" else _average(value, node, over)


def _count(text: str, node: Call) -> Bound:
    # More than 2^31 - 1 rows would be 8115; DuckDB's cast says so.
    if node.name == "count":
        return Bound(f"CAST({text} AS INTEGER)", INT, False)
    return Bound(text, SqlType("bigint"), False)


def _extreme(name: str, value: Bound, over: str) -> Bound:
    if value.type.name == "bit":
        raise SqlError(8117, f"Operand data type bit is invalid for {name} operator.")
    key = order_key(value)
    text = f"{name}({value.sql}){over}" if key == value.sql else f"arg_{name}({value.sql}, {key}){over}"
    return computed(text, value.type, value, nullable=True, label=value.label)


def _summed_type(value: Bound, name: str) -> SqlType:
    declared = value.type
    if declared.name in ("tinyint", "smallint", "int"):
        return INT
    if declared.name == "bigint":
        return declared
    if declared.name in DECIMALS:
        return SqlType(declared.name, precision=38, scale=declared.scale)
    if declared.name in MONEY:
        return SqlType("money")
    if declared.name in FLOATS:
        return SqlType("float")
    raise SqlError(8117, f"Operand data type {declared.name} is invalid for {name} operator.")


def _sum(value: Bound, node: Call, over: str) -> Bound:
    target = _summed_type(value, "sum")
    distinct = "DISTINCT " if node.distinct else ""
    if target.name in FLOATS:
        return Bound(f"finite_float(sum({distinct}{cast(value.sql, target)}){over})", target, True)
    total = f"sum({distinct}{value.sql}){over}"
    if target.name in INTEGERS:
        # DuckDB sums integers in 128 bits; the check is at the end, as no partial sum can matter to the answer.
        text = text_literal(target.name)
        return Bound(cast(f"checked_sum(CAST({total} AS HUGEINT), {text})", target), target, True)
    if target.name in MONEY:
        return Bound(cast(total, target), target, True)
    return Bound(_wide_sum(total, target), target, True)


def _wide_sum(total: str, target: SqlType) -> str:
    """decimal(38, s): DuckDB's 128-bit sum can hold more than 38 digits, which SQL Server calls an overflow."""
    error = raise_sql(overflow("expression", target), target)
    limit = 10 ** (38 - target.scale)
    whole = f"abs(CAST(trunc({total}) AS HUGEINT))" if target.scale else f"abs(CAST({total} AS HUGEINT))"
    return f"CASE WHEN {whole} >= {limit}::HUGEINT THEN {error} ELSE {total} END"


def _average(value: Bound, node: Call, over: str) -> Bound:
    """Integers truncate; decimals have at least six decimals, cut, not rounded."""
    target = _summed_type(value, "avg")
    distinct = "DISTINCT " if node.distinct else ""
    counted = f"count({distinct}{value.sql}){over}"
    total = _sum(value, node, over)
    if target.name in FLOATS:
        return Bound(f"CASE WHEN {counted} = 0 THEN NULL ELSE {total.sql} / {counted} END", target, True)
    if target.name in INTEGERS:
        return Bound(cast(f"CASE WHEN {counted} = 0 THEN NULL ELSE {total.sql} // {counted} END", target), target, True)
    if target.name in MONEY:
        raise refused("AVG of money; cast to decimal first")
    scale = max(6, target.scale)
    result = SqlType(target.name, precision=38, scale=scale)
    spec = text_literal(f'["/", 38, {scale}]')
    text = (
        f"CASE WHEN {counted} = 0 THEN NULL ELSE exact_decimal({spec}, CAST({total.sql} AS"
        f" VARCHAR), CAST({counted} AS VARCHAR)) END"
    )
    return Bound(cast(text, result), result, True)


# ---- windows -----------------------------------------------------------------------------------------------------
def bind_window(binder: ExpressionBinder, node: Call) -> Bound:
    """A function with OVER."""
    if node.over is None:
        raise SqlError(10753, f"The function '{node.name}' must have an OVER clause.", class_=15, line=node.line)
    over = _over(binder, node.over)
    if node.name in AGGREGATES:
        return _aggregate(binder.without_windows(), node, over)
    if not node.over.order:
        raise SqlError(
            4112, f"The function '{node.name}' must have an OVER clause with ORDER BY.", class_=15, line=node.line
        )
    rule = _WINDOWS.get(node.name)
    if rule is None:
        raise refused(f"{node.name.upper()} OVER (…)", line=node.line)
    return rule(binder, node, over)


def _over(binder: ExpressionBinder, window: Window) -> str:
    inside = binder.without_windows()
    pieces = []
    if window.partition:
        pieces.append("PARTITION BY " + ", ".join(equality_key(inside.bind(p)) for p in window.partition))
    if window.order:
        pieces.append(
            "ORDER BY "
            + ", ".join(order_item(inside.bind(o.expression), descending=o.descending) for o in window.order)
        )
    return f" OVER ({' '.join(pieces)})"


def order_item(bound: Bound, *, descending: bool) -> str:
    """NULL sorts lowest."""
    return f"{order_key(bound)} {'DESC NULLS LAST' if descending else 'ASC NULLS FIRST'}"


def _rank(binder: ExpressionBinder, node: Call, over: str) -> Bound:
    if node.args:
        raise SqlError(174, f"The {node.name} function requires 0 argument(s).", class_=15, line=node.line)
    return Bound(f"{node.name}(){over}", SqlType("bigint"), False)


def _neighbour(binder: ExpressionBinder, node: Call, over: str) -> Bound:
    inside = binder.without_windows()
    args = [inside.bind(a) for a in node.args]
    if not 1 <= len(args) <= 3:
        raise SqlError(189, f"The {node.name} function requires 1 to 3 arguments.", class_=15, line=node.line)
    offset = 1 if len(args) == 1 else known_int(args[1], f"{node.name.upper()} with an offset")
    if offset is None or offset < 0:
        raise SqlError(8730, "Offset parameter for Lag and Lead functions cannot be a negative value.")
    text = f"{node.name}({args[0].sql}, {offset}"
    if len(args) == 3:
        text += f", {convert(args[2], args[0].type, explicit=False).sql}"
    return computed(f"{text}){over}", args[0].type, args[0], nullable=True, label=args[0].label)


_WINDOWS: dict[str, Callable[[ExpressionBinder, Call, str], Bound]] = {
    "row_number": _rank,
    "rank": _rank,
    "dense_rank": _rank,
    "lead": _neighbour,
    "lag": _neighbour,
}

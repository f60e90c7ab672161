"""What a CHECK constraint proves of one column: the values it allows, as far as SQL Server draws conclusions from it.

Comparisons of the column with constants count, joined by AND, OR, NOT, BETWEEN and IN. A constraint that mentions another column
proves nothing, not even by halves (as observed at SQL Server 2025).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlserver_sandbox.engine.switching.ranges import EVERYTHING, HIGHEST, LOWEST, Edge, Range, Values, ordered, outside
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.literals import bind_literal
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn
from sqlserver_sandbox.tsql.constraints import Check
from sqlserver_sandbox.tsql.parse.parts import parse_single_condition
from sqlserver_sandbox.tsql.types import NUMBERS, STRINGS
from sqlserver_sandbox.tsql.values import convert_value

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_NEGATED = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "<>", "<>": "="}


def columns_of(table: Table, check: Check) -> set[str]:
    """The names of the columns that a CHECK mentions, lower case."""
    found: set[str] = set()
    _collect(parse_single_condition(check.text), found)
    return found & {c.name.lower() for c in table.columns}


def _collect(node: object, found: set[str]) -> None:
    if isinstance(node, s.Name):
        found.add(node.parts[-1].lower())
    elif isinstance(node, tuple):
        for part in node:
            _collect(part, found)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__dataclass_fields__:
            _collect(getattr(node, name), found)


def about(table: Table, column: TableColumn) -> list[Check]:
    """The checks that mention this column and no other."""
    return [c for c in table.checks if columns_of(table, c) == {column.name.lower()}]


def allowed(table: Table, column: TableColumn) -> Values:
    """The values of a column that its trusted checks let through, and with a column NOT NULL no NULL."""
    values = EVERYTHING if column.nullable else Values(EVERYTHING.ranges, null=False)
    for check in about(table, column):
        if check.is_trusted and not check.is_disabled:
            values = values.meet(values_of(check, column))
    return values


def values_of(check: Check, column: TableColumn) -> Values:
    """The values that a check about one column lets through. What is not understood lets everything through."""
    return _values(parse_single_condition(check.text), column, negated=False)


def _values(node: s.Condition, column: TableColumn, *, negated: bool) -> Values:
    """Where the condition, or with `negated` its opposite, is not false: a CHECK is kept where it is unknown."""
    if isinstance(node, s.Not):
        return _values(node.operand, column, negated=not negated)
    if isinstance(node, s.Logical):
        parts = [_values(item, column, negated=negated) for item in node.items]
        result = parts[0]
        for part in parts[1:]:
            result = result.meet(part) if (node.op == "AND") != negated else result.join(part)
        return result
    if isinstance(node, s.Between):
        both = s.Logical(
            "AND", (s.Comparison(">=", node.operand, node.low), s.Comparison("<=", node.operand, node.high))
        )
        return _values(both, column, negated=node.negated != negated)
    if isinstance(node, s.In) and node.query is None:
        equal = tuple(s.Comparison("=", node.operand, item) for item in node.items)
        whole = s.Logical("OR", equal) if len(equal) > 1 else equal[0]
        return _values(whole, column, negated=node.negated != negated)
    if isinstance(node, s.IsNull) and _is_column(node.operand, column):
        wants_null = node.negated == negated
        return Values((), null=True) if wants_null else Values(EVERYTHING.ranges, null=False)
    if isinstance(node, s.Comparison):
        return _comparison(node, column, negated=negated)
    return EVERYTHING


def _comparison(node: s.Comparison, column: TableColumn, *, negated: bool) -> Values:
    operator, constant = node.op, node.right
    if not _is_column(node.left, column):
        operator, constant = _FLIPPED[operator], node.left
        if not _is_column(node.right, column):
            return EVERYTHING
    found = _constant(constant, column)
    if found is None:
        return EVERYTHING
    operator = _NEGATED[operator] if negated else operator
    before, after = Edge(-1, found), Edge(1, found)
    ranges = {
        "<": (Range(LOWEST, before),),
        "<=": (Range(LOWEST, after),),
        ">": (Range(after, HIGHEST),),
        ">=": (Range(before, HIGHEST),),
        "=": (Range(before, after),),
        "<>": outside(Values((Range(before, after),), null=False)),
    }
    # A comparison with NULL is unknown, and a CHECK lets that through.
    return Values(ranges[operator], null=True)


def _is_column(node: s.Expression, column: TableColumn) -> bool:
    return isinstance(node, s.Name) and node.parts[-1].lower() == column.name.lower()


def _constant(node: s.Expression, column: TableColumn) -> Any:
    """A literal as the column's values are ordered, None for anything else. Numbers keep their own fraction."""
    sign = 1
    if isinstance(node, s.Unary) and node.op in "+-":
        sign, node = -1 if node.op == "-" else 1, node.operand
    if not isinstance(node, s.Literal) or node.kind == "null":
        return None
    bound = bind_literal(node)
    value = bound.constant.value if bound.constant is not None else None
    if column.type.name in NUMBERS and isinstance(value, int | float | Decimal):
        return sign * value
    if sign < 0:
        return None
    try:
        converted = value if column.type.name in STRINGS else convert_value(value, bound.type, column.type)
    except SqlError:
        return None
    return ordered(converted, column.type)

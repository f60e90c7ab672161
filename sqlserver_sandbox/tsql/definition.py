"""Search conditions back as text, as sys.check_constraints and sys.indexes show them: ([a]>(10) AND [a]<=(20)).

SQL Server stores a CHECK or a filter in a form of its own: names in brackets, numbers in parentheses, BETWEEN as two
comparisons, IN as equalities joined by OR, CAST as CONVERT. Two conditions that say the same in other words get the same text
only where that form makes them the same.
"""

from __future__ import annotations

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.refusal import refused


def definition(node: s.Condition) -> str:
    """The text of a whole condition, in parentheses; it parses to a condition that holds for the same rows."""
    return f"({condition_text(node)})"


def condition_text(node: s.Condition) -> str:
    if isinstance(node, s.Comparison):
        return f"{expression_text(node.left)}{node.op}{expression_text(node.right)}"
    if isinstance(node, s.Logical):
        return f" {node.op} ".join(_operand(item, node.op) for item in node.items)
    if isinstance(node, s.Not):
        return f"NOT {_operand(node.operand, 'NOT')}"
    if isinstance(node, s.IsNull):
        return f"{expression_text(node.operand)} IS {'NOT ' if node.negated else ''}NULL"
    if isinstance(node, s.Between):
        return _between(node)
    if isinstance(node, s.In) and node.query is None:
        return _in(node)
    if isinstance(node, s.Like):
        escape = f" escape {expression_text(node.escape)}" if node.escape is not None else ""
        negated = "NOT " if node.negated else ""
        return f"{negated}{expression_text(node.operand)} like {expression_text(node.pattern)}{escape}"
    raise refused("a subquery in a CHECK constraint or a filter")


def _operand(node: s.Condition, within: str) -> str:
    """With parentheses where the operator around it binds tighter."""
    text = condition_text(node)
    loose = (
        (isinstance(node, s.Logical) and node.op != within)
        or (within == "NOT" and isinstance(node, s.Logical | s.Between | s.In))
        or (within == "AND" and isinstance(node, s.In) and len(node.items) > 1 and not node.negated)
        or (within == "OR" and isinstance(node, s.Between) and not node.negated)
    )
    return f"({text})" if loose else text


def _between(node: s.Between) -> str:
    operand, low, high = (expression_text(x) for x in (node.operand, node.low, node.high))
    if node.negated:
        return f"NOT ({operand}>={low} AND {operand}<={high})"
    return f"{operand}>={low} AND {operand}<={high}"


def _in(node: s.In) -> str:
    """The items come out last first."""
    operand = expression_text(node.operand)
    equalities = " OR ".join(f"{operand}={expression_text(item)}" for item in reversed(node.items))
    return f"NOT ({equalities})" if node.negated else equalities


def expression_text(node: s.Expression) -> str:
    if isinstance(node, s.Name):
        return f"[{node.parts[-1].replace(']', ']]')}]"
    if isinstance(node, s.Literal):
        return _literal(node)
    if isinstance(node, s.Unary):
        if isinstance(node.operand, s.Literal) and node.op in "+-":
            return f"({node.op}{node.operand.text})"
        return f"{node.op}{expression_text(node.operand)}"
    if isinstance(node, s.Binary):
        return f"({expression_text(node.left)}{node.op}{expression_text(node.right)})"
    if isinstance(node, s.Call) and node.over is None and not node.star and not node.distinct:
        return f"{node.name}({','.join(expression_text(a) for a in node.args)})"
    if isinstance(node, s.Cast) and not node.is_try:
        return _convert(node)
    if isinstance(node, s.Collate):
        return f"{expression_text(node.operand)} collate {node.collation}"
    raise refused(f"{type(node).__name__} in a CHECK constraint or a filter")


def _literal(node: s.Literal) -> str:
    if node.kind in ("string", "nstring"):
        quoted = node.text.replace("'", "''")
        return f"{'N' if node.kind == 'nstring' else ''}'{quoted}'"
    return f"({node.text})" if node.kind in ("integer", "decimal", "float", "money") else node.text


def _convert(node: s.Cast) -> str:
    args = node.target.args
    written = "" if args is None else f"({','.join('max' if a == -1 else str(a) for a in args)})"
    style = f",{expression_text(node.style)}" if node.style is not None else ""
    return f"CONVERT([{node.target.name}]{written},{expression_text(node.operand)}{style})"

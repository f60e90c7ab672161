"""Expressions back as T-SQL text: how the catalogue keeps a DEFAULT."""

from __future__ import annotations

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.refusal import refused


def render(node: s.Expression) -> str:
    """Text that parses to the same expression. Only what a DEFAULT may hold: constants, functions, casts, arithmetic."""
    if isinstance(node, s.Literal):
        return _literal(node)
    if isinstance(node, s.Unary):
        return f"{node.op}{render(node.operand)}"
    if isinstance(node, s.Binary):
        return f"({render(node.left)} {node.op} {render(node.right)})"
    if isinstance(node, s.Call) and node.over is None and not node.star and not node.distinct:
        return f"{node.name}({', '.join(render(a) for a in node.args)})"
    if isinstance(node, s.Cast):
        return _cast(node)
    raise refused(f"{type(node).__name__} in a DEFAULT")


def _literal(node: s.Literal) -> str:
    if node.kind in ("string", "nstring"):
        quoted = node.text.replace("'", "''")
        return f"{'N' if node.kind == 'nstring' else ''}'{quoted}'"
    return node.text


def _cast(node: s.Cast) -> str:
    args = node.target.args
    spelled = "" if args is None else f"({', '.join('max' if a == -1 else str(a) for a in args)})"
    if node.style is not None:
        return f"CONVERT({node.target.name}{spelled}, {render(node.operand)}, {render(node.style)})"
    return f"CAST({render(node.operand)} AS {node.target.name}{spelled})"

"""UNION, EXCEPT, INTERSECT and DISTINCT, under each column's collation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind import outputs
from sqlserver_sandbox.tsql.bind.bound import Bound, cast
from sqlserver_sandbox.tsql.bind.comparison import equality_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.bound import BoundQuery
    from sqlserver_sandbox.tsql.bind.protocols import SubqueryBinder
    from sqlserver_sandbox.tsql.bind.scope import Scope


def distinct(inner: str, columns: tuple[Bound, ...]) -> str:
    """One row of each set of equal rows."""
    keys = [equality_key(c) for c in columns]
    if keys == [c.sql for c in columns]:
        return f"SELECT DISTINCT * FROM ({inner}) AS d"
    # The output c1 and the source's c1 share a name: the key must mean the source's.
    sources = [replace(c, sql=f"d.{c.sql}") for c in columns]
    values = ", ".join(
        f"{cast(f'any_value({d.sql})', d.type)} AS {c.sql}" for c, d in zip(columns, sources, strict=True)
    )
    return f"SELECT * FROM (SELECT {values} FROM ({inner}) AS d GROUP BY {', '.join(equality_key(d) for d in sources)}) AS u"


def bind_set_operation(
    binder: SubqueryBinder, node: s.Query, body: s.SetOperation, outer: Scope | None, *, top_level: bool
) -> BoundQuery:
    """Both sides in their common types; ORDER BY sees the outputs of the first."""
    if node.order and not top_level and node.offset is None:
        raise SqlError(
            1033,
            "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions,"
            " unless TOP, OFFSET or FOR XML is also specified.",
            class_=15,
        )
    left, right = binder.query(body.left, outer), binder.query(body.right, outer)
    if len(left.columns) != len(right.columns):
        raise SqlError(
            205,
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have"
            " an equal number of expressions in their target lists.",
        )
    if node.offset is not None:
        raise refused("OFFSET on a set operation")
    columns: list[Bound] = []
    sides: tuple[list[str], list[str]] = ([], [])
    for number, (a, b) in enumerate(zip(left.columns, right.columns, strict=True), 1):
        target, label = common_type((a, b), "UNION")
        for side, part in zip(sides, (a, b), strict=True):
            side.append(f"{convert(replace(part, sql=f'q.{part.sql}'), target, explicit=False).sql} AS c{number}")
        columns.append(
            replace(a, sql=f"c{number}", type=target, label=label, nullable=a.nullable or b.nullable, identity=False)
        )
    first, second = (
        f"SELECT {', '.join(side)} FROM ({q.sql}) AS q" for side, q in zip(sides, (left, right), strict=True)
    )
    sql = _combined(body.op, first, second, tuple(columns))
    return replace(
        left, sql=sql + outputs.order_by_columns(node.order, tuple(columns)), columns=tuple(columns), single_row=False
    )


def _combined(op: str, first: str, second: str, columns: tuple[Bound, ...]) -> str:
    both = f"({first}) UNION ALL ({second})"
    if op == "union all":
        return f"SELECT * FROM ({both}) AS u"
    if op == "union":
        return distinct(both, columns)
    pairs = " AND ".join(
        f"{equality_key(replace(c, sql=f'l.{c.sql}'))} IS NOT DISTINCT FROM {equality_key(replace(c, sql=f'r.{c.sql}'))}"
        for c in columns
    )
    word = "NOT EXISTS" if op == "except" else "EXISTS"
    return distinct(
        f"SELECT l.* FROM ({first}) AS l WHERE {word} (SELECT 1 FROM ({second}) AS r WHERE {pairs})", columns
    )

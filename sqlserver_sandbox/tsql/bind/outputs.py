"""The select list: stars expanded, names found, ORDER BY on outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.aggregates import order_item
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.binder import Binder
    from sqlserver_sandbox.tsql.bind.scope import Scope


def bind_items(
    binder: Binder, items: tuple[s.SelectItem, ...], scope: Scope
) -> tuple[tuple[Bound, ...], tuple[str, ...]]:
    """The outputs in order, and the variables they are assigned to (all or none: 141)."""
    outputs: list[Bound] = []
    assigns = [i.assign for i in items if i.assign is not None]
    if assigns and len(assigns) != len(items):
        raise SqlError(
            141,
            "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
            class_=15,
        )
    for item in items:
        if isinstance(item.expression, s.Star):
            outputs.extend(_star(binder, item.expression, scope))
            continue
        bound = binder.bind(item.expression)
        if bound.null_literal:
            bound = constant(None, SqlType("int"))
        plain = isinstance(item.expression, s.Name)
        name = item.alias if item.alias is not None else (bound.name if plain else "")
        outputs.append(replace(bound, name=name, identity=bound.identity and plain))
    return tuple(outputs), tuple(assigns)


def _star(binder: Binder, star: s.Star, scope: Scope) -> list[Bound]:
    if not scope.sources:
        raise SqlError(263, "Must specify table to select from.")
    columns = scope.star(star.qualifier)
    if binder.grouping is not None:
        return [binder.bind(s.Name((c.name,))) for c in columns]
    return list(columns)


def columns_of(items: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """The outputs as the outside sees them: c1, c2, …"""
    return tuple(
        Bound(
            f"c{i}",
            b.type,
            b.nullable,
            None,
            "implicit" if b.label != "explicit" else "explicit",
            identity=b.identity,
            name=b.name,
            volatile=b.volatile,
            variants=b.variants,
        )
        for i, b in enumerate(items, 1)
    )


def find_output(node: s.Expression, items: tuple[Bound, ...]) -> Bound | None:
    """ORDER BY 2, or ORDER BY alias; None when it is neither."""
    if isinstance(node, s.Literal) and node.kind == "integer":
        place = int(node.text)
        if not 1 <= place <= len(items):
            raise SqlError(
                108,
                f"The ORDER BY position number {place} is out of range of the number of items in the select list.",
                class_=15,
            )
        return replace(items[place - 1], constant=None)
    if isinstance(node, s.Name) and len(node.parts) == 1:
        found = [i for i, b in enumerate(items) if b.name.lower() == node.parts[0].lower()]
        if len({items[i].sql for i in found}) > 1:
            raise SqlError(209, f"Ambiguous column name '{node.parts[0]}'.", line=node.line)
        if found:
            return replace(items[found[0]], constant=None)
    return None


def order_by_columns(order: tuple[s.OrderItem, ...], columns: tuple[Bound, ...]) -> str:
    """ORDER BY where only outputs are in reach: after DISTINCT and set operations."""
    texts = []
    for item in order:
        found = find_output(item.expression, columns)
        if found is None and isinstance(item.expression, s.Name):
            found = find_output(s.Name(item.expression.parts[-1:]), columns)
        if found is None:
            raise refused("ORDER BY an expression that is not in the select list, with DISTINCT or a set operation")
        texts.append(order_item(found, descending=item.descending))
    return " ORDER BY " + ", ".join(texts) if texts else ""

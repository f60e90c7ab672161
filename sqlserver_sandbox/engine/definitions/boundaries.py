"""Boundaries of a partition function: as its type stores them, in the server's order."""

from __future__ import annotations

import itertools
from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.comparison import equality_key, order_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.refusal import refused


def boundary(execution: Execution, declared: SqlType, node: s.Expression) -> Any:
    """A boundary as the function's type stores it."""
    bound = convert(execution.queries.binder(Scope()).bind(node), declared, explicit=False)
    if bound.error is not None:
        raise SqlError(
            7705,
            "Could not implicitly convert range values type specified at ordinal 1 to"
            f" partition function parameter type '{declared.name}'.",
        ) from bound.error
    if bound.constant is None:
        raise refused("partition boundaries that are not constants")
    value = bound.constant.value
    if isinstance(value, str) and declared.name == "varchar":
        return value.rstrip(" ")
    if isinstance(value, bytes) and declared.name == "varbinary":
        return value.rstrip(b"\0")
    return value


def in_order(execution: Execution, declared: SqlType, values: list[Any]) -> list[Any]:
    """In the server's order, NULL first. Raises 7708 for duplicates."""
    if not values:
        return []
    bounds = [constant(v, declared) for v in values]
    rows = " UNION ALL ".join(f"SELECT {i} AS n, {_keys(b)}" for i, b in enumerate(bounds))
    found = execution.fetch(f"SELECT n, e FROM ({rows}) AS b ORDER BY o NULLS FIRST, n")
    for before, after in itertools.pairwise(found):
        if before[1] == after[1]:
            raise SqlError(
                7708,
                "Duplicate values are not allowed in partition function boundary values"
                " list. Partition boundary values at ordinal"
                f" {before[0] + 1} and {after[0] + 1} are equal.",
            )
    return [values[n] for n, _ in found]


def _keys(bound: Bound) -> str:
    if bound.constant is not None and bound.constant.value is None:
        return f"{order_key(Bound(bound.sql, bound.type))} AS o, {equality_key(Bound(bound.sql, bound.type))} AS e"
    return f"{order_key(bound)} AS o, {equality_key(bound)} AS e"


def equality(execution: Execution, declared: SqlType, value: Any) -> Any:
    bound = constant(value, declared)
    return execution.scalar(f"SELECT {equality_key(bound)}") if value is not None else None

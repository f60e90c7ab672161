"""The columns of a result as the client sees them."""

from __future__ import annotations

from sqlserver_sandbox.model import Column, SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound


def columns_of(bounds: tuple[Bound, ...]) -> tuple[Column, ...]:
    """Names, declared types, nullability. Raises the refusal for a sql_variant."""
    found = []
    for bound in bounds:
        if bound.type.name == "sql_variant":
            raise SqlError(
                40517,
                f"not supported by the sandbox: a sql_variant column ('{bound.name}') in a result; CAST or CONVERT it",
            )
        found.append(Column(bound.name, bound.type, bound.nullable, bound.identity))
    return tuple(found)

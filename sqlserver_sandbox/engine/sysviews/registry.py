"""The system views: rows made from the declared catalogue, as DuckDB text. A view or column not here is refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlserver_sandbox.engine.sysviews import (
    columns,
    constraints,
    features,
    indexes,
    objects,
    partitions,
    server,
    transactions,
)
from sqlserver_sandbox.engine.sysviews.all_columns import all_columns
from sqlserver_sandbox.engine.sysviews.declaration import Source, View
from sqlserver_sandbox.engine.sysviews.facts import Facts
from sqlserver_sandbox.engine.testing.canned import Canned
from sqlserver_sandbox.tsql.bind.context import SystemColumn, SystemView
from sqlserver_sandbox.tsql.bind.conversions import VARIANT_MARK
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.types import duck_type
from sqlserver_sandbox.tsql.values.storage import literal, text_literal

VIEWS: dict[str, View] = all_columns(
    {
        **server.VIEWS,
        **objects.VIEWS,
        **constraints.VIEWS,
        **indexes.VIEWS,
        **features.VIEWS,
        **columns.VIEWS,
        **partitions.VIEWS,
        **transactions.VIEWS,
    }
)
_VARIANT = "VARCHAR"


def build(
    facts: Facts,
    database: Database,
    databases: Callable[[], tuple[Database, ...]],
    schema: str,
    name: str,
    canned: Canned,
    mentioned: frozenset[str] | None = None,
) -> SystemView | None:
    """The view with its rows as a DuckDB relation, or None when it is not on the list.

    `mentioned` are the words of the batch, in lower case: columns that are not among them are left out, because DuckDB plans
    every literal of a relation. None: all columns.
    """
    full_name = f"{schema}.{name}".lower()
    view = VIEWS.get(full_name)
    if view is None:
        return None
    declared = view.columns(database)
    names = [c.name for c in declared]
    rows = canned.changed(full_name, names, database, view.rows(Source(facts, database, databases)))
    if mentioned is not None:
        kept = [i for i, column in enumerate(names) if column.lower() in mentioned] or [0]
        declared = tuple(declared[i] for i in kept)
        names = [names[i] for i in kept]
        rows = [tuple(row[i] for i in kept) for row in rows]
    return SystemView(name, _relation(names, [_type(c) for c in declared], _texts(rows, declared)), declared)


def _type(column: SystemColumn) -> str:
    return _VARIANT if column.type.name == "sql_variant" else duck_type(column.type)


def _texts(rows: list[tuple[object, ...]], declared: tuple[SystemColumn, ...]) -> list[str]:
    texts = []
    for row in rows:
        if len(row) != len(declared):
            raise AssertionError(f"a row of {len(row)} values for {len(declared)} columns")
        texts.append("(" + ", ".join(_literal(v, c) for v, c in zip(row, declared, strict=True)) + ")")
    return texts


def _literal(value: object, column: SystemColumn) -> str:
    if column.type.name == "sql_variant":
        return text_literal(VARIANT_MARK.join(value)) if isinstance(value, tuple) else "NULL"
    return "NULL" if value is None else literal(value, column.type)


def _relation(names: list[str], types: list[str], rows: list[str]) -> str:
    if not rows:
        nothing = ", ".join(f'CAST(NULL AS {t}) AS "{n}"' for n, t in zip(names, types, strict=True))
        return f"(SELECT {nothing} LIMIT 0)"
    typed = ", ".join(f'CAST(v{i} AS {t}) AS "{n}"' for i, (n, t) in enumerate(zip(names, types, strict=True)))
    return f"(SELECT {typed} FROM (VALUES {', '.join(rows)}) AS v({', '.join(f'v{i}' for i in range(len(names)))}))"

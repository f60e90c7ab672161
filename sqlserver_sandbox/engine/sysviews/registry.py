"""The system views: rows made from the declared catalogue, as DuckDB text. A view or column not here is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

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
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.types import STRINGS, duck_type
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
_AS_JSON = ("VARCHAR", "BOOLEAN", "UTINYINT", "SMALLINT", "INTEGER", "BIGINT")
"""What JSON has a form of that DuckDB reads without loss."""


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
    values = list(zip(*rows, strict=True)) or [()] * len(declared)
    declared = tuple(replace(c, plain=_is_plain(v, c)) for c, v in zip(declared, values, strict=True))
    return SystemView(name, _relation(declared, values), declared)


def _type(column: SystemColumn) -> str:
    return _VARIANT if column.type.name == "sql_variant" else duck_type(column.type)


def _literal(value: object, column: SystemColumn) -> str:
    return "NULL" if value is None else literal(value, column.type)


def _relation(columns: tuple[SystemColumn, ...], values: Sequence[tuple[object, ...]]) -> str:
    """A column is one literal, a list: DuckDB takes long to plan one for each value."""
    if not values[0]:
        nothing = ", ".join(f'CAST(NULL AS {_type(c)}) AS "{c.name}"' for c in columns)
        return f"(SELECT {nothing} LIMIT 0)"
    return (
        "(SELECT "
        + ", ".join(f'unnest({_list(v, c)}) AS "{c.name}"' for c, v in zip(columns, values, strict=True))
        + ")"
    )


def _list(values: tuple[object, ...], column: SystemColumn) -> str:
    kind = _type(column)
    if column.type.name == "sql_variant":
        values = tuple(VARIANT_MARK.join(v) if isinstance(v, tuple) else None for v in values)
    if kind in _AS_JSON:
        return f"from_json({text_literal(json.dumps(values, ensure_ascii=False))}, '[\"{kind}\"]')"
    return f"CAST([{', '.join(_literal(v, column) for v in values)}] AS {kind}[])"


def _is_plain(values: tuple[object, ...], column: SystemColumn) -> bool:
    """Whether all of them are printable ASCII: their case folds without a look at each character."""
    return column.type.name in STRINGS and all(
        v is None or (isinstance(v, str) and v.isascii() and v.isprintable()) for v in values
    )

"""The system views: rows made from the declared catalogue, as DuckDB text. A view or column not here is refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlserver_sandbox.engine import (
    system_columns,
    system_objects,
    system_partitions,
    system_server,
    system_transactions,
)
from sqlserver_sandbox.engine.canned import Canned
from sqlserver_sandbox.engine.system_rows import Facts
from sqlserver_sandbox.engine.system_schema import View
from sqlserver_sandbox.tsql.bind.context import SystemView
from sqlserver_sandbox.tsql.bind.conversions import VARIANT_MARK
from sqlserver_sandbox.tsql.declared import Database
from sqlserver_sandbox.tsql.types import duck_type
from sqlserver_sandbox.tsql.values.storage import literal, text_literal

VIEWS: dict[str, View] = {
    **system_server.VIEWS,
    **system_objects.VIEWS,
    **system_columns.VIEWS,
    **system_partitions.VIEWS,
    **system_transactions.VIEWS,
}
_VARIANT = "VARCHAR"


def build(
    facts: Facts,
    database: Database,
    databases: Callable[[], tuple[Database, ...]],
    schema: str,
    name: str,
    canned: Canned,
) -> SystemView | None:
    """The view with its rows as a DuckDB relation, or None when it is not on the list."""
    full_name = f"{schema}.{name}".lower()
    view = VIEWS.get(full_name)
    if view is None:
        return None
    rows = canned.changed(full_name, view, database, view.rows(system_server.Source(facts, database, databases)))
    columns = view.columns(database)
    return SystemView(
        name,
        _relation([c.name for c in columns], [_type(c.type.name, c) for c in columns], _texts(rows, columns)),
        columns,
    )


def _type(name: str, column: object) -> str:
    return _VARIANT if name == "sql_variant" else duck_type(column.type)  # type: ignore[attr-defined]


def _texts(rows: list[tuple[object, ...]], columns: tuple[object, ...]) -> list[str]:
    texts = []
    for row in rows:
        if len(row) != len(columns):
            raise AssertionError(f"a row of {len(row)} values for {len(columns)} columns")
        texts.append("(" + ", ".join(_literal(v, c) for v, c in zip(row, columns, strict=True)) + ")")
    return texts


def _literal(value: object, column: object) -> str:
    declared = column.type  # type: ignore[attr-defined]
    if declared.name == "sql_variant":
        if not isinstance(value, tuple):
            return "NULL"
        return text_literal(VARIANT_MARK.join(value))
    return "NULL" if value is None else literal(value, declared)


def _relation(names: list[str], types: list[str], rows: list[str]) -> str:
    if not rows:
        nothing = ", ".join(f'CAST(NULL AS {t}) AS "{n}"' for n, t in zip(names, types, strict=True))
        return f"(SELECT {nothing} LIMIT 0)"
    typed = ", ".join(f'CAST(v{i} AS {t}) AS "{n}"' for i, (n, t) in enumerate(zip(names, types, strict=True)))
    return f"(SELECT {typed} FROM (VALUES {', '.join(rows)}) AS v({', '.join(f'v{i}' for i in range(len(names)))}))"

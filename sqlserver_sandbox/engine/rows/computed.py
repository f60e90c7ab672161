"""Computed columns: stored beside the others, and computed anew whenever a column that they mention changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind import functions_session, functions_system
from sqlserver_sandbox.tsql.bind.bound import Bound, cast
from sqlserver_sandbox.tsql.bind.scope import Scope, ScopeSource
from sqlserver_sandbox.tsql.bind.sources import table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.definition import expression_text
from sqlserver_sandbox.tsql.parse.parts import parse_single_expression
from sqlserver_sandbox.tsql.refusal import refused

_CHANGING = frozenset(
    {
        "getdate",
        "getutcdate",
        "sysdatetime",
        "sysutcdatetime",
        "current_timestamp",
        "newid",
        *functions_system.RULES,
        *functions_session.RULES,
    }
)
"""Functions whose value is another one at each call: a stored value would not be what SQL Server computes when it is read."""


def computed_column(
    execution: Execution, database: Database, table: Table, spec: s.ColumnSpec, number: int
) -> TableColumn:
    """A column that is declared as an expression over the others of `table`. Raises 1759, 207, 4936 and the binder's errors."""
    if spec.computed is None:
        raise AssertionError(f"{spec.name} is not computed")
    _check_functions(spec.computed)
    text = expression_text(spec.computed)
    text = text if text.startswith("(") else f"({text})"
    plain = {c.column_id: f"t.{c.physical}" for c in table.columns}
    column = TableColumn(number, spec.name, _bind(execution, database, table, text, plain).type, computed=text)
    bound = _bind(execution, database, table, text, plain)
    nullable = bound.nullable if spec.nullable is None else spec.nullable
    return replace(column, nullable=nullable, is_persisted=spec.persisted)


def _check_functions(node: object) -> None:
    if isinstance(node, s.Call) and node.name in _CHANGING:
        raise refused(f"{node.name.upper()} in a computed column")
    if isinstance(node, s.Subquery):
        raise SqlError(
            1046, "Subqueries are not allowed in this context. Only scalar expressions are allowed.", class_=15
        )
    if isinstance(node, tuple):
        for part in node:
            _check_functions(part)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__dataclass_fields__:
            _check_functions(getattr(node, name))


def _bind(execution: Execution, database: Database, table: Table, text: str, values: Mapping[int, str]) -> Bound:
    columns = {c.name: c for c in table.columns}
    bounds = tuple(
        replace(b, sql=values[columns[b.name].column_id])
        for b in table_columns(table, "t")
        if columns[b.name].column_id in values and not columns[b.name].computed
    )
    source = ScopeSource(table.name, bounds, database.schema_by_id(table.schema_id).name, database.name)
    return execution.queries.binder(Scope((source,))).bind(parse_single_expression(text))


def computed_values(
    execution: Execution, database: Database, table: Table, values: Mapping[int, str]
) -> dict[int, str]:
    """DuckDB text of each computed column, from that of the other columns as they will be stored."""
    found: dict[int, str] = {}
    for column in table.columns:
        if column.computed:
            bound = _bind(execution, database, table, column.computed, values)
            if bound.error is not None:
                raise bound.error
            found[column.column_id] = cast(bound.sql, column.type)
    return found


def check_settable(column: TableColumn, line: int) -> None:
    """271 for a computed column in INSERT or UPDATE."""
    if column.computed:
        raise SqlError(
            271,
            f'The column "{column.name}" cannot be modified because it is either a computed column or is the result of a UNION'
            " operator.",
            line=line,
        )

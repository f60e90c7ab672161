"""From the words of CREATE TABLE to a declared column."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import take_object_id
from sqlserver_sandbox.engine.definitions.names import system_name
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.assignment import assigned, default_of
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.catalogue import Database, TableColumn
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.constraints import Default
from sqlserver_sandbox.tsql.parse.parts import parse_single_expression
from sqlserver_sandbox.tsql.render import render
from sqlserver_sandbox.tsql.types import DECIMALS, INTEGERS, STRINGS, resolve


def column_of(
    execution: Execution, database: Database, table: str, spec: s.ColumnSpec, number: int
) -> tuple[TableColumn, Database]:
    """The declared column. Raises 2715, 2749, 8147 … for what no column can be."""
    declared = resolve(spec.type, collation=database.collation)
    if spec.collation is not None:
        if declared.name not in STRINGS:
            raise SqlError(452, f"COLLATE clause cannot be used on user-defined data types or on type {declared.name}.")
        declared = replace(declared, collation=collation(spec.collation).name)
    nullable = spec.nullable if spec.nullable is not None else spec.identity is None
    if declared.name == "rowversion":
        nullable = bool(spec.nullable)
    if spec.identity is not None:
        whole = declared.name in INTEGERS or (declared.name in DECIMALS and declared.scale == 0)
        if not whole:
            raise SqlError(
                2749,
                f"Identity column '{spec.name}' must be of data type int, bigint,"
                " smallint, tinyint, or decimal or numeric with a scale of 0,"
                " unencrypted, and constrained to be nonnullable.",
            )
        if nullable:
            raise SqlError(
                8147, f"Could not create IDENTITY attribute on nullable column '{spec.name}', table '{table}'."
            )
        if spec.default is not None:
            raise SqlError(
                1754,
                f"Defaults cannot be created on columns with an IDENTITY attribute. Table '{table}', column '{spec.name}'.",
            )
    default, database = _default(execution, database, table, spec, declared.name)
    is_sysname = spec.type.name == "sysname"
    column = TableColumn(number, spec.name, declared, nullable, spec.identity, default, spec.rowguidcol, is_sysname)
    if default is not None:
        # A default that cannot be stored is an error when the table is made, not at the first INSERT.
        assigned(default_of(execution, column), column)
    return column, database


def _default(
    execution: Execution, database: Database, table: str, spec: s.ColumnSpec, type_name: str
) -> tuple[Default | None, Database]:
    if spec.default is None:
        return None, database
    if type_name == "rowversion":
        raise SqlError(
            1755,
            f"Defaults cannot be created on columns of data type timestamp. Table '{table}', column '{spec.name}'.",
        )
    execution.queries.binder(Scope()).bind(spec.default)
    text = render(spec.default)
    parse_single_expression(text)
    object_id, database = take_object_id(database)
    named = spec.default_name is not None
    name = spec.default_name or system_name("DF", f"{table[:9]}__{spec.name[:5]}", object_id)
    return Default(object_id, name, text, not named), database


def default_sql(execution: Execution, column: TableColumn) -> str:
    """The DEFAULT as DuckDB text of the column's type, for rows that are there already."""
    return convert(assigned(default_of(execution, column), column), column.type).sql

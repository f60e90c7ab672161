"""What a value becomes when it is stored: conversion that never cuts silently, defaults, NULL and length checks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.model import MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.parse.batch import parse_single_expression
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import UNICODE
from sqlserver_sandbox.tsql.values.convert import family
from sqlserver_sandbox.tsql.values.texts import is_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 100
"""Characters of a truncated value that 2628 shows."""


def default_of(statement: Statement, column: TableColumn) -> Bound:
    """The column's DEFAULT, or NULL."""
    if column.default is None:
        return constant(None, column.type)
    return statement.queries.binder(Scope()).bind(parse_single_expression(column.default.text))


def wide_type(column: TableColumn) -> SqlType:
    """The column's type without its length: what is staged, so that length is checked and not lost."""
    declared = column.type
    if declared.name in ("char", "varchar", "nchar", "nvarchar"):
        return replace(declared, name="nvarchar" if declared.name in UNICODE else "varchar", length=MAX)
    if declared.name in ("binary", "varbinary"):
        return replace(declared, name="varbinary", length=MAX)
    return declared


def assigned(bound: Bound, column: TableColumn) -> Bound:
    """The value as the column stages it. Raises 206/257 for types that do not go together."""
    target = column.type
    if family(target) == "text" and family(bound.type) not in ("text", "number") and not bound.null_literal:
        # Dates and the like are written in full first, then measured.
        return convert(bound, wide_type(column), explicit=False)
    if family(target) == "bytes" and family(bound.type) == "number" and not bound.null_literal:
        return convert(convert(bound, target, explicit=False), wide_type(column))
    if family(target) == "text" and family(bound.type) == "number" and not bound.null_literal:
        return convert(convert(bound, target, explicit=False), wide_type(column))
    if target.name == "xml" and bound.type.name != "xml" and not bound.null_literal:
        raise refused("storing text in an xml column: SQL Server would parse and normalise it")
    if family(target) == "text" and bound.is_text:
        # CAST keeps the collation of its operand; what is stored takes the column's, whose code page decides what fits.
        bound = replace(bound, type=replace(bound.type, collation=target.collation))
    return convert(bound, wide_type(column), explicit=False)


def check_staged(
    statement: Statement, database: Database, table: Table, staged: Sequence[tuple[TableColumn, Bound]], action: str
) -> None:
    """515 and 2628, by one query over the stage."""
    tests: list[tuple[str, TableColumn, str]] = []
    for column, bound in staged:
        if not column.nullable:
            tests.append((f"{bound.sql} IS NULL", column, "null"))
        length = _too_long(column, bound)
        if length is not None:
            tests.append((length, column, "length"))
    if not tests:
        return
    found = statement.fetch(
        f"SELECT {', '.join(f'coalesce(bool_or({t}), false)' for t, _, _ in tests)} FROM temp.main.stage"
    )[0]
    for failed, (test, column, kind) in zip(found, tests, strict=True):
        if failed:
            raise _violation(statement, database, table, column, kind, test, action)


def _too_long(column: TableColumn, bound: Bound) -> str | None:
    declared = column.type
    if declared.length in (0, MAX):
        return None
    if declared.name in ("binary", "varbinary"):
        return f"octet_length({bound.sql}) > {declared.length}"
    if declared.name in UNICODE:
        return f"strlen({bound.sql}) > {declared.length} AND text_units(rtrim({bound.sql}, ' ')) > {declared.length}"
    measure = "strlen" if is_utf8(declared) else "length"
    return f"{measure}(rtrim({bound.sql}, ' ')) > {declared.length}"


def _violation(
    statement: Statement, database: Database, table: Table, column: TableColumn, kind: str, test: str, action: str
) -> SqlError:
    name = f"{database.name}.{database.full_name(table)}"
    if kind == "null":
        return SqlError(
            515,
            f"Cannot insert the value NULL into column '{column.name}', table '{name}';"
            f" column does not allow nulls. {action} fails.",
            state=2,
        )
    shown = ""
    if column.type.name not in ("binary", "varbinary"):
        text = statement.scalar(f"SELECT {column.physical} FROM temp.main.stage WHERE {test} LIMIT 1")
        shown = str(text)[: min(column.type.length, _SHOWN)]
    return SqlError(
        2628,
        f"String or binary data would be truncated in table '{name}', column '{column.name}'. Truncated value: '{shown}'.",
    )

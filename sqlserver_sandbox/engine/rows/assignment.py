"""What a value becomes when it is stored: defaults, and conversion that never cuts silently."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import MAX, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.parse.parts import parse_single_expression
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import UNICODE
from sqlserver_sandbox.tsql.values.convert import family


def default_of(execution: Execution, column: TableColumn) -> Bound:
    """The column's DEFAULT, or NULL."""
    if column.default is None:
        return constant(None, column.type)
    return execution.queries.binder(Scope()).bind(parse_single_expression(column.default.text))


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

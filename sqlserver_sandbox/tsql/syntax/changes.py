"""Syntax values of SELECT as a statement and of the statements that change rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlserver_sandbox.tsql.syntax.queries import (
    CommonTable,
    Condition,
    Expression,
    ObjectName,
    Query,
    Source,
    TypeSpec,
)


@dataclass(frozen=True)
class SelectStatement:
    query: Query
    line: int = 1


@dataclass(frozen=True)
class Insert:
    target: ObjectName
    columns: tuple[str, ...]
    rows: tuple[tuple[Expression | Default, ...], ...] = ()
    query: Query | None = None
    default_values: bool = False
    line: int = 1


@dataclass(frozen=True)
class Default:
    """The word DEFAULT where a value stands."""


@dataclass(frozen=True)
class Assignment:
    column: str
    value: Expression | Default


@dataclass(frozen=True)
class Update:
    target: ObjectName
    assignments: tuple[Assignment, ...]
    source: Source | None
    where: Condition | None
    ctes: tuple[CommonTable, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class Delete:
    target: ObjectName
    source: Source | None
    where: Condition | None
    ctes: tuple[CommonTable, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class TruncateTable:
    """`partitions` are the ranges of WITH (PARTITIONS (n, a TO b)), empty for the whole table."""

    name: ObjectName
    partitions: tuple[tuple[Expression, Expression], ...] = ()
    line: int = 1


@dataclass(frozen=True)
class BulkColumn:
    name: str
    type: TypeSpec
    collation: str | None = None


@dataclass(frozen=True)
class InsertBulk:
    target: ObjectName
    columns: tuple[BulkColumn, ...]
    options: tuple[str, ...] = field(default=())
    line: int = 1

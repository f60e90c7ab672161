"""Columns of the two tables of a SWITCH, compared in order: names, types, collations, nullability and other attributes."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.switching.sides import Side, failed
from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.types import STRINGS


def check_columns(source: Side, target: Side) -> None:
    """4943, 4942, 4944, 4945, 4985, 4958 (SQL Server docs: database engine errors)."""
    mine, theirs = source.table.columns, target.table.columns
    if len(mine) != len(theirs):
        raise failed(
            4943,
            f"Table '{source.name}' has {len(mine)} columns and table '{target.name}' has {len(theirs)} columns.",
        )
    for number, (own, other) in enumerate(zip(mine, theirs, strict=True), 1):
        _check_column(source, target, own, other, number)


def _check_column(source: Side, target: Side, own: TableColumn, other: TableColumn, number: int) -> None:
    if own.name != other.name:
        raise failed(
            4942,
            f"Column name '{own.name}' at ordinal {number} of table '{source.name}' is different from the column"
            f" name '{other.name}' at the same ordinal of table '{target.name}'.",
        )
    pair = f"in source table '{source.name}' is different from its"
    if _without_collation(own) != _without_collation(other):
        raise failed(
            4944, f"Column '{own.name}' has a different type or length {pair} type in target table '{target.name}'."
        )
    if own.type.collation != other.type.collation:
        raise failed(
            4945, f"Column '{own.name}' does not have the same collation in tables '{source.name}' and '{target.name}'."
        )
    if own.nullable != other.nullable:
        raise failed(
            4985,
            f"Column '{own.name}' does not have the same nullability attribute in tables '{source.name}' and '{target.name}'.",
        )
    if own.is_rowguidcol != other.is_rowguidcol:
        raise failed(
            4958,
            f"Column '{own.name}' does not have the same ROWGUIDCOL property in tables '{source.name}' and '{target.name}'.",
        )


def _without_collation(column: TableColumn) -> object:
    return replace(column.type, collation=None) if column.type.name in STRINGS else column.type

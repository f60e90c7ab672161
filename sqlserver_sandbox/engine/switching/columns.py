"""Columns of the two tables of a SWITCH, compared in order: names, types, collations, nullability and other attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlserver_sandbox.engine.switching.sides import Side, failed
from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.types import STRINGS, describe

_ATTRIBUTES: tuple[tuple[int, str, Callable[[TableColumn], object]], ...] = (
    (4946, "the same persistent attribute", lambda c: c.is_persisted),
    (4985, "the same nullability attribute", lambda c: c.nullable),
    (4952, "the same ANSI trimming semantics", lambda c: c.features.ansi_padded),
    (4958, "the same ROWGUIDCOL property", lambda c: c.is_rowguidcol),
    (4951, "the same FILESTREAM storage attribute", lambda c: c.features.filestream),
    (11412, "the same sparse storage attribute", lambda c: c.features.sparse),
    (11413, "the same column set property", lambda c: c.features.column_set),
    (4987, "the same XML Schema Collection", lambda c: c.features.xml_collection_id),
)
"""Number, what is to be the same, and how a column has it. IDENTITY and DEFAULT are not compared."""


def check_columns(source: Side, target: Side) -> None:
    """4943, 4942, 4965, 4966, 4944, 4945, 4964 and the attributes (SQL Server docs: database engine errors)."""
    mine, theirs = source.table.columns, target.table.columns
    if len(mine) != len(theirs):
        raise failed(
            4943,
            f" because table '{source.name}' has {len(mine)} columns and table '{target.name}' has {len(theirs)} columns.",
        )
    for number, (own, other) in enumerate(zip(mine, theirs, strict=True), 1):
        if own.name != other.name:
            raise failed(
                4942,
                f" because column '{own.name}' at ordinal {number} in table '{source.name}' has a different name than the column"
                f" '{other.name}' at the same ordinal in table '{target.name}'.",
            )
        _check_column(source, target, own, other)
    for side in (source, target):
        bound = next((c for c in side.table.columns if c.features.rule_object_id), None)
        if bound is not None:
            raise failed(
                4964,
                f". Table '{side.name}' has RULE constraint '{bound.name}'. SWITCH is not allowed on tables with RULE"
                " constraints.",
            )


def _check_computed(source: Side, target: Side, own: TableColumn, other: TableColumn) -> None:
    """4965 and 4966."""
    if bool(own.computed) != bool(other.computed):
        first, second = (source, target) if own.computed else (target, source)
        raise failed(
            4965,
            f". Column '{own.name}' in table '{first.name}' is computed column but the same column in '{second.name}' is not"
            " computed.",
        )
    if own.computed.lower() != other.computed.lower():
        raise failed(
            4966,
            f". Computed column '{own.name}' defined as '{own.computed}' in table '{source.name}' is different from the same"
            f" column in table '{target.name}' defined as '{other.computed}'.",
        )


def _check_column(source: Side, target: Side, own: TableColumn, other: TableColumn) -> None:
    _check_computed(source, target, own, other)
    if _without_collation(own) != _without_collation(other):
        raise failed(
            4944,
            f" because column '{own.name}' has data type {describe(own.type)} in source table '{source.name}' which is different"
            f" from its type {describe(other.type)} in target table '{target.name}'.",
        )
    tables = f"in tables '{source.name}' and '{target.name}'"
    if own.type.collation != other.type.collation:
        raise failed(4945, f" because column '{own.name}' does not have the same collation {tables}.")
    for number, what, attribute in _ATTRIBUTES:
        if attribute(own) != attribute(other):
            raise failed(number, f" because column '{own.name}' does not have {what} {tables}.")


def _without_collation(column: TableColumn) -> object:
    return replace(column.type, collation=None) if column.type.name in STRINGS else column.type

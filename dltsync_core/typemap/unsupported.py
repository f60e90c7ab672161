"""Columns that are refused or left out: masked, encrypted, internal ones, and unknown types."""

from __future__ import annotations

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import UnsupportedColumn
from dltsync_core.identity import TableName
from dltsync_core.typemap.declared_type import shown_type


def reason_left_out(column: ColumnFacts) -> str | None:
    """Why a column is left out by default, without a loss. None when it is loaded."""
    if column.is_column_set:
        return "column set: the same values as the sparse columns, which are loaded one by one"
    if column.is_graph_internal:
        return "internal to a graph table: it cannot be selected; the $ columns are loaded"
    if column.is_hidden:
        return "hidden: name it in include_columns to load it"
    return None


def refuse(table: TableName, column: ColumnFacts) -> None:
    """Raise UnsupportedColumn when the server would not return the stored values of the column."""
    if column.is_masked:
        raise _unsupported(
            table,
            column,
            "is masked for this login: the server would return masked values",
            "grant UNMASK to the login, or ",
        )
    if column.is_encrypted:
        raise _unsupported(table, column, "is encrypted (Always Encrypted): the server would return ciphertext", "")
    if column.is_column_set:
        raise _unsupported(
            table, column, "is the column set of the sparse columns, which are read one by one anyway", ""
        )
    if column.is_graph_internal:
        raise _unsupported(table, column, "is an internal column of a graph table, which cannot be selected", "")


def unsupported_type(table: TableName, column: ColumnFacts) -> UnsupportedColumn:
    """The error for a type without a mapping."""
    return _unsupported(table, column, f"({shown_type(column)}) is of a type that dltsync does not know", "")


def _unsupported(table: TableName, column: ColumnFacts, reason: str, other_remedy: str) -> UnsupportedColumn:
    return UnsupportedColumn(
        f"{table}: column {column.name} {reason}",
        remedy=f"{other_remedy}add {column.name} to exclude_columns of this table",
        table=str(table),
        column=column.name,
    )

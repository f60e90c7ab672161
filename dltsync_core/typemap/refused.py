"""Columns that cannot be brought over exactly yet, each with its reason. Better refused than half right."""

from __future__ import annotations

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import UnsupportedColumn
from dltsync_core.identity import TableName
from dltsync_core.typemap.declared import shown_type

_TYPES = {
    "sql_variant": "holds a different type in every row",
    "hierarchyid": "is a CLR type",
    "geometry": "is a CLR type",
    "geography": "is a CLR type",
    "vector": "is not read natively by the driver",
    "json": "is not read natively by the driver, and its text is not what was inserted",
}


def refuse(table: TableName, column: ColumnFacts) -> None:
    """Raise UnsupportedColumn when a flag of the column makes its values something else than they seem."""
    if column.is_masked:
        raise _unsupported(
            table, column, "is masked for this login: it would read masked values", "grant UNMASK to the login, or "
        )
    if column.is_encrypted:
        raise _unsupported(table, column, "is encrypted (Always Encrypted): it would read ciphertext", "")
    if column.is_column_set:
        raise _unsupported(
            table, column, "is the column set of the sparse columns, which are read one by one anyway", ""
        )
    if column.is_graph_internal:
        raise _unsupported(table, column, "is an internal column of a graph table", "")


def unsupported_type(table: TableName, column: ColumnFacts) -> UnsupportedColumn:
    """The error for a type no family maps."""
    reason = _TYPES.get(column.type_name, "is of a type that dltsync does not know")
    return _unsupported(table, column, f"({shown_type(column)}) {reason}", "")


def _unsupported(table: TableName, column: ColumnFacts, reason: str, other_remedy: str) -> UnsupportedColumn:
    return UnsupportedColumn(
        f"{table}: column {column.name} {reason}",
        remedy=f"{other_remedy}add {column.name} to exclude_columns of this table",
        table=str(table),
        column=column.name,
    )

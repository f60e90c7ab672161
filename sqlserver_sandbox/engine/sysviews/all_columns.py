"""The columns of the system views themselves, as sys.all_columns lists them: drivers ask whether one exists."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.bind.functions_system import system_object_id
from sqlserver_sandbox.tsql.catalogue import Database, TableColumn

_ASKED_FOR = {
    "sys.all_columns": (
        "object_id",
        "name",
        "column_id",
        "system_type_id",
        "user_type_id",
        "max_length",
        "precision",
        "scale",
        "is_nullable",
        "is_identity",
        "is_computed",
        "is_sparse",
        "is_column_set",
        "is_hidden",
        "is_masked",
        "graph_type",
    ),
}
"""Only what mssql-python's bulk copy looks for; the other system views' own columns are not listed."""


def catalogue_columns(database: Database) -> list[tuple[int, TableColumn]]:
    """(object_id, column) of the listed system views."""
    rows: list[tuple[int, TableColumn]] = []
    for view, names in _ASKED_FOR.items():
        schema, _, name = view.partition(".")
        number = system_object_id(schema, name)
        rows.extend((number, TableColumn(i, n, _type(n, database))) for i, n in enumerate(names, 1))
    return rows


def _type(name: str, database: Database) -> SqlType:
    if name == "name":
        return SqlType("nvarchar", 128, collation=database.collation)
    return SqlType("bit" if name.startswith("is_") else "int")

"""What the catalogue procedures share: their columns, patterns, and the tables that a pattern names."""

from __future__ import annotations

import re
from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.datatype_info import ROWS
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.types import (
    catalogue_name,
)

_CODES = {row[0]: row for row in ROWS}


def type_row(column: TableColumn) -> tuple[Any, ...]:
    """What sp_datatype_info says of the column's type."""
    return _CODES["sysname" if column.is_sysname else catalogue_name(column.type.name)]


def matches(pattern: str | None, name: str, *, exact: bool = False) -> bool:
    """A LIKE pattern with \\-less escapes in brackets, as ODBC's catalogue functions pass it; None matches all."""
    if pattern is None or pattern == "%":
        return True
    if exact:
        return pattern.lower() == name.lower()
    text = ""
    position = 0
    while position < len(pattern):
        found = re.compile(r"\[([^\]])\]|\\(.)").match(pattern, position)
        if found:
            text += re.escape(found[1] or found[2])
            position = found.end()
            continue
        text += {"%": ".*", "_": "."}.get(pattern[position], re.escape(pattern[position]))
        position += 1
    return re.fullmatch(text, name, re.IGNORECASE | re.DOTALL) is not None


def _current_database(execution: Execution, qualifier: str | None) -> Database | None:
    """The current database; 15250 for another, as the procedures have it."""
    database = execution.database
    if qualifier and qualifier.lower() != database.name.lower() and qualifier != "%":
        raise SqlError(
            15250, "The database name component of the object qualifier must be the name of the current database."
        )
    return database


def find_tables(execution: Execution, values: dict[str, Any], *, exact: bool) -> list[tuple[Database, str, Table]]:
    database = _current_database(execution, values.get("table_qualifier"))
    if database is None:
        return []
    found = []
    for table in database.tables:
        schema = database.schema_by_id(table.schema_id).name
        if matches(values["table_owner"], schema, exact=exact) and matches(
            values["table_name"], table.name, exact=exact
        ):
            found.append((database, schema, table))
    return sorted(found, key=lambda f: (f[1].lower(), f[2].name.lower()))

"""Constraints of a table, found by name: keys and defaults."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.definitions.indexes import without_index
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Table


def without_constraint(table: Table, name: str, *, if_exists: bool) -> Table:
    """The table after DROP CONSTRAINT. Raises 3728 when it has none of that name."""
    for index in table.indexes:
        if index.key_kind and (index.name or "").lower() == name.lower():
            return without_index(table, index)
    for column in table.columns:
        if column.default is not None and column.default.name.lower() == name.lower():
            kept = tuple(replace(c, default=None) if c.column_id == column.column_id else c for c in table.columns)
            return replace(table, columns=kept)
    if if_exists:
        return table
    raise SqlError(3728, f"'{name}' is not a constraint.")

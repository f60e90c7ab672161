"""The columns of the system views themselves, as sys.all_columns lists them: clients ask whether this version has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlserver_sandbox.engine.sysviews.columns import COLUMN, column_row, columns
from sqlserver_sandbox.engine.sysviews.declaration import Source, View
from sqlserver_sandbox.tsql.bind.functions_system import system_object_id
from sqlserver_sandbox.tsql.catalogue import TableColumn


def all_columns(views: Mapping[str, View]) -> dict[str, View]:
    """sys.all_columns over these views and itself: the columns that the sandbox answers, not all that SQL Server has."""
    found = dict(views)

    def rows(source: Source) -> list[tuple[object, ...]]:
        listed: list[tuple[Any, ...]] = columns(source)
        for name, view in found.items():
            schema, _, plain = name.partition(".")
            number = system_object_id(schema, plain)
            for position, column in enumerate(view.columns(source.database), 1):
                listed.append(column_row(number, TableColumn(position, column.name, column.type, column.nullable)))
        return listed

    found["sys.all_columns"] = View(COLUMN, rows)
    return found

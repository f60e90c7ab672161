"""The sandbox's own procedures, for tests and the demo: sandbox_faults, sandbox_canned, sandbox_copy and sandbox_features."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlserver_sandbox.engine.definitions.catalogue import save, table_to_alter
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.declaration import Rows
from sqlserver_sandbox.engine.testing.canned import INVALID
from sqlserver_sandbox.model import Column, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.functions_system import parse_object_name
from sqlserver_sandbox.tsql.features import changed_column, changed_table

_FAULTS = (
    Column("fault", SqlType("int"), nullable=False),
    Column("do", nvarchar(40), nullable=False),
    Column("connection", SqlType("int"), nullable=False),
    Column("at", nvarchar(4000), nullable=False),
)
_CANNED = (Column("answers", SqlType("int"), nullable=False),)


def faults(execution: Execution, values: dict[str, Any]) -> Rows:
    """What went wrong so far; with @plan, the plan of what goes wrong from now on. Raises 2812 where faults are not allowed."""
    interference = execution.session.interference
    if interference is None:
        raise SqlError(2812, "Could not find stored procedure 'sandbox_faults'.", state=62)
    plan = values["plan"]
    return _FAULTS, [*interference.control(None if plan is None else str(plan))]


def canned(execution: Execution, values: dict[str, Any]) -> Rows:
    """From now on the current database has these canned answers; without an argument, none."""
    session, given = execution.session, values["tin"]
    count = session.canned.declare(session.database_id, None if given is None else str(given))
    return _CANNED, [(count,)]


def copy(execution: Execution, values: dict[str, Any]) -> int:
    """Copy the current database, as it is committed, to a new one of the name @database. Raises 50100, and 1801 for a name that
    is taken."""
    name = str(values["database"] or "")
    if not name:
        raise SqlError(INVALID, "sandbox_copy: @database is the name of the copy")
    execution.store.copy_database(execution.session.database_id, name)
    return 0


def features(execution: Execution, values: dict[str, Any]) -> int:
    """Declare features of a table and its columns, which the catalogue shows and SWITCH and TRUNCATE heed. Raises 50100.

    @table is its name; @features an object of JSON: the fields of `TableFeatures`, and under "columns" those of
    `ColumnFeatures` by column.
    """
    try:
        given = json.loads(str(values["features"] or "{}"))
        columns = given.pop("columns", {})
    except (ValueError, AttributeError, TypeError) as error:
        raise _invalid(error) from error
    name = parse_object_name(str(values["table"] or ""))
    if name is None:
        raise _invalid("@table is not a name")
    database, table = table_to_alter(execution, name)
    try:
        table = replace(table, features=changed_table(table.features, given))
        declared = {n.lower(): f for n, f in columns.items()}
        table = replace(
            table,
            columns=tuple(
                replace(c, features=changed_column(c.features, declared.pop(c.name.lower(), {}))) for c in table.columns
            ),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise _invalid(error) from error
    if declared:
        raise _invalid(f"there is no column '{next(iter(declared))}'")
    save(execution, database.with_table(table))
    return 0


def _invalid(what: object) -> SqlError:
    return SqlError(INVALID, f"sandbox_features: {what}")

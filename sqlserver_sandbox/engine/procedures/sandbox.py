"""The sandbox's own procedures, for tests and the demo: sandbox_faults and sandbox_canned."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.declaration import Rows
from sqlserver_sandbox.model import Column, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import nvarchar

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

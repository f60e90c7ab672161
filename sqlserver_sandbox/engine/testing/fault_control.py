"""EXEC sandbox_faults: what went wrong so far, and the plan of what goes wrong from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlserver_sandbox.model import Column, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import nvarchar

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession

COLUMNS = (
    Column("fault", SqlType("int"), nullable=False),
    Column("do", nvarchar(40), nullable=False),
    Column("connection", SqlType("int"), nullable=False),
    Column("at", nvarchar(4000), nullable=False),
)


def run(session: DuckDbSession, values: dict[str, Any]) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """Without @plan only a look. A server that was not told to allow it does not know the procedure."""
    if session.interference is None:
        raise SqlError(2812, "Could not find stored procedure 'sandbox_faults'.", state=62)
    plan = values["plan"]
    return COLUMNS, [*session.interference.control(None if plan is None else str(plan))]

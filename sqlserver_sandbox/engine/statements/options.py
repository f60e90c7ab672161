"""SET options and SET TRANSACTION ISOLATION LEVEL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import SET
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.options import lock_timeout
from sqlserver_sandbox.model import Outcome, RowsAffected
from sqlserver_sandbox.tsql import syntax as s


def set_option(execution: Execution, node: s.SetOption) -> Iterator[Outcome]:
    session = execution.session
    if node.option == "LOCK_TIMEOUT":
        session.transaction.lock_timeout = lock_timeout(node)
    else:
        session.options = session.options.with_setting(node)
    yield RowsAffected(None, SET)


def set_isolation(execution: Execution, node: s.SetIsolation) -> Iterator[Outcome]:
    execution.transaction.set_isolation(node.level)
    yield RowsAffected(None, SET)

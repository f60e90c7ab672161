"""BEGIN, COMMIT and ROLLBACK TRANSACTION."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import TRANSACTION
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import Outcome, RowsAffected
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.refusal import refused


def run_transaction(execution: Execution, node: s.Transaction) -> Iterator[Outcome]:
    state = execution.transaction
    if node.action == "begin":
        yield from state.begin()
    elif node.action == "commit":
        yield from state.commit()
    else:
        if node.name is not None:
            raise refused("ROLLBACK TRANSACTION with a name", line=node.line)
        yield from state.rollback()
    yield RowsAffected(None, TRANSACTION)

"""BEGIN, COMMIT, ROLLBACK and SAVE TRANSACTION."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import TRANSACTION
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import Outcome, RowsAffected
from sqlserver_sandbox.tsql import syntax as s


def run_transaction(execution: Execution, node: s.Transaction) -> Iterator[Outcome]:
    state = execution.transaction
    if node.action == "begin":
        yield from state.begin(node.name or "")
    elif node.action == "commit":
        yield from state.commit()
    else:
        yield from state.rollback(node.name or "")
    yield RowsAffected(None, TRANSACTION)


def save_transaction(execution: Execution, node: s.SaveTransaction) -> Iterator[Outcome]:
    execution.transaction.save(node.name)
    yield RowsAffected(None, TRANSACTION)

"""IF … ELSE."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.batch import run_block
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import Outcome
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.scope import Scope


def run_if(execution: Execution, node: s.If) -> Iterator[Outcome]:
    condition = execution.queries.binder(Scope()).condition(node.condition)
    execution.reading_connection()
    holds = execution.scalar(f"SELECT {condition}")
    yield from execution.transaction.end_statement()
    yield from run_block(execution, node.then if holds else node.otherwise)

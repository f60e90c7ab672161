"""IF … ELSE, and BEGIN TRY … BEGIN CATCH."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.execution.batch import CaughtError, run_block
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import Outcome
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.scope import Scope


def run_if(execution: Execution, node: s.If) -> Iterator[Outcome]:
    condition = execution.queries.binder(Scope()).condition(node.condition)
    with execution.reading() as connection:
        holds = connection.scalar(f"SELECT {condition}")
    yield from execution.transaction.end_statement()
    yield from run_block(execution, node.then if holds else node.otherwise)


def run_try(execution: Execution, node: s.TryCatch) -> Iterator[Outcome]:
    """The handler's statements run after an error in the body, outside this TRY and within whatever TRY is around it."""
    guarded = replace(execution.next_statement(), try_level=execution.nesting)
    try:
        yield from run_block(guarded, node.body)
    except CaughtError as caught:
        error = caught.error
    else:
        return
    yield from run_block(replace(execution.next_statement(), caught=error), node.handler)

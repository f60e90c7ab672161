"""DECLARE and SET @variable."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.variables import evaluate
from sqlserver_sandbox.model import Outcome, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.types import resolve


def declare(execution: Execution, node: s.Declare) -> Iterator[Outcome]:
    if node.name in execution.variables:
        raise SqlError(
            134,
            f"The variable name '@{node.name}' has already been declared. Variable names must be unique within a query batch or"
            " stored procedure.",
            class_=15,
            line=node.line,
        )
    declared = resolve(node.type, line=node.line)
    value = evaluate(execution, node.value, declared).value if node.value is not None else None
    execution.variables[node.name] = VariableValue(declared, value)
    yield from ()


def assign(execution: Execution, node: s.SetVariable) -> Iterator[Outcome]:
    declared = execution.variables.get(node.name)
    if declared is None:
        raise SqlError(137, f'Must declare the scalar variable "@{node.name}".', class_=15, line=node.line)
    execution.variables[node.name] = VariableValue(declared.type, evaluate(execution, node.value, declared.type).value)
    yield from ()

"""SET, variables, transactions, IF, PRINT, RAISERROR, THROW."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.execution.options import lock_timeout
from sqlserver_sandbox.model import Info, Outcome, RowsAffected, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import duck_type, resolve
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.convert import check_allowed

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

SET_COMMAND, TRANSACTION_COMMAND = 0xBE, 0xD4


def set_option(runner: BatchRunner, node: s.SetOption) -> Iterator[Outcome]:
    session = runner.session
    if node.option == "LOCK_TIMEOUT":
        session.transaction.lock_timeout = lock_timeout(node)
    else:
        session.options = session.options.with_setting(node)
    yield RowsAffected(None, SET_COMMAND)


def set_isolation(runner: BatchRunner, node: s.SetIsolation) -> Iterator[Outcome]:
    runner.session.set_isolation(node.level)
    yield RowsAffected(None, SET_COMMAND)


def transaction(runner: BatchRunner, node: s.Transaction) -> Iterator[Outcome]:
    state = runner.session.transaction
    if node.action == "begin":
        yield from state.begin()
    elif node.action == "commit":
        yield from state.commit()
    else:
        if node.name is not None:
            raise refused("ROLLBACK TRANSACTION with a name", line=node.line)
        yield from state.rollback()
    yield RowsAffected(None, TRANSACTION_COMMAND)


# ---- variables ---------------------------------------------------------------------------------------------------
def evaluate(statement: Statement, node: s.Expression, target: SqlType | None = None) -> VariableValue:
    """An expression's value. Raises what evaluating it raises."""
    bound = statement.queries.binder(Scope()).bind(node)
    return evaluate_bound(statement, bound, target)


def evaluate_bound(statement: Statement, bound: Bound, target: SqlType | None = None) -> VariableValue:
    if target is not None:
        bound = convert(bound, target, explicit=False)
    if bound.constant is not None:
        return VariableValue(bound.type, bound.constant.value)
    text = f"SELECT CAST({bound.sql} AS {duck_type(bound.type)})"
    rows = statement.fetch(text)
    value = rows[0][0]
    if isinstance(value, dict):
        value = (value["ticks"], value["offset"])
    return VariableValue(bound.type, value)


def set_variable(variables: dict[str, VariableValue], name: str, value: VariableValue) -> None:
    """Assign with conversion to the declared type. Raises 137 for one not declared."""
    declared = variables.get(name)
    if declared is None:
        raise SqlError(137, f'Must declare the scalar variable "@{name}".', class_=15)
    if value.value is None:
        variables[name] = VariableValue(declared.type, None)
        return
    check_allowed(value.type, declared.type, explicit=False)
    variables[name] = VariableValue(declared.type, convert_value(value.value, value.type, declared.type))


def declare(runner: BatchRunner, node: s.Declare) -> Iterator[Outcome]:
    if node.name in runner.variables:
        raise SqlError(
            134,
            f"The variable name '@{node.name}' has already been declared. Variable names must be unique within a query batch or"
            " stored procedure.",
            class_=15,
            line=node.line,
        )
    declared = resolve(node.type, line=node.line)
    value = evaluate(runner.statement(), node.value, declared).value if node.value is not None else None
    runner.variables[node.name] = VariableValue(declared, value)
    yield from ()


def assign(runner: BatchRunner, node: s.SetVariable) -> Iterator[Outcome]:
    declared = runner.variables.get(node.name)
    if declared is None:
        raise SqlError(137, f'Must declare the scalar variable "@{node.name}".', class_=15, line=node.line)
    runner.variables[node.name] = VariableValue(
        declared.type, evaluate(runner.statement(), node.value, declared.type).value
    )
    yield from ()


# ---- flow and messages -------------------------------------------------------------------------------------------
def run_if(runner: BatchRunner, node: s.If) -> Iterator[Outcome]:
    statement = runner.statement()
    condition = statement.queries.binder(Scope()).condition(node.condition)
    runner.reading(statement)
    holds = statement.scalar(f"SELECT {condition}")
    yield from runner.session.transaction.end_statement()
    yield from runner.block(node.then if holds else node.otherwise)


def print_text(runner: BatchRunner, node: s.Print) -> Iterator[Outcome]:
    value = evaluate(runner.statement(), node.value, nvarchar(4000)).value
    yield Info(0, "" if value is None else str(value))


def throw(runner: BatchRunner, node: s.Throw) -> Iterator[Outcome]:
    """Ends the batch always."""
    if node.number is None or node.message is None or node.state is None:
        raise SqlError(
            10704,
            "To rethrow an error, a THROW statement must be used inside a CATCH block.",
            class_=15,
            line=node.line,
        )
    statement = runner.statement()
    number = _number(statement, node.number)
    if not 50000 <= number <= 2147483647:
        raise SqlError(
            35100,
            f"Error number {number} in the THROW statement is outside the valid range."
            " Specify an error number in the valid range of"
            " 50000 to 2147483647.",
            line=node.line,
        )
    message = str(evaluate(statement, node.message, nvarchar(2048)).value or "")
    error = SqlError(number, message, state=_number(statement, node.state), line=node.line)
    yield from runner.stop(error)


def _number(statement: Statement, node: s.Expression) -> int:
    return int(str(evaluate(statement, node, SqlType("int")).value or 0))


def raiserror(runner: BatchRunner, node: s.Raiserror) -> Iterator[Outcome]:
    """Text messages with constants only; the batch goes on after it, as on SQL Server."""
    if node.args:
        raise refused("RAISERROR with arguments", line=node.line)
    statement = runner.statement()
    message = evaluate(statement, node.message)
    if not isinstance(message.value, str) or "%" in message.value:
        raise refused("RAISERROR with a message number or a format", line=node.line)
    severity, state = _number(statement, node.severity), _number(statement, node.state)
    if severity > 18:
        raise SqlError(
            2754,
            "Error severity levels greater than 18 can only be specified by members of"
            " the sysadmin role, using the WITH LOG option.",
        )
    if severity <= 10:
        yield Info(50000, message.value, max(severity, 0), state)
        return
    error = SqlError(50000, message.value, class_=severity, state=state, line=node.line)
    runner.session.with_error(error)
    yield error

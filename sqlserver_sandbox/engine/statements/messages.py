"""PRINT, THROW, RAISERROR."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.batch import catch, stop_batch
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.variables import evaluate
from sqlserver_sandbox.model import Info, Outcome, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.refusal import refused


def print_text(execution: Execution, node: s.Print) -> Iterator[Outcome]:
    value = evaluate(execution, node.value, nvarchar(4000)).value
    yield Info(0, "" if value is None else str(value))


def throw(execution: Execution, node: s.Throw) -> Iterator[Outcome]:
    """Ends the batch always. Without arguments it throws the error of the CATCH block again."""
    if node.number is None and execution.caught is not None:
        yield from stop_batch(execution, execution.caught)
    if node.number is None or node.message is None or node.state is None:
        raise SqlError(
            10704,
            "To rethrow an error, a THROW statement must be used inside a CATCH block.",
            class_=15,
            line=node.line,
        )
    number = _number(execution, node.number)
    if not 50000 <= number <= 2147483647:
        raise SqlError(
            35100,
            f"Error number {number} in the THROW statement is outside the valid range."
            " Specify an error number in the valid range of"
            " 50000 to 2147483647.",
            line=node.line,
        )
    message = str(evaluate(execution, node.message, nvarchar(2048)).value or "")
    error = SqlError(number, message, state=_number(execution, node.state), line=node.line)
    yield from stop_batch(execution, error)


def _number(execution: Execution, node: s.Expression) -> int:
    return int(str(evaluate(execution, node, SqlType("int")).value or 0))


def raiserror(execution: Execution, node: s.Raiserror) -> Iterator[Outcome]:
    """Text messages with constants only; the batch goes on after it, as on SQL Server."""
    if node.args:
        raise refused("RAISERROR with arguments", line=node.line)
    message = evaluate(execution, node.message)
    if not isinstance(message.value, str) or "%" in message.value:
        raise refused("RAISERROR with a message number or a format", line=node.line)
    severity, state = _number(execution, node.severity), _number(execution, node.state)
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
    execution.session.record_error(error)
    if execution.try_level is not None:
        catch(execution, error, dooms=False)
    yield error

"""EXEC: text as a nested batch, sp_executesql with parameters, and the catalogue procedures by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlserver_sandbox.engine.procedures import registry as procedures
from sqlserver_sandbox.engine.statements import flow as control
from sqlserver_sandbox.model import MAX, Outcome, Parameter, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.parse import parse_batch
from sqlserver_sandbox.tsql.parse.batch import parse_declarations
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import resolve
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.convert import check_allowed
from sqlserver_sandbox.tsql.values.storage import arrow_type, to_python

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

MAX_NESTING = 32


def run_text(runner: BatchRunner, node: s.ExecuteText) -> Iterator[Outcome]:
    """EXEC ('…'): a batch of its own, without this batch's variables; USE in it does not outlive it."""
    text = control.evaluate(runner.statement(), node.text, nvarchar(MAX)).value
    yield from runner.session.transaction.end_statement()
    yield from _nested(runner, str(text or ""), {})


def _nested(runner: BatchRunner, text: str, variables: dict[str, VariableValue]) -> Iterator[Outcome]:
    if runner.nested >= MAX_NESTING:
        raise SqlError(217, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).")
    session = runner.session
    home, options = session.database_id, session.options
    inner = type(runner)(session, variables, nested=runner.nested + 1, text=text)
    try:
        yield from inner.block(parse_batch(text))
    finally:
        variables.update(inner.variables)
        # SET options and USE of an inner batch end with it.
        session.use(home)
        session.options = options


def run_procedure(runner: BatchRunner, node: s.Execute) -> Iterator[Outcome]:
    name = node.procedure.name.lower()
    if node.procedure.schema.lower() not in ("", "sys", "dbo"):
        raise SqlError(2812, f"Could not find stored procedure '{node.procedure}'.", line=node.line)
    if name == "sp_executesql":
        yield from _execute_sql(runner, node)
    else:
        arguments = [(a.name, _parameter(runner, a)) for a in node.arguments]
        if any(a.output for a in node.arguments):
            raise refused(f"output parameters of {name}", line=node.line)
        yield from runner.session.transaction.end_statement()
        yield from procedures.call(runner.session, name, arguments, database=node.procedure.database)
    if node.result is not None:
        control.set_variable(runner.variables, node.result, _zero())
    yield from runner.session.transaction.end_statement()


def _zero() -> VariableValue:
    return VariableValue(SqlType("int"), 0)


def _parameter(runner: BatchRunner, argument: s.Argument) -> Parameter:
    value = control.evaluate(runner.statement(), argument.value)
    return Parameter(argument.name, value.type, pa.array([to_python(value.value)], arrow_type(value.type)))


def _execute_sql(runner: BatchRunner, node: s.Execute) -> Iterator[Outcome]:
    if not node.arguments:
        raise SqlError(
            201,
            "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.",
            line=node.line,
        )
    statement = runner.statement()
    text = control.evaluate(statement, node.arguments[0].value).value
    declared: list[tuple[str, VariableValue, bool]] = []
    if len(node.arguments) > 1:
        words = control.evaluate(statement, node.arguments[1].value).value
        for name, spec, output in parse_declarations(str(words or "")):
            declared.append((name, VariableValue(resolve(spec), None), output))
    variables = {name: value for name, value, _ in declared}
    passed: dict[str, s.Argument] = {}
    for place, argument in enumerate(node.arguments[2:]):
        name = argument.name or (declared[place][0] if place < len(declared) else "")
        if name not in variables:
            raise SqlError(8144, "Procedure or function has too many arguments specified.", line=node.line)
        value = control.evaluate(statement, argument.value)
        variables[name] = _converted(value, variables[name])
        passed[name] = argument
    missing = next((name for name, _, _ in declared if name not in passed), None)
    if missing is not None:
        raise SqlError(
            8178, f"The parameterized query expects the parameter '@{missing}', which was not supplied.", line=node.line
        )
    yield from runner.session.transaction.end_statement()
    yield from _nested(runner, str(text or ""), variables)
    for name, _, output in declared:
        argument = passed[name]
        if output and argument.output and isinstance(argument.value, s.Variable):
            control.set_variable(runner.variables, argument.value.name, variables[name])


def _converted(value: VariableValue, declared: VariableValue) -> VariableValue:
    if value.value is None:
        return declared
    check_allowed(value.type, declared.type, explicit=False)
    return VariableValue(declared.type, convert_value(value.value, value.type, declared.type))

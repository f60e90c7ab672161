"""EXEC: text as a nested batch, sp_executesql with parameters, and the system procedures by name."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from sqlserver_sandbox.engine.execution.batch import run_block
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.variables import converted, evaluate, set_variable
from sqlserver_sandbox.engine.procedures import registry as procedures
from sqlserver_sandbox.model import MAX, Outcome, Parameter, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.parse import parse_batch
from sqlserver_sandbox.tsql.parse.parts import parse_declarations
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import resolve
from sqlserver_sandbox.tsql.values.storage import arrow_type, to_python

MAX_NESTING = 32


def run_text(execution: Execution, node: s.ExecuteText) -> Iterator[Outcome]:
    """EXEC ('…'): a batch of its own, without this batch's variables; USE in it does not outlive it."""
    text = evaluate(execution, node.text, nvarchar(MAX)).value
    yield from execution.transaction.end_statement()
    yield from _nested(execution, str(text or ""), {})


def _nested(execution: Execution, text: str, variables: dict[str, VariableValue]) -> Iterator[Outcome]:
    if execution.nesting >= MAX_NESTING:
        raise SqlError(217, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).")
    session = execution.session
    home, options = session.database_id, session.options
    try:
        yield from run_block(execution.nested(text, variables), parse_batch(text))
    finally:
        # SET options and USE of an inner batch end with it.
        session.database_id = home
        session.options = options


def run_procedure(execution: Execution, node: s.Execute) -> Iterator[Outcome]:
    name, code = node.procedure.name.lower(), 0
    if node.procedure.schema.lower() not in ("", "sys", "dbo"):
        raise SqlError(2812, f"Could not find stored procedure '{node.procedure}'.", line=node.line)
    if name == "sp_executesql":
        yield from _execute_sql(execution, node)
    else:
        arguments = [(a.name, _parameter(execution, a)) for a in node.arguments]
        if any(a.output for a in node.arguments):
            raise refused(f"output parameters of {name}", line=node.line)
        yield from execution.transaction.end_statement()
        code = yield from procedures.call(execution, name, arguments, database=node.procedure.database)
    if node.result is not None:
        set_variable(execution.variables, node.result, VariableValue(SqlType("int"), code))
    yield from execution.transaction.end_statement()


def _parameter(execution: Execution, argument: s.Argument) -> Parameter:
    value = evaluate(execution, argument.value)
    return Parameter(argument.name, value.type, pa.array([to_python(value.value)], arrow_type(value.type)))


def _execute_sql(execution: Execution, node: s.Execute) -> Iterator[Outcome]:
    if not node.arguments:
        raise SqlError(
            201,
            "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.",
            line=node.line,
        )
    text = evaluate(execution, node.arguments[0].value).value
    declared: list[tuple[str, VariableValue, bool]] = []
    if len(node.arguments) > 1:
        words = evaluate(execution, node.arguments[1].value).value
        for name, spec, output in parse_declarations(str(words or "")):
            declared.append((name, VariableValue(resolve(spec), None), output))
    variables = {name: value for name, value, _ in declared}
    passed: dict[str, s.Argument] = {}
    for position, argument in enumerate(node.arguments[2:]):
        name = argument.name or (declared[position][0] if position < len(declared) else "")
        if name not in variables:
            raise SqlError(8144, "Procedure or function has too many arguments specified.", line=node.line)
        value = evaluate(execution, argument.value)
        variables[name] = converted(value, variables[name].type)
        passed[name] = argument
    missing = next((name for name, _, _ in declared if name not in passed), None)
    if missing is not None:
        raise SqlError(
            8178, f"The parameterized query expects the parameter '@{missing}', which was not supplied.", line=node.line
        )
    yield from execution.transaction.end_statement()
    yield from _nested(execution, str(text or ""), variables)
    for name, _, output in declared:
        argument = passed[name]
        if output and argument.output and isinstance(argument.value, s.Variable):
            set_variable(execution.variables, argument.value.name, variables[name])

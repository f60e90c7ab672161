"""Values of expressions, and variables: assigned with conversion to their declared types."""

from __future__ import annotations

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.types import INTEGERS, MAX_PARTITIONS, duck_type
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.convert import check_allowed


def evaluate(execution: Execution, node: s.Expression, target: SqlType | None = None) -> VariableValue:
    """An expression's value, converted to `target` if that is given. Raises what evaluating it raises."""
    bound = execution.queries.binder(Scope()).bind(node)
    if target is not None:
        bound = convert(bound, target, explicit=False)
    if bound.constant is not None:
        return VariableValue(bound.type, bound.constant.value)
    with execution.reading() as connection:
        value = connection.fetch(f"SELECT CAST({bound.sql} AS {duck_type(bound.type)})")[0][0]
    if isinstance(value, dict):
        value = (value["ticks"], value["offset"])
    return VariableValue(bound.type, value)


def partition_number(execution: Execution, node: s.Expression) -> int:
    """What stands after PARTITION. Raises 4957 for what is not an integer, 7722 for one that no table can have."""
    value = evaluate(execution, node)
    if value.type.name not in INTEGERS or value.value is None:
        raise SqlError(4957, "'ALTER TABLE SWITCH' statement failed. The partition number must be an integer.")
    number = int(str(value.value))
    if not 1 <= number <= MAX_PARTITIONS:
        raise SqlError(
            7722,
            f"Invalid partition number {number} specified, partition number can range from 1 to {MAX_PARTITIONS}.",
        )
    return number


def set_variable(variables: dict[str, VariableValue], name: str, value: VariableValue) -> None:
    """Assign with conversion to the declared type. Raises 137 for one not declared."""
    declared = variables.get(name)
    if declared is None:
        raise SqlError(137, f'Must declare the scalar variable "@{name}".', class_=15)
    variables[name] = converted(value, declared.type)


def converted(value: VariableValue, declared: SqlType) -> VariableValue:
    """The value as a variable of that type holds it. Raises 206, 257 … for types that do not go together."""
    if value.value is None:
        return VariableValue(declared, None)
    check_allowed(value.type, declared, explicit=False)
    return VariableValue(declared, convert_value(value.value, value.type, declared))

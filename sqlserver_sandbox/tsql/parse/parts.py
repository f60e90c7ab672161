"""Texts that are less than a batch: an expression, a condition, the parameters of sp_executesql."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions, expressions, queries
from sqlserver_sandbox.tsql.parse.reader import Reader
from sqlserver_sandbox.tsql.refusal import refused


def _check_end(reader: Reader) -> None:
    if reader.token.kind != "end":
        raise SqlError(102, f"Incorrect syntax near '{reader.token.text}'.", class_=15)


def parse_single_condition(sql: str) -> s.Condition:
    """One condition and nothing else: a CHECK, or the filter of an index, as the catalogue has it."""
    reader = queries.QueryReader(sql)
    condition = conditions.parse_condition(reader)
    _check_end(reader)
    return condition


def parse_single_expression(sql: str) -> s.Expression:
    """One expression and nothing else: a stored default, or a parameter's default."""
    reader = queries.QueryReader(sql)
    value = expressions.parse_expression(reader)
    _check_end(reader)
    return value


def parse_declarations(declared: str) -> list[tuple[str, s.TypeSpec, bool]]:
    """'@a int, @b nvarchar(max) OUTPUT' as sp_executesql takes it: (name without @, type, is output)."""
    reader = queries.QueryReader(declared)
    found: list[tuple[str, s.TypeSpec, bool]] = []
    while reader.token.kind != "end":
        if reader.token.kind != "variable":
            reader.fail()
        name = reader.next().value[1:].lower()
        reader.accept_word("AS")
        spec = reader.type_spec()
        if reader.accept_op("="):
            raise refused("default values of sp_executesql parameters", line=reader.line)
        found.append((name, spec, reader.accept_word("OUTPUT", "OUT") is not None))
        if not reader.accept_op(","):
            break
    if reader.token.kind != "end":
        reader.fail()
    return found

"""Search conditions: OR, AND, NOT and the predicates. A condition is never a value in T-SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import expressions
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!<": ">=", "!>": "<="}


def parse_condition(reader: Reader) -> s.Condition:
    items = [_conjunction(reader)]
    while reader.accept_word("OR"):
        items.append(_conjunction(reader))
    return items[0] if len(items) == 1 else s.Logical("OR", tuple(items))


def _conjunction(reader: Reader) -> s.Condition:
    items = [_negation(reader)]
    while reader.accept_word("AND"):
        items.append(_negation(reader))
    return items[0] if len(items) == 1 else s.Logical("AND", tuple(items))


def _negation(reader: Reader) -> s.Condition:
    if reader.accept_word("NOT"):
        return s.Not(_negation(reader))
    return _predicate(reader)


def _predicate(reader: Reader) -> s.Condition:
    if reader.accept_word("EXISTS"):
        reader.expect_op("(")
        query = reader.query()
        reader.expect_op(")")
        return s.Exists(query)
    if reader.at_word("CONTAINS", "FREETEXT", "UPDATE"):
        raise refused(f"the predicate {reader.token.text.upper()}", line=reader.line)
    if not reader.at_op("("):
        return _after(reader, expressions.parse_expression(reader))
    # An opening parenthesis starts a value or a condition; only what follows the closing one tells.
    start = reader.position
    try:
        return _after(reader, expressions.parse_expression(reader))
    except SqlError as value_error:
        value_position = reader.position
        reader.position = start
        try:
            reader.expect_op("(")
            condition = parse_condition(reader)
            reader.expect_op(")")
        except SqlError as condition_error:
            # The reading that got further tells the person more.
            raise (value_error if value_position >= reader.position else condition_error) from None
        return condition


def _after(reader: Reader, operand: s.Expression) -> s.Condition:
    if reader.token.kind == "op" and reader.token.value in _COMPARISONS:
        op = _COMPARISONS[reader.next().value]
        if reader.at_word("ANY", "ALL", "SOME"):
            raise refused(f"the quantified comparison {reader.token.text.upper()}", line=reader.line)
        return s.Comparison(op, operand, expressions.parse_expression(reader))
    if reader.accept_word("IS"):
        negated = reader.accept_word("NOT") is not None
        if reader.at_word("DISTINCT"):
            raise refused("IS [NOT] DISTINCT FROM (SQL Server 2022)", line=reader.line)
        reader.expect_word("NULL")
        return s.IsNull(operand, negated)
    negated = reader.accept_word("NOT") is not None
    if reader.accept_word("IN"):
        return _in(reader, operand, negated)
    if reader.accept_word("BETWEEN"):
        low = expressions.parse_expression(reader)
        reader.expect_word("AND")
        return s.Between(operand, low, expressions.parse_expression(reader), negated)
    if reader.accept_word("LIKE"):
        pattern = expressions.parse_expression(reader)
        escape = expressions.parse_expression(reader) if reader.accept_word("ESCAPE") else None
        return s.Like(operand, pattern, escape, negated)
    if reader.token.kind != "end" and not negated and not reader.at_op(")", ",", ";"):
        reader.fail()
    near = reader.token.text
    raise SqlError(
        4145,
        f"An expression of non-boolean type specified in a context where a condition is expected, near '{near}'.",
        class_=15,
        line=reader.line,
    )


def _in(reader: Reader, operand: s.Expression, negated: bool) -> s.Condition:
    reader.expect_op("(")
    if reader.at_word("SELECT", "WITH"):
        query = reader.query()
        reader.expect_op(")")
        return s.In(operand, (), query, negated)
    items = [expressions.parse_expression(reader)]
    while reader.accept_op(","):
        items.append(expressions.parse_expression(reader))
    reader.expect_op(")")
    return s.In(operand, tuple(items), None, negated)

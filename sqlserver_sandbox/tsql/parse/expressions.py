"""Scalar expressions. Precedence, high to low: ~ COLLATE; * / %; + - & ^ |; then conditions (`conditions.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_LITERALS = ("integer", "decimal", "float", "money", "string", "nstring", "binary")
_KEYWORD_CALLS = ("LEFT", "RIGHT", "COALESCE", "NULLIF", "USER")
_BARE_CALLS = ("CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER")
_ADDITIVE = ("+", "-", "&", "|", "^")


def parse_expression(reader: Reader) -> s.Expression:
    left = _term(reader)
    while reader.at_op(*_ADDITIVE):
        op = reader.next().value
        left = s.Binary(op, left, _term(reader))
    return left


def _term(reader: Reader) -> s.Expression:
    left = _factor(reader)
    while reader.at_op("*", "/", "%"):
        op = reader.next().value
        left = s.Binary(op, left, _factor(reader))
    return left


def _factor(reader: Reader) -> s.Expression:
    if reader.at_op("-", "+", "~"):
        op = reader.next().value
        return s.Unary(op, _factor(reader))
    value = _primary(reader)
    while reader.accept_word("COLLATE"):
        value = s.Collate(value, reader.identifier())
    return value


def _primary(reader: Reader) -> s.Expression:
    token = reader.token
    if token.kind in _LITERALS:
        reader.next()
        return s.Literal(token.kind, token.value)
    if token.kind == "variable":
        reader.next()
        if token.value.startswith("@@"):
            return s.Variable(token.value[2:].lower(), system=True)
        return s.Variable(token.value[1:].lower())
    if token.is_op("("):
        return _parenthesised(reader)
    if token.is_op("{"):
        raise refused("ODBC escape sequences ({d …}, {fn …})", line=token.line)
    if token.kind == "word" and token.value.upper() == "$PARTITION":
        return _partition(reader)
    special = _SPECIAL.get(token.value.upper()) if token.kind == "word" else None
    if special is not None:
        reader.next()
        return special(reader)
    return _name_or_call(reader)


def _parenthesised(reader: Reader) -> s.Expression:
    reader.expect_op("(")
    if reader.at_word("SELECT", "WITH"):
        query = reader.query()
        reader.expect_op(")")
        return s.Subquery(query)
    value = parse_expression(reader)
    reader.expect_op(")")
    return value


def _name_or_call(reader: Reader) -> s.Expression:
    token = reader.token
    word = token.value.upper() if token.kind == "word" else ""
    if word in _KEYWORD_CALLS and reader.peek().is_op("("):
        reader.next()
        return _call(reader, word.lower())
    if word in _BARE_CALLS:
        reader.next()
        return s.Call(word.lower(), (), line=token.line)
    if not reader.at_identifier():
        reader.fail()
    name = reader.object_name()
    if reader.at_op("("):
        if token.kind == "quoted" or len(name.parts) > 1:
            raise refused(f"the function {name}", line=token.line)
        return _iif(reader) if name.name.lower() == "iif" else _call(reader, name.name.lower())
    if reader.at_op("::"):
        raise refused("static methods of CLR types", line=token.line)
    return s.Name(name.parts, name.line)


def _call(reader: Reader, name: str) -> s.Expression:
    line = reader.line
    reader.expect_op("(")
    distinct, star, args = False, False, []
    if reader.accept_op("*"):
        star = True
    elif not reader.at_op(")"):
        distinct = reader.accept_word("DISTINCT") is not None
        if not distinct:
            reader.accept_word("ALL")
        args = _arguments(reader)
    reader.expect_op(")")
    if reader.at_words("WITHIN", "GROUP"):
        raise refused("WITHIN GROUP", line=reader.line)
    over = _window(reader) if reader.accept_word("OVER") else None
    return s.Call(name, tuple(args), distinct, star, over, line)


def _iif(reader: Reader) -> s.Expression:
    """IIF is CASE by another name."""
    reader.expect_op("(")
    condition = reader.condition()
    reader.expect_op(",")
    then = parse_expression(reader)
    reader.expect_op(",")
    otherwise = parse_expression(reader)
    reader.expect_op(")")
    return s.Case(None, (s.When(condition, then),), otherwise)


def _arguments(reader: Reader) -> list[s.Expression]:
    args = [parse_expression(reader)]
    while reader.accept_op(","):
        args.append(parse_expression(reader))
    return args


def _window(reader: Reader) -> s.Window:
    reader.expect_op("(")
    partition: list[s.Expression] = []
    if reader.accept_word("PARTITION"):
        reader.expect_word("BY")
        partition.append(parse_expression(reader))
        while reader.accept_op(","):
            partition.append(parse_expression(reader))
    order = reader.order() if reader.accept_words("ORDER", "BY") else ()
    if reader.at_word("ROWS", "RANGE"):
        raise refused("window frames (ROWS, RANGE)", line=reader.line)
    reader.expect_op(")")
    return s.Window(tuple(partition), order)


def _partition(reader: Reader, database: str | None = None) -> s.Expression:
    reader.next()
    reader.expect_op(".")
    function = reader.identifier()
    reader.expect_op("(")
    operand = parse_expression(reader)
    reader.expect_op(")")
    return s.PartitionNumber(function, operand, database)


# ---- keywords with a grammar of their own ------------------------------------------------------------------------
def _null(reader: Reader) -> s.Expression:
    return s.Literal("null", "NULL")


def _cast(is_try: bool) -> Callable[[Reader], s.Expression]:
    def parse(reader: Reader) -> s.Expression:
        reader.expect_op("(")
        operand = parse_expression(reader)
        reader.expect_word("AS")
        target = reader.type_spec()
        reader.expect_op(")")
        return s.Cast(operand, target, is_try=is_try)

    return parse


def _convert(is_try: bool) -> Callable[[Reader], s.Expression]:
    def parse(reader: Reader) -> s.Expression:
        reader.expect_op("(")
        target = reader.type_spec()
        reader.expect_op(",")
        operand = parse_expression(reader)
        style = parse_expression(reader) if reader.accept_op(",") else None
        reader.expect_op(")")
        return s.Cast(operand, target, style, is_try, is_convert=True)

    return parse


def _case(reader: Reader) -> s.Expression:
    operand = None if reader.at_word("WHEN") else parse_expression(reader)
    whens: list[s.When] = []
    while reader.accept_word("WHEN"):
        condition = reader.condition() if operand is None else parse_expression(reader)
        reader.expect_word("THEN")
        whens.append(s.When(condition, parse_expression(reader)))
    if not whens:
        reader.fail()
    otherwise = parse_expression(reader) if reader.accept_word("ELSE") else None
    reader.expect_word("END")
    return s.Case(operand, tuple(whens), otherwise)


_SPECIAL: dict[str, Callable[[Reader], s.Expression]] = {
    "NULL": _null,
    "CAST": _cast(is_try=False),
    "TRY_CAST": _cast(is_try=True),
    "CONVERT": _convert(is_try=False),
    "TRY_CONVERT": _convert(is_try=True),
    "CASE": _case,
}

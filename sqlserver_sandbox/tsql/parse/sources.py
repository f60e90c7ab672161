"""FROM: tables, derived tables, VALUES, joins and APPLY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions, expressions
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

LOCKING_HINTS = frozenset({"TABLOCKX", "XLOCK", "UPDLOCK"})
"""The table is locked as a writer locks it, to the end of the transaction: locks of rows are locks of tables here."""
_WITH_LOCKS = frozenset({"HOLDLOCK", "SERIALIZABLE", "ROWLOCK", "PAGLOCK", "READCOMMITTED"})
"""Beside one of these, or at the table that a statement changes, they ask for nothing more. Alone they would."""


def parse_sources(reader: Reader) -> s.Source:
    """Everything after FROM; a comma is a cross join."""
    source = _joined(reader)
    while reader.accept_op(","):
        source = s.Join("cross", source, _joined(reader), None)
    return source


def parse_column_names(reader: Reader) -> tuple[str, ...]:
    reader.expect_op("(")
    names = [reader.identifier()]
    while reader.accept_op(","):
        names.append(reader.identifier())
    reader.expect_op(")")
    return tuple(names)


def parse_values(reader: Reader) -> tuple[tuple[s.Expression, ...], ...]:
    """The rows after VALUES in a derived table."""
    rows: list[tuple[s.Expression, ...]] = []
    while True:
        reader.expect_op("(")
        row = [expressions.parse_expression(reader)]
        while reader.accept_op(","):
            row.append(expressions.parse_expression(reader))
        reader.expect_op(")")
        rows.append(tuple(row))
        if not reader.accept_op(","):
            return tuple(rows)


def _joined(reader: Reader) -> s.Source:
    left = _primary(reader)
    while True:
        kind = _join_kind(reader)
        if kind is None:
            return left
        right = _primary(reader)
        if kind in ("cross", "cross apply", "outer apply"):
            left = s.Join(kind, left, right, None)
            continue
        # A JOIN b JOIN c ON … ON …: the inner join closes first.
        right = _nested(reader, right)
        reader.expect_word("ON")
        left = s.Join(kind, left, right, conditions.parse_condition(reader))


def _nested(reader: Reader, right: s.Source) -> s.Source:
    while not reader.at_word("ON"):
        kind = _join_kind(reader)
        if kind is None:
            reader.fail()
        inner = _primary(reader)
        if kind in ("cross", "cross apply", "outer apply"):
            right = s.Join(kind, right, inner, None)
            continue
        inner = _nested(reader, inner)
        reader.expect_word("ON")
        right = s.Join(kind, right, inner, conditions.parse_condition(reader))
    return right


def _join_kind(reader: Reader) -> str | None:
    if reader.accept_words("CROSS", "JOIN"):
        return "cross"
    if reader.accept_words("CROSS", "APPLY"):
        return "cross apply"
    if reader.accept_words("OUTER", "APPLY"):
        return "outer apply"
    if reader.accept_word("JOIN"):
        return "inner"
    if not reader.at_word("INNER", "LEFT", "RIGHT", "FULL"):
        return None
    kind = reader.next().value.lower()
    if kind != "inner":
        reader.accept_word("OUTER")
    if reader.at_word("LOOP", "HASH", "MERGE", "REMOTE"):
        raise refused(f"the join hint {reader.token.text.upper()}", line=reader.line)
    reader.expect_word("JOIN")
    return kind


def _primary(reader: Reader) -> s.Source:
    if reader.accept_op("("):
        return _parenthesised(reader)
    if reader.token.kind == "variable":
        raise refused("table variables", line=reader.line)
    if reader.at_word("OPENROWSET", "OPENQUERY", "OPENDATASOURCE", "OPENXML", "CONTAINSTABLE", "FREETEXTTABLE"):
        raise refused(reader.token.text.upper(), line=reader.line)
    name = reader.object_name()
    arguments = _arguments(reader, name) if reader.at_op("(") else None
    if reader.at_words("FOR", "SYSTEM_TIME"):
        raise refused("FOR SYSTEM_TIME", line=reader.line)
    alias = _alias(reader)
    hints = parse_hints(reader) if reader.at_word("WITH") and reader.peek().is_op("(") else ()
    if reader.at_op("("):
        raise refused("table hints without WITH", line=reader.line)
    if reader.at_word("TABLESAMPLE", "PIVOT", "UNPIVOT"):
        raise refused(reader.token.text.upper(), line=reader.line)
    return s.TableSource(name, alias, hints, arguments)


def _arguments(reader: Reader, name: s.ObjectName) -> tuple[s.Expression, ...]:
    """Of fn_my_permissions, the one table-valued function there is."""
    if name.name.lower() != "fn_my_permissions" or name.schema.lower() not in ("", "sys"):
        raise refused(f"the table-valued function {name}", line=name.line)
    reader.expect_op("(")
    arguments = [expressions.parse_expression(reader)]
    while reader.accept_op(","):
        arguments.append(expressions.parse_expression(reader))
    reader.expect_op(")")
    return tuple(arguments)


def parse_hints(reader: Reader, *, is_target: bool = False) -> tuple[str, ...]:
    """WITH (hint, …): hints that lock more, none that reads what is not committed or skips rows. Raises the refusal."""
    reader.expect_word("WITH")
    reader.expect_op("(")
    hints: list[str] = []
    while True:
        line = reader.line
        hint = reader.next().value.upper()
        if hint != "TABLOCK" and hint not in LOCKING_HINTS | _WITH_LOCKS:
            raise refused(f"the table hint {hint}", line=line)
        hints.append(hint)
        if not reader.accept_op(","):
            break
    reader.expect_op(")")
    alone = _WITH_LOCKS.intersection(hints) - {"READCOMMITTED"}
    if alone and not is_target and not LOCKING_HINTS.intersection(hints):
        raise refused(f"the table hint {min(alone)} without UPDLOCK, XLOCK or TABLOCKX")
    return tuple(hints)


def _parenthesised(reader: Reader) -> s.Source:
    """A derived table, VALUES, or a join in parentheses; the opening one is already read."""
    if reader.accept_word("VALUES"):
        rows = parse_values(reader)
        reader.expect_op(")")
        alias, columns = _derived_alias(reader)
        return s.ValuesTable(rows, alias, columns)
    if reader.at_word("SELECT") or (reader.at_op("(") and _leads_to_select(reader)):
        query = reader.query()
        reader.expect_op(")")
        alias, columns = _derived_alias(reader)
        return s.DerivedTable(query, alias, columns)
    source = _joined(reader)
    reader.expect_op(")")
    return source


def _leads_to_select(reader: Reader) -> bool:
    ahead = 0
    while reader.peek(ahead).is_op("("):
        ahead += 1
    return reader.peek(ahead).is_word("SELECT")


def _derived_alias(reader: Reader) -> tuple[str, tuple[str, ...]]:
    reader.accept_word("AS")
    alias = reader.identifier()
    columns = parse_column_names(reader) if reader.at_op("(") else ()
    return alias, columns


def _alias(reader: Reader) -> str | None:
    if reader.accept_word("AS"):
        return reader.identifier()
    return reader.identifier() if reader.at_identifier() else None

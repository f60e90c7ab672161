"""INSERT, UPDATE, DELETE, INSERT BULK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions, expressions, queries, sources
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

MAX_VALUES_ROWS = 1000


def parse_insert(reader: Reader, ctes: tuple[s.CommonTable, ...] = ()) -> s.Statement:
    line = reader.line
    reader.expect_word("INSERT")
    if reader.at_word("BULK"):
        reader.next()
        return _insert_bulk(reader, line)
    if reader.at_word("TOP"):
        raise refused("INSERT TOP", line=line)
    reader.accept_word("INTO")
    if reader.token.kind == "variable":
        raise refused("table variables", line=line)
    target = reader.object_name()
    if reader.at_word("WITH") and reader.peek().is_op("("):
        sources.parse_hints(reader, is_target=True)
    columns: tuple[str, ...] = ()
    if reader.at_op("(") and not reader.peek().is_word("SELECT"):
        columns = sources.parse_column_names(reader)
    _refuse_output(reader)
    if reader.accept_words("DEFAULT", "VALUES"):
        return s.Insert(target, columns, default_values=True, line=line)
    if reader.accept_word("VALUES"):
        rows = _rows(reader)
        if len(rows) > MAX_VALUES_ROWS:
            raise SqlError(
                10738,
                "The number of row value expressions in the INSERT statement exceeds"
                " the maximum allowed number of 1000 row values.",
                class_=15,
                line=line,
            )
        return s.Insert(target, columns, rows, line=line)
    if reader.at_word("EXEC", "EXECUTE"):
        raise refused("INSERT … EXEC", line=line)
    if not reader.at_word("SELECT") and not reader.at_op("("):
        reader.fail()
    return s.Insert(target, columns, query=queries.parse_query_body(reader, ctes), line=line)


def _rows(reader: Reader) -> tuple[tuple[s.Expression | s.Default, ...], ...]:
    rows = []
    while True:
        reader.expect_op("(")
        row = [_value(reader)]
        while reader.accept_op(","):
            row.append(_value(reader))
        reader.expect_op(")")
        rows.append(tuple(row))
        if not reader.accept_op(","):
            return tuple(rows)


def _value(reader: Reader) -> s.Expression | s.Default:
    if reader.accept_word("DEFAULT"):
        return s.Default()
    return expressions.parse_expression(reader)


def parse_update(reader: Reader, ctes: tuple[s.CommonTable, ...] = ()) -> s.Statement:
    line = reader.line
    reader.expect_word("UPDATE")
    if reader.at_word("TOP"):
        raise refused("UPDATE TOP", line=line)
    target = reader.object_name()
    if reader.at_word("WITH") and reader.peek().is_op("("):
        sources.parse_hints(reader, is_target=True)
    reader.expect_word("SET")
    assignments = [_assignment(reader)]
    while reader.accept_op(","):
        assignments.append(_assignment(reader))
    _refuse_output(reader)
    source = sources.parse_sources(reader) if reader.accept_word("FROM") else None
    where = _where(reader)
    return s.Update(target, tuple(assignments), source, where, ctes, line)


def _assignment(reader: Reader) -> s.Assignment:
    if reader.token.kind == "variable":
        raise refused("UPDATE … SET @variable", line=reader.line)
    name = reader.object_name()
    if reader.at_op("+=", "-=", "*=", "/=", "%="):
        op = reader.next().value[0]
        return s.Assignment(
            name.name, s.Binary(op, s.Name(name.parts, name.line), expressions.parse_expression(reader))
        )
    reader.expect_op("=")
    return s.Assignment(name.name, _value(reader))


def parse_delete(reader: Reader, ctes: tuple[s.CommonTable, ...] = ()) -> s.Statement:
    line = reader.line
    reader.expect_word("DELETE")
    if reader.at_word("TOP"):
        raise refused("DELETE TOP", line=line)
    reader.accept_word("FROM")
    target = reader.object_name()
    if reader.at_word("WITH") and reader.peek().is_op("("):
        sources.parse_hints(reader, is_target=True)
    _refuse_output(reader)
    source = sources.parse_sources(reader) if reader.accept_word("FROM") else None
    where = _where(reader)
    return s.Delete(target, source, where, ctes, line)


def _where(reader: Reader) -> s.Condition | None:
    if not reader.accept_word("WHERE"):
        return None
    if reader.at_words("CURRENT", "OF"):
        raise refused("WHERE CURRENT OF", line=reader.line)
    return conditions.parse_condition(reader)


def _refuse_output(reader: Reader) -> None:
    if reader.at_word("OUTPUT"):
        raise refused("the OUTPUT clause", line=reader.line)


# ---- INSERT BULK -------------------------------------------------------------------------------------------------
_BULK_OPTIONS = (
    "TABLOCK",
    "CHECK_CONSTRAINTS",
    "FIRE_TRIGGERS",
    "KEEP_NULLS",
    "KEEP_IDENTITY",
    "KEEPIDENTITY",
    "KEEPNULLS",
)
"""All are honoured: there are no triggers, and writers lock whole tables."""
_BULK_NUMBERS = ("ROWS_PER_BATCH", "KILOBYTES_PER_BATCH")
"""Estimates for the server's planner; they have no effect on the rows."""


def _insert_bulk(reader: Reader, line: int) -> s.Statement:
    target = reader.object_name()
    reader.expect_op("(")
    columns = [_bulk_column(reader)]
    while reader.accept_op(","):
        columns.append(_bulk_column(reader))
    reader.expect_op(")")
    options: list[str] = []
    if reader.accept_word("WITH"):
        reader.expect_op("(")
        while True:
            options.append(_bulk_option(reader))
            if not reader.accept_op(","):
                break
        reader.expect_op(")")
    return s.InsertBulk(target, tuple(columns), tuple(options), line)


def _bulk_column(reader: Reader) -> s.BulkColumn:
    name = reader.identifier()
    spec = reader.type_spec()
    collation = reader.identifier() if reader.accept_word("COLLATE") else None
    if not reader.accept_words("NOT", "NULL"):
        reader.accept_word("NULL")
    return s.BulkColumn(name, spec, collation)


def _bulk_option(reader: Reader) -> str:
    line = reader.line
    option = reader.identifier().upper() if reader.at_identifier() else reader.next().value.upper()
    if option in _BULK_NUMBERS:
        reader.expect_op("=")
        reader.integer()
        return option.lower()
    if option not in _BULK_OPTIONS:
        raise refused(f"the INSERT BULK option {option}", line=line)
    return {"KEEPIDENTITY": "keep_identity", "KEEPNULLS": "keep_nulls"}.get(option, option.lower())

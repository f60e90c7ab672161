"""CREATE TABLE and DROP TABLE: columns, keys, checks and foreign keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions, expressions
from sqlserver_sandbox.tsql.parse.indexes import parse_key, parse_options, parse_space
from sqlserver_sandbox.tsql.parse.sources import parse_column_names
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_REFUSED_COLUMN_WORDS = (
    "SPARSE",
    "MASKED",
    "GENERATED",
    "PERSISTED",
    "ENCRYPTED",
    "FILESTREAM",
    "HIDDEN",
    "INDEX",
)


def parse_create_table(reader: Reader, line: int) -> s.Statement:
    name = reader.object_name()
    reader.expect_op("(")
    parts = parse_parts(reader)
    reader.expect_op(")")
    space = parse_space(reader) if reader.accept_word("ON") else None
    text_space = reader.identifier() if reader.accept_word("TEXTIMAGE_ON") else None
    if reader.at_word("FILESTREAM_ON"):
        raise refused("FILESTREAM_ON", line=reader.line)
    return s.CreateTable(name, parts, space, parse_options(reader), text_space, line)


def parse_parts(reader: Reader) -> s.TableParts:
    """Columns and table constraints, separated by commas."""
    parts = s.TableParts()
    while True:
        if reader.at_word("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            parts = _table_constraint(reader, parts)
        elif reader.at_word("INDEX", "PERIOD") and not reader.peek().is_op(","):
            raise refused(f"{reader.token.text.upper()} inside CREATE TABLE", line=reader.line)
        else:
            parts = _column(reader, parts)
        if not reader.accept_op(",") or reader.at_op(")"):
            return parts


def _column(reader: Reader, parts: s.TableParts) -> s.TableParts:
    """`parts` with one more column, and the constraints written at it."""
    name = reader.identifier()
    if reader.accept_word("AS"):
        return replace(parts, columns=(*parts.columns, _computed(reader, name)))
    if name.lower() == "timestamp" and (reader.at_op(",", ")") or reader.at_word("NOT", "NULL")):
        column = s.ColumnSpec(name, s.TypeSpec("rowversion"))
    else:
        column = s.ColumnSpec(name, reader.type_spec())
    constraint: str | None = None
    while True:
        if reader.at_word(*_REFUSED_COLUMN_WORDS):
            raise refused(f"{reader.token.text.upper()} in a column definition", line=reader.line)
        if reader.accept_word("CONSTRAINT"):
            constraint = reader.identifier()
            if not reader.at_word("DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN", "NOT", "NULL"):
                reader.fail()
            continue
        if reader.at_word("PRIMARY", "UNIQUE"):
            parts = replace(parts, keys=(*parts.keys, parse_key(reader, constraint, column=name)))
        elif reader.at_word("CHECK"):
            parts = replace(parts, checks=(*parts.checks, _check(reader, constraint, name)))
        elif reader.at_word("REFERENCES", "FOREIGN"):
            if reader.accept_word("FOREIGN"):
                reader.expect_word("KEY")
            parts = replace(parts, foreign_keys=(*parts.foreign_keys, _references(reader, constraint, (name,))))
        elif (changed := _column_property(reader, column, constraint)) is not None:
            column = changed
        else:
            return replace(parts, columns=(*parts.columns, column))
        constraint = None


def _computed(reader: Reader, name: str) -> s.ColumnSpec:
    """After AS: the expression, [PERSISTED [NOT NULL]]."""
    computed = expressions.parse_expression(reader)
    persisted = reader.accept_word("PERSISTED") is not None
    nullable = False if persisted and reader.accept_words("NOT", "NULL") else None
    if reader.at_word("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"):
        raise refused("constraints at a computed column; write them for the table", line=reader.line)
    return s.ColumnSpec(name, s.TypeSpec(""), nullable, computed=computed, persisted=persisted)


def _column_property(reader: Reader, column: s.ColumnSpec, constraint: str | None) -> s.ColumnSpec | None:
    if reader.accept_words("NOT", "NULL"):
        return replace(column, nullable=False)
    if reader.accept_word("NULL"):
        return replace(column, nullable=True)
    if reader.accept_word("COLLATE"):
        return replace(column, collation=reader.identifier())
    if reader.accept_word("ROWGUIDCOL"):
        return replace(column, rowguidcol=True)
    if reader.accept_word("IDENTITY"):
        return replace(column, identity=_identity(reader))
    if reader.accept_word("DEFAULT"):
        value = expressions.parse_expression(reader)
        if reader.at_words("WITH", "VALUES"):
            raise refused("DEFAULT … WITH VALUES", line=reader.line)
        return replace(column, default=value, default_name=constraint)
    return None


def _identity(reader: Reader) -> tuple[int, int]:
    seed, increment = 1, 1
    if reader.accept_op("("):
        seed = reader.integer()
        reader.expect_op(",")
        increment = reader.integer()
        reader.expect_op(")")
    _refuse_replication(reader)
    return seed, increment


def _table_constraint(reader: Reader, parts: s.TableParts) -> s.TableParts:
    name = reader.identifier() if reader.accept_word("CONSTRAINT") else None
    if reader.at_word("DEFAULT"):
        raise refused("DEFAULT as a table constraint; write it at its column", line=reader.line)
    if reader.at_word("CHECK"):
        return replace(parts, checks=(*parts.checks, _check(reader, name, "")))
    if reader.accept_word("FOREIGN"):
        reader.expect_word("KEY")
        columns = parse_column_names(reader)
        return replace(parts, foreign_keys=(*parts.foreign_keys, _references(reader, name, columns)))
    return replace(parts, keys=(*parts.keys, parse_key(reader, name, column=None)))


def _check(reader: Reader, name: str | None, column: str) -> s.CheckSpec:
    reader.expect_word("CHECK")
    _refuse_replication(reader)
    reader.expect_op("(")
    condition = conditions.parse_condition(reader)
    reader.expect_op(")")
    return s.CheckSpec(name, condition, column)


def _references(reader: Reader, name: str | None, columns: tuple[str, ...]) -> s.ForeignKeySpec:
    reader.expect_word("REFERENCES")
    referenced = reader.object_name()
    theirs = parse_column_names(reader) if reader.at_op("(") else ()
    while reader.accept_word("ON"):
        event = reader.expect_word("DELETE", "UPDATE")
        if not reader.accept_words("NO", "ACTION"):
            raise refused(f"ON {event} {reader.token.text.upper()}; only NO ACTION", line=reader.line)
    _refuse_replication(reader)
    return s.ForeignKeySpec(name, columns, referenced, theirs)


def _refuse_replication(reader: Reader) -> None:
    if reader.at_words("NOT", "FOR", "REPLICATION"):
        raise refused("NOT FOR REPLICATION", line=reader.line)


def parse_drop_table(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    names = [reader.object_name()]
    while reader.accept_op(","):
        names.append(reader.object_name())
    return s.DropTable(tuple(names), if_exists, line)

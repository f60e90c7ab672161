"""CREATE/ALTER/DROP/TRUNCATE TABLE and indexes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import expressions
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
    "CHECK",
    "REFERENCES",
    "FOREIGN",
    "INDEX",
)


def parse_create_table(reader: Reader, line: int) -> s.Statement:
    name = reader.object_name()
    reader.expect_op("(")
    columns, keys = parse_definitions(reader)
    reader.expect_op(")")
    space = parse_space(reader) if reader.accept_word("ON") else None
    if reader.at_word("TEXTIMAGE_ON", "FILESTREAM_ON"):
        raise refused(reader.token.text.upper(), line=reader.line)
    if reader.at_word("WITH"):
        raise refused("CREATE TABLE … WITH (table options)", line=reader.line)
    return s.CreateTable(name, columns, keys, space, line)


def parse_definitions(reader: Reader) -> tuple[tuple[s.ColumnSpec, ...], tuple[s.KeySpec, ...]]:
    """Columns and table constraints, separated by commas."""
    columns: list[s.ColumnSpec] = []
    keys: list[s.KeySpec] = []
    while True:
        if reader.at_word("CONSTRAINT", "PRIMARY", "UNIQUE"):
            keys.append(_table_constraint(reader))
        elif reader.at_word("CHECK", "FOREIGN"):
            raise refused(f"{reader.token.text.upper()} constraints", line=reader.line)
        elif reader.at_word("INDEX", "PERIOD") and not reader.peek().is_op(","):
            raise refused(f"{reader.token.text.upper()} inside CREATE TABLE", line=reader.line)
        else:
            column, key = _column(reader)
            columns.append(column)
            keys.extend(key)
        if not reader.accept_op(",") or reader.at_op(")"):
            return tuple(columns), tuple(keys)


def _column(reader: Reader) -> tuple[s.ColumnSpec, list[s.KeySpec]]:
    name = reader.identifier()
    if reader.at_word("AS"):
        raise refused("computed columns", line=reader.line)
    if name.lower() == "timestamp" and (reader.at_op(",", ")") or reader.at_word("NOT", "NULL")):
        column = s.ColumnSpec(name, s.TypeSpec("rowversion"))
    else:
        column = s.ColumnSpec(name, reader.type_spec())
    keys: list[s.KeySpec] = []
    constraint: str | None = None
    while True:
        if reader.at_word(*_REFUSED_COLUMN_WORDS):
            raise refused(f"{reader.token.text.upper()} in a column definition", line=reader.line)
        if reader.accept_word("CONSTRAINT"):
            constraint = reader.identifier()
            if not reader.at_word("DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "NOT", "NULL"):
                reader.fail()
            continue
        if reader.at_word("PRIMARY", "UNIQUE"):
            keys.append(_key(reader, constraint, column=name))
        elif (changed := _column_property(reader, column, constraint)) is not None:
            column = changed
        else:
            return column, keys
        constraint = None


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
    if reader.at_words("NOT", "FOR", "REPLICATION"):
        raise refused("NOT FOR REPLICATION", line=reader.line)
    return seed, increment


def _table_constraint(reader: Reader) -> s.KeySpec:
    name = reader.identifier() if reader.accept_word("CONSTRAINT") else None
    if reader.at_word("CHECK", "FOREIGN", "DEFAULT"):
        raise refused(f"{reader.token.text.upper()} as a table constraint", line=reader.line)
    return _key(reader, name, column=None)


def _key(reader: Reader, name: str | None, column: str | None) -> s.KeySpec:
    kind = "unique"
    if reader.expect_word("PRIMARY", "UNIQUE") == "PRIMARY":
        reader.expect_word("KEY")
        kind = "primary key"
    clustered = _clustered(reader)
    columns: tuple[tuple[str, bool], ...]
    columns = parse_key_columns(reader) if column is None or reader.at_op("(") else ((column, False),)
    _refuse_with(reader)
    space = parse_space(reader) if reader.accept_word("ON") else None
    return s.KeySpec(kind, name, columns, clustered, space=space)


def _clustered(reader: Reader) -> bool | None:
    if reader.at_word("HASH", "COLUMNSTORE"):
        raise refused(f"{reader.token.text.upper()} indexes", line=reader.line)
    word = reader.accept_word("CLUSTERED", "NONCLUSTERED")
    return None if word is None else word == "CLUSTERED"


def parse_key_columns(reader: Reader) -> tuple[tuple[str, bool], ...]:
    """(a, b DESC): names and whether descending."""
    reader.expect_op("(")
    columns: list[tuple[str, bool]] = []
    while True:
        name = reader.identifier()
        columns.append((name, reader.accept_word("ASC", "DESC") == "DESC"))
        if not reader.accept_op(","):
            break
    reader.expect_op(")")
    return tuple(columns)


def parse_space(reader: Reader) -> s.Space:
    """What follows ON: a filegroup or scheme(column)."""
    if reader.token.kind == "string":
        raise refused("ON 'filegroup' in quotes; write ON [filegroup]", line=reader.line)
    name = reader.identifier()
    column = None
    if reader.accept_op("("):
        column = reader.identifier()
        reader.expect_op(")")
    return s.Space(name, column)


def _refuse_with(reader: Reader) -> None:
    if reader.at_word("WITH"):
        raise refused("index options (WITH …)", line=reader.line)


def parse_create_index(reader: Reader, line: int) -> s.Statement:
    """After CREATE: [UNIQUE] [CLUSTERED|NONCLUSTERED] INDEX name ON table (…) [INCLUDE (…)] [ON space]."""
    unique = reader.accept_word("UNIQUE") is not None
    clustered = _clustered(reader)
    if reader.at_word("COLUMNSTORE", "XML", "SPATIAL", "PRIMARY"):
        raise refused(f"{reader.token.text.upper()} indexes", line=reader.line)
    reader.expect_word("INDEX")
    name = reader.identifier()
    reader.expect_word("ON")
    table = reader.object_name()
    columns = parse_key_columns(reader)
    included = tuple(c for c, _ in parse_key_columns(reader)) if reader.accept_word("INCLUDE") else ()
    if reader.at_word("WHERE"):
        raise refused("filtered indexes", line=reader.line)
    _refuse_with(reader)
    space = parse_space(reader) if reader.accept_word("ON") else None
    return s.CreateIndex(table, s.KeySpec("index", name, columns, bool(clustered), unique, included, space), line)


def parse_drop_index(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    name = reader.identifier()
    if reader.at_op("."):
        raise refused("DROP INDEX table.index; write DROP INDEX name ON table", line=line)
    reader.expect_word("ON")
    table = reader.object_name()
    _refuse_with(reader)
    return s.DropIndex(table, name, if_exists, line)


def parse_drop_table(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    names = [reader.object_name()]
    while reader.accept_op(","):
        names.append(reader.object_name())
    return s.DropTable(tuple(names), if_exists, line)


def parse_truncate(reader: Reader, line: int) -> s.Statement:
    reader.expect_word("TABLE")
    name = reader.object_name()
    if reader.at_word("WITH") and reader.peek().is_op("("):
        raise refused("TRUNCATE TABLE … WITH (PARTITIONS …)", line=reader.line)
    return s.TruncateTable(name, line)


def parse_alter_table(reader: Reader, line: int) -> s.Statement:
    name = reader.object_name()
    if reader.at_word("WITH"):
        raise refused("ALTER TABLE … WITH [NO]CHECK", line=line)
    if reader.accept_word("ADD"):
        columns, keys = parse_definitions(reader)
        return s.AlterTableAdd(name, columns, keys, line)
    if reader.accept_word("DROP"):
        constraint = reader.accept_word("CONSTRAINT") is not None
        if not constraint:
            reader.expect_word("COLUMN")
        if_exists = reader.accept_words("IF", "EXISTS")
        names = [reader.identifier()]
        while reader.accept_op(","):
            names.append(reader.identifier())
        if constraint:
            return s.AlterTableDrop(name, (), tuple(names), if_exists, line)
        return s.AlterTableDrop(name, tuple(names), (), if_exists, line)
    if reader.at_word("ALTER", "SWITCH", "SET", "REBUILD", "CHECK", "NOCHECK", "ENABLE", "DISABLE"):
        raise refused(f"ALTER TABLE … {reader.token.text.upper()}", line=line)
    raise reader.unexpected()

"""Databases, schemas, partition functions and schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import expressions
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_DATABASE_OPTIONS = ("ALLOW_SNAPSHOT_ISOLATION", "READ_COMMITTED_SNAPSHOT")


def parse_create_database(reader: Reader, line: int) -> s.Statement:
    name = reader.identifier()
    collation = reader.identifier() if reader.accept_word("COLLATE") else None
    if reader.at_word("ON", "LOG", "WITH", "CONTAINMENT", "AS", "FOR"):
        raise refused(f"CREATE DATABASE … {reader.token.text.upper()}", line=line)
    return s.CreateDatabase(name, collation, line)


def parse_alter_database(reader: Reader, line: int) -> s.Statement:
    name = None if reader.accept_word("CURRENT") else reader.identifier()
    if reader.at_word("ADD", "MODIFY"):
        return _filegroup_change(reader, name, line)
    if not reader.accept_word("SET"):
        raise refused(f"ALTER DATABASE … {reader.token.text.upper()}", line=line)
    option = reader.next().value.upper()
    if option not in _DATABASE_OPTIONS:
        raise refused(f"ALTER DATABASE … SET {option}", line=line)
    on = reader.expect_word("ON", "OFF") == "ON"
    if reader.at_word("WITH"):
        raise refused("ALTER DATABASE … SET … WITH ROLLBACK or NO_WAIT", line=line)
    return s.AlterDatabaseSet(name, option, on, line)


def _filegroup_change(reader: Reader, name: str | None, line: int) -> s.Statement:
    """ADD FILEGROUP g, ADD FILE (…) [TO FILEGROUP g], MODIFY FILEGROUP g READ_ONLY | READ_WRITE."""
    if reader.accept_words("ADD", "FILEGROUP"):
        return s.AlterDatabaseFilegroup(name, "add", reader.identifier(), line)
    if reader.accept_words("ADD", "FILE"):
        _skip_file(reader)
        group = reader.identifier() if reader.accept_words("TO", "FILEGROUP") else "PRIMARY"
        return s.AlterDatabaseFilegroup(name, "file", group, line)
    if reader.accept_words("MODIFY", "FILEGROUP"):
        group = reader.identifier()
        action = reader.expect_word("READ_ONLY", "READONLY", "READ_WRITE", "READWRITE")
        return s.AlterDatabaseFilegroup(name, "read_only" if "ONLY" in action else "read_write", group, line)
    raise refused(f"ALTER DATABASE … {reader.token.text.upper()} {reader.peek().text.upper()}", line=line)


def _skip_file(reader: Reader) -> None:
    """(NAME = …, FILENAME = …): the sandbox has one file per database, whatever the filegroups."""
    reader.expect_op("(")
    while True:
        reader.expect_word("NAME", "FILENAME")
        reader.expect_op("=")
        if reader.token.kind in ("string", "nstring"):
            reader.next()
        else:
            reader.identifier()
        if not reader.accept_op(","):
            break
    reader.expect_op(")")


def parse_drop_database(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    return s.DropDatabase(reader.identifier(), if_exists, line)


def parse_create_schema(reader: Reader, line: int) -> s.Statement:
    name = reader.identifier()
    owner = reader.identifier() if reader.accept_word("AUTHORIZATION") else None
    return s.CreateSchema(name, owner, line)


def parse_drop_schema(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    return s.DropSchema(reader.identifier(), if_exists, line)


# ---- partitioning ------------------------------------------------------------------------------------------------
def parse_create_partition(reader: Reader, line: int) -> s.Statement:
    """After CREATE PARTITION."""
    if reader.expect_word("FUNCTION", "SCHEME") == "SCHEME":
        return _scheme(reader, line)
    name = reader.identifier()
    reader.expect_op("(")
    spec = reader.type_spec()
    collation = reader.identifier() if reader.accept_word("COLLATE") else None
    reader.expect_op(")")
    reader.expect_words("AS", "RANGE")
    right = reader.accept_word("LEFT", "RIGHT") == "RIGHT"
    reader.expect_words("FOR", "VALUES")
    reader.expect_op("(")
    values: list[s.Expression] = []
    if not reader.at_op(")"):
        values.append(expressions.parse_expression(reader))
        while reader.accept_op(","):
            values.append(expressions.parse_expression(reader))
    reader.expect_op(")")
    return s.CreatePartitionFunction(name, spec, collation, right, tuple(values), line)


def _scheme(reader: Reader, line: int) -> s.Statement:
    name = reader.identifier()
    reader.expect_words("AS", "PARTITION")
    function = reader.identifier()
    all_to = reader.accept_word("ALL") is not None
    reader.expect_word("TO")
    reader.expect_op("(")
    groups = [_filegroup(reader)]
    while reader.accept_op(","):
        groups.append(_filegroup(reader))
    reader.expect_op(")")
    return s.CreatePartitionScheme(name, function, all_to, tuple(groups), line)


def _filegroup(reader: Reader) -> str:
    """A filegroup name; SQL Server takes the word PRIMARY only in brackets or quotes."""
    if reader.token.kind == "string":
        return reader.next().value
    return reader.identifier()


def parse_alter_partition(reader: Reader, line: int) -> s.Statement:
    """After ALTER PARTITION."""
    if reader.expect_word("FUNCTION", "SCHEME") == "SCHEME":
        name = reader.identifier()
        reader.expect_words("NEXT", "USED")
        group = _filegroup(reader) if reader.at_identifier() or reader.token.kind == "string" else None
        return s.AlterPartitionScheme(name, group, line)
    name = reader.identifier()
    reader.expect_op("(")
    reader.expect_op(")")
    split = reader.expect_word("SPLIT", "MERGE") == "SPLIT"
    reader.expect_word("RANGE")
    reader.expect_op("(")
    value = expressions.parse_expression(reader)
    reader.expect_op(")")
    return s.AlterPartitionFunction(name, split, value, line)


def parse_drop_partition(reader: Reader, line: int) -> s.Statement:
    kind = reader.expect_word("FUNCTION", "SCHEME").lower()
    return s.DropPartition(kind, reader.identifier(), line)

"""ALTER TABLE: ADD, ALTER COLUMN, DROP, SWITCH, CHECK and NOCHECK CONSTRAINT, REBUILD. TRUNCATE TABLE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import expressions
from sqlserver_sandbox.tsql.parse.indexes import parse_options
from sqlserver_sandbox.tsql.parse.tables import parse_parts
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader


def parse_alter_table(reader: Reader, line: int) -> s.Statement:
    name = reader.object_name()
    check_rows = None
    if reader.at_words("WITH", "CHECK") or reader.at_words("WITH", "NOCHECK"):
        reader.next()
        check_rows = reader.next().value.upper() == "CHECK"
    if reader.accept_word("ADD"):
        # New constraints are checked unless told otherwise.
        return s.AlterTableAdd(name, parse_parts(reader), check_rows is not False, line)
    if reader.at_word("CHECK", "NOCHECK"):
        return _constraints(reader, name, bool(check_rows), line)
    if check_rows is not None:
        reader.fail()
    if reader.accept_word("DROP"):
        return _drop(reader, name, line)
    if reader.accept_word("SWITCH"):
        return _switch(reader, name, line)
    if reader.accept_word("REBUILD"):
        return _rebuild(reader, name, line)
    if reader.accept_word("ALTER"):
        return _alter_column(reader, name, line)
    if reader.at_word("SET", "ENABLE", "DISABLE"):
        raise refused(f"ALTER TABLE … {reader.token.text.upper()}", line=line)
    raise reader.unexpected()


def _constraints(reader: Reader, name: s.ObjectName, check_rows: bool, line: int) -> s.Statement:
    """CHECK or NOCHECK CONSTRAINT ALL | names. Rows that are there are checked only WITH CHECK."""
    enable = reader.next().value.upper() == "CHECK"
    reader.expect_word("CONSTRAINT")
    if reader.accept_word("ALL"):
        return s.AlterTableCheck(name, enable, check_rows, (), line)
    names = [reader.identifier()]
    while reader.accept_op(","):
        names.append(reader.identifier())
    return s.AlterTableCheck(name, enable, check_rows, tuple(names), line)


def _drop(reader: Reader, name: s.ObjectName, line: int) -> s.Statement:
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


def _alter_column(reader: Reader, name: s.ObjectName, line: int) -> s.Statement:
    """ALTER COLUMN name type [COLLATE …] [NULL | NOT NULL]."""
    reader.expect_word("COLUMN")
    column = reader.identifier()
    if reader.at_word("ADD", "DROP"):
        raise refused(f"ALTER COLUMN … {reader.token.text.upper()}", line=line)
    spec = s.ColumnSpec(column, reader.type_spec())
    if reader.accept_word("COLLATE"):
        spec = replace(spec, collation=reader.identifier())
    if reader.accept_words("NOT", "NULL"):
        spec = replace(spec, nullable=False)
    elif reader.accept_word("NULL"):
        spec = replace(spec, nullable=True)
    if reader.at_word("SPARSE", "MASKED", "WITH"):
        raise refused(f"ALTER COLUMN … {reader.token.text.upper()}", line=line)
    return s.AlterTableAlterColumn(name, spec, line)


def _switch(reader: Reader, name: s.ObjectName, line: int) -> s.Statement:
    """SWITCH [PARTITION n] TO table [PARTITION n] [WITH (WAIT_AT_LOW_PRIORITY …)] (SQL Server docs: ALTER TABLE)."""
    source_partition = _partition(reader)
    reader.expect_word("TO")
    target = reader.object_name()
    target_partition = _partition(reader)
    minutes, after = None, "NONE"
    if reader.accept_word("WITH"):
        reader.expect_op("(")
        reader.expect_word("WAIT_AT_LOW_PRIORITY")
        reader.expect_op("(")
        reader.expect_word("MAX_DURATION")
        reader.expect_op("=")
        minutes = reader.integer()
        reader.accept_word("MINUTES")
        reader.expect_op(",")
        reader.expect_word("ABORT_AFTER_WAIT")
        reader.expect_op("=")
        after = reader.expect_word("NONE", "SELF", "BLOCKERS")
        reader.expect_op(")")
        reader.expect_op(")")
    return s.AlterTableSwitch(name, target, source_partition, target_partition, minutes, after, line)


def _partition(reader: Reader) -> s.Expression | None:
    return expressions.parse_expression(reader) if reader.accept_word("PARTITION") else None


def _rebuild(reader: Reader, name: s.ObjectName, line: int) -> s.Statement:
    partition = None
    if reader.accept_word("PARTITION"):
        reader.expect_op("=")
        partition = None if reader.accept_word("ALL") else reader.integer()
    return s.AlterTableRebuild(name, partition, parse_options(reader), line)


def parse_truncate(reader: Reader, line: int) -> s.Statement:
    """After TRUNCATE: TABLE name [WITH (PARTITIONS (n, a TO b))]."""
    reader.expect_word("TABLE")
    name = reader.object_name()
    if not (reader.at_word("WITH") and reader.peek().is_op("(")):
        return s.TruncateTable(name, (), line)
    reader.next()
    reader.expect_op("(")
    reader.expect_word("PARTITIONS")
    reader.expect_op("(")
    ranges: list[tuple[s.Expression, s.Expression]] = []
    while True:
        first = expressions.parse_expression(reader)
        ranges.append((first, expressions.parse_expression(reader) if reader.accept_word("TO") else first))
        if not reader.accept_op(","):
            break
    reader.expect_op(")")
    reader.expect_op(")")
    return s.TruncateTable(name, tuple(ranges), line)

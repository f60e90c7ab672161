"""Keys and indexes: their columns, options and data space; CREATE, ALTER and DROP INDEX, UPDATE STATISTICS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_COMPRESSIONS = ("NONE", "ROW", "PAGE", "COLUMNSTORE", "COLUMNSTORE_ARCHIVE")
_HOW_TO_BUILD = ("ONLINE", "SORT_IN_TEMPDB", "MAXDOP")
"""They steer the work of building an index, and change nothing that stays."""
_ONE_VALUE = {
    "PAD_INDEX": "OFF",
    "IGNORE_DUP_KEY": "OFF",
    "DROP_EXISTING": "OFF",
    "STATISTICS_NORECOMPUTE": "OFF",
    "STATISTICS_INCREMENTAL": "OFF",
    "ALLOW_ROW_LOCKS": "ON",
    "ALLOW_PAGE_LOCKS": "ON",
}
"""Options that are accepted with their default only."""


def parse_key(reader: Reader, name: str | None, column: str | None) -> s.KeySpec:
    """PRIMARY KEY or UNIQUE, of the table or of one column."""
    kind = "unique"
    if reader.expect_word("PRIMARY", "UNIQUE") == "PRIMARY":
        reader.expect_word("KEY")
        kind = "primary key"
    clustered = _clustered(reader)
    if reader.at_word("HASH", "COLUMNSTORE"):
        raise refused(f"{reader.token.text.upper()} keys", line=reader.line)
    columns: tuple[tuple[str, bool], ...]
    columns = parse_key_columns(reader) if column is None or reader.at_op("(") else ((column, False),)
    compression = parse_options(reader)
    space = parse_space(reader) if reader.accept_word("ON") else None
    return s.KeySpec(kind, name, columns, clustered, space=space, compression=compression)


def _clustered(reader: Reader) -> bool | None:
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


# ---- WITH (…) ----------------------------------------------------------------------------------------------------
def parse_options(reader: Reader) -> tuple[s.Compression, ...]:
    """WITH (option = value, …) of a table, key or index, if it is here: its DATA_COMPRESSION; others are accepted or refused."""
    if not reader.accept_word("WITH"):
        return ()
    reader.expect_op("(")
    found: list[s.Compression] = []
    while True:
        line = reader.line
        option = reader.next().value.upper()
        if option not in ("DATA_COMPRESSION", *_HOW_TO_BUILD, *_ONE_VALUE):
            raise refused(f"the option {option} in WITH (…)", line=line)
        reader.expect_op("=")
        if option == "DATA_COMPRESSION":
            found.append(_compression(reader))
        elif option == "MAXDOP":
            reader.integer()
        else:
            value = reader.expect_word("ON", "OFF")
            if _ONE_VALUE.get(option, value) != value:
                raise refused(f"the option {option} = {value}", line=line)
        if not reader.accept_op(","):
            break
    reader.expect_op(")")
    return tuple(found)


def _compression(reader: Reader) -> s.Compression:
    kind = reader.expect_word(*_COMPRESSIONS)
    if not reader.accept_word("ON"):
        return s.Compression(kind)
    reader.expect_word("PARTITIONS")
    reader.expect_op("(")
    ranges: list[tuple[int, int]] = []
    while True:
        first = reader.integer()
        ranges.append((first, reader.integer() if reader.accept_word("TO") else first))
        if not reader.accept_op(","):
            break
    reader.expect_op(")")
    return s.Compression(kind, tuple(ranges))


# ---- statements --------------------------------------------------------------------------------------------------
def parse_create_index(reader: Reader, line: int) -> s.Statement:
    """After CREATE: [UNIQUE] [CLUSTERED] [COLUMNSTORE] INDEX name ON table (…) [INCLUDE (…)] [WHERE …] [WITH …] [ON …]."""
    unique = reader.accept_word("UNIQUE") is not None
    clustered = bool(_clustered(reader))
    columnstore = reader.accept_word("COLUMNSTORE") is not None
    if reader.at_word("XML", "SPATIAL", "PRIMARY", "HASH"):
        raise refused(f"{reader.token.text.upper()} indexes", line=reader.line)
    reader.expect_word("INDEX")
    name = reader.identifier()
    reader.expect_word("ON")
    table = reader.object_name()
    key = _columnstore(reader, name, clustered) if columnstore else _rowstore(reader, name, clustered, unique)
    return s.CreateIndex(table, key, line)


def _rowstore(reader: Reader, name: str, clustered: bool, unique: bool) -> s.KeySpec:
    columns = parse_key_columns(reader)
    included = tuple(c for c, _ in parse_key_columns(reader)) if reader.accept_word("INCLUDE") else ()
    condition = conditions.parse_condition(reader) if reader.accept_word("WHERE") else None
    compression = parse_options(reader)
    space = parse_space(reader) if reader.accept_word("ON") else None
    return s.KeySpec(
        "index", name, columns, clustered, unique, included, space, filter=condition, compression=compression
    )


def _columnstore(reader: Reader, name: str, clustered: bool) -> s.KeySpec:
    """A clustered columnstore index has no column list: it holds all columns."""
    columns = () if clustered else tuple(c for c, _ in parse_key_columns(reader))
    if reader.at_word("ORDER", "WHERE"):
        raise refused(f"{reader.token.text.upper()} of a columnstore index", line=reader.line)
    compression = parse_options(reader)
    space = parse_space(reader) if reader.accept_word("ON") else None
    return s.KeySpec("index", name, (), clustered, False, columns, space, columnstore=True, compression=compression)


def parse_drop_index(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    name = reader.identifier()
    if reader.at_op("."):
        raise refused("DROP INDEX table.index; write DROP INDEX name ON table", line=line)
    reader.expect_word("ON")
    table = reader.object_name()
    if reader.at_word("WITH"):
        raise refused("DROP INDEX … WITH options", line=reader.line)
    return s.DropIndex(table, name, if_exists, line)


def parse_alter_index(reader: Reader, line: int) -> s.Statement:
    """After ALTER INDEX: name or ALL ON table, then REBUILD, REORGANIZE or DISABLE."""
    name = None if reader.accept_word("ALL") else reader.identifier()
    reader.expect_word("ON")
    table = reader.object_name()
    action = reader.expect_word("REBUILD", "REORGANIZE", "DISABLE")
    partition = None
    if action != "DISABLE" and reader.accept_word("PARTITION"):
        reader.expect_op("=")
        partition = None if reader.accept_word("ALL") else reader.integer()
    compression: tuple[s.Compression, ...] = ()
    if action == "REBUILD":
        compression = parse_options(reader)
    elif action == "REORGANIZE" and reader.accept_word("WITH"):
        # Both change how rows are packed, never the rows.
        reader.expect_op("(")
        reader.expect_word("COMPRESS_ALL_ROW_GROUPS", "LOB_COMPACTION")
        reader.expect_op("=")
        reader.expect_word("ON", "OFF")
        reader.expect_op(")")
    return s.AlterIndex(table, name, action, partition, compression, line)


def parse_update_statistics(reader: Reader, line: int) -> s.Statement:
    """After UPDATE STATISTICS: table [index or statistics] [WITH FULLSCAN | RESAMPLE | SAMPLE n PERCENT|ROWS]."""
    table = reader.object_name()
    if reader.at_op("("):
        raise refused("UPDATE STATISTICS of several statistics by name", line=reader.line)
    if reader.at_identifier():
        reader.identifier()
    if reader.accept_word("WITH"):
        how = reader.expect_word("FULLSCAN", "RESAMPLE", "SAMPLE")
        if how == "SAMPLE":
            reader.integer()
            reader.expect_word("PERCENT", "ROWS")
        if reader.at_word("ON"):
            raise refused("UPDATE STATISTICS … ON PARTITIONS: no statistics here are incremental", line=reader.line)
    return s.UpdateStatistics(table, line)

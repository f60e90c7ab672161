"""Tables of the warehouse: made, extended, emptied and dropped; partition functions and schemes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, Side
from dltsync_core.tsql.fragments import (
    CollationName,
    Identifier,
    Literal,
    Sql,
    Statement,
    TypeName,
    inlined,
    join,
    sql,
    table,
)
from dltsync_core.tsql.values import from_text

_NOTHING = Sql(())


@dataclass(frozen=True)
class TargetColumn:
    """A column as CREATE TABLE writes it. `type` is a declared type, `collation` None for types without one."""

    name: str
    type: str
    is_nullable: bool
    collation: str | None = None


@dataclass(frozen=True)
class PlacedOn:
    """Where the rows of a table lie: a partition scheme, applied to a column, or a filegroup (`column` None)."""

    data_space: str
    column: str | None = None


@dataclass(frozen=True)
class IndexShape:
    """A rowstore index, or a clustered columnstore index (no columns). `keys` are names with whether they descend; `compression`
    are the partitions that are compressed, by number, with ROW, PAGE or COLUMNSTORE_ARCHIVE (1 for a table without
    partitions)."""

    is_clustered: bool
    is_columnstore: bool = False
    is_unique: bool = False
    is_primary_key: bool = False
    is_unique_constraint: bool = False
    keys: tuple[tuple[str, bool], ...] = ()
    included: tuple[str, ...] = ()
    compression: tuple[tuple[int, str], ...] = ()


def create_schema(name: str) -> Statement:
    """Make the schema unless it is there. CREATE SCHEMA must be the first statement of its batch, hence EXEC."""
    inner = sql("CREATE SCHEMA {name}", name=Identifier(name)).render().text
    return sql("IF SCHEMA_ID({literal}) IS NULL EXEC ({inner});", literal=Literal(name), inner=Literal(inner)).render()


def create_table(
    name: TableName,
    columns: Sequence[TargetColumn],
    *,
    placed: PlacedOn | None = None,
    primary_key: Sequence[str] = (),
    compression: Sequence[tuple[int, str]] = (),
) -> Statement:
    """A table, on a partition scheme when `placed` says so. The primary key is clustered and has a name of the server's choice,
    because names of constraints must be unique in their schema. `compression` is that of a heap's partitions."""
    lines = [
        sql(
            "{name} {type}{collation} {null}",
            name=Identifier(c.name),
            type=TypeName(c.type),
            collation=sql(" COLLATE {c}", c=CollationName(c.collation)) if c.collation else _NOTHING,
            null=sql("NULL") if c.is_nullable else sql("NOT NULL"),
        )
        for c in columns
    ]
    if primary_key:
        lines.append(sql("PRIMARY KEY CLUSTERED ({keys})", keys=_names(primary_key)))
    return sql(
        "CREATE TABLE {table} (\n  {lines}\n){placed}{options};",
        table=table(name),
        lines=join(",\n  ", lines),
        placed=_placed(placed),
        options=_compressed(compression, partitioned=_is_partitioned(placed)),
    ).render()


def create_index(name: TableName, number: int, index: IndexShape, placed: PlacedOn | None) -> Statement:
    """An index (or key) of a staging table. `number` makes its name."""
    options = _compressed(index.compression, partitioned=_is_partitioned(placed))
    keys = join(
        ", ",
        [sql("{k} DESC", k=Identifier(k)) if descends else sql("{k}", k=Identifier(k)) for k, descends in index.keys],
    )
    clustered = sql("CLUSTERED") if index.is_clustered else sql("NONCLUSTERED")
    if index.is_columnstore:
        return sql(
            "CREATE CLUSTERED COLUMNSTORE INDEX {index} ON {table}{options}{placed};",
            index=Identifier(f"ix{number}"),
            table=table(name),
            options=options,
            placed=_placed(placed),
        ).render()
    if index.is_primary_key or index.is_unique_constraint:
        return sql(
            "ALTER TABLE {table} ADD {kind} {clustered} ({keys}){options}{placed};",
            table=table(name),
            kind=sql("PRIMARY KEY") if index.is_primary_key else sql("UNIQUE"),
            clustered=clustered,
            keys=keys,
            options=options,
            placed=_placed(placed),
        ).render()
    return sql(
        "CREATE {unique}{clustered} INDEX {index} ON {table} ({keys}){included}{options}{placed};",
        unique=sql("UNIQUE ") if index.is_unique else _NOTHING,
        clustered=clustered,
        index=Identifier(f"ix{number}"),
        table=table(name),
        keys=keys,
        included=sql(" INCLUDE ({names})", names=_names(index.included)) if index.included else _NOTHING,
        options=options,
        placed=_placed(placed),
    ).render()


def add_columns(name: TableName, columns: Sequence[TargetColumn]) -> Statement:
    """New columns at the end. They admit NULL: rows that are there have no value for them."""
    added = [
        sql(
            "{name} {type}{collation} NULL",
            name=Identifier(c.name),
            type=TypeName(c.type),
            collation=sql(" COLLATE {c}", c=CollationName(c.collation)) if c.collation else _NOTHING,
        )
        for c in columns
    ]
    return sql("ALTER TABLE {table} ADD {columns};", table=table(name), columns=join(", ", added)).render()


def alter_column(name: TableName, column: TargetColumn) -> Statement:
    """Another type, or NULL admitted. ALTER COLUMN without a collation would take the database's."""
    return sql(
        "ALTER TABLE {table} ALTER COLUMN {name} {type}{collation} {null};",
        table=table(name),
        name=Identifier(column.name),
        type=TypeName(column.type),
        collation=sql(" COLLATE {c}", c=CollationName(column.collation)) if column.collation else _NOTHING,
        null=sql("NULL") if column.is_nullable else sql("NOT NULL"),
    ).render()


def drop_table(name: TableName) -> Statement:
    """Drop the table if it is there."""
    return sql("DROP TABLE IF EXISTS {table};", table=table(name)).render()


def truncate_table(name: TableName) -> Statement:
    """Remove all rows."""
    return sql("TRUNCATE TABLE {table};", table=table(name)).render()


def create_partition_function(
    name: str, column: ColumnFacts, type_name: str, side: Side, boundaries: Sequence[Boundary]
) -> Statement:
    """A function with these boundaries, for values of `type_name`, the column's declared type."""
    return sql(
        "CREATE PARTITION FUNCTION {name} ({type}{collation}) AS RANGE {side} FOR VALUES ({values});",
        name=Identifier(name),
        type=TypeName(type_name),
        collation=sql(" COLLATE {c}", c=CollationName(column.collation)) if column.collation else _NOTHING,
        side=sql("RIGHT") if side == "right" else sql("LEFT"),
        values=join(", ", [boundary_literal(column, boundary) for boundary in boundaries]),
    ).render()


def create_partition_scheme(name: str, function: str, filegroup: str) -> Statement:
    """A scheme that keeps all partitions in one filegroup."""
    return sql(
        "CREATE PARTITION SCHEME {name} AS PARTITION {function} ALL TO ({filegroup});",
        name=Identifier(name),
        function=Identifier(function),
        filegroup=Identifier(filegroup),
    ).render()


def set_next_used(scheme: str, filegroup: str) -> Statement:
    """Where the next new partition goes. A SPLIT uses it up, and every scheme on the function needs one (7710)."""
    return sql(
        "ALTER PARTITION SCHEME {scheme} NEXT USED {filegroup};",
        scheme=Identifier(scheme),
        filegroup=Identifier(filegroup),
    ).render()


def split_range(function: str, column: ColumnFacts, boundary: Boundary) -> Statement:
    """A new boundary. For an empty partition this changes the catalogue only."""
    return sql(
        "ALTER PARTITION FUNCTION {function}() SPLIT RANGE ({value});",
        function=Identifier(function),
        value=boundary_literal(column, boundary),
    ).render()


def partition_number(function: str, column: ColumnFacts, boundary: Boundary) -> Statement:
    """One row: the number of the partition that holds a value."""
    value = sql("NULL") if boundary.text is None else from_text(column, boundary.text)
    return sql(
        "SELECT $PARTITION.{function}({value}) AS n", function=Identifier(function), value=inlined(value)
    ).render()


def boundary_literal(column: ColumnFacts, boundary: Boundary) -> Sql:
    """A boundary as partition DDL takes it: a constant, which the server converts to the parameter's type. Dates are read as in
    us_english there, whatever the session's language is, so ISO text is unambiguous."""
    text = boundary.text
    if text is not None and column.type_name in {"binary", "varbinary"}:
        return sql("{value}", value=Literal(bytes.fromhex(text[2:])))
    return sql("{value}", value=Literal(text))


def compress_row_groups(name: TableName) -> Statement:
    """Compress what lies in the delta store of a columnstore index: batches below 102,400 rows go there."""
    return sql("ALTER INDEX ALL ON {table} REORGANIZE WITH (COMPRESS_ALL_ROW_GROUPS = ON);", table=table(name)).render()


def _is_partitioned(placed: PlacedOn | None) -> bool:
    return placed is not None and placed.column is not None


def _placed(placed: PlacedOn | None) -> Sql:
    if placed is None:
        return _NOTHING
    if placed.column is None:
        return sql(" ON {filegroup}", filegroup=Identifier(placed.data_space))
    return sql(" ON {scheme}({column})", scheme=Identifier(placed.data_space), column=Identifier(placed.column))


def _names(names: Sequence[str]) -> Sql:
    return join(", ", [Identifier(name) for name in names])


def _compressed(compression: Sequence[tuple[int, str]], *, partitioned: bool) -> Sql:
    """WITH (DATA_COMPRESSION = …). The kinds are SQL Server's own words, checked against a list."""
    if not compression:
        return _NOTHING
    parts = []
    for kind in dict.fromkeys(kind for _, kind in compression):
        word = _COMPRESSIONS[kind]
        numbers = [Literal(number) for number, other in compression if other == kind]
        parts.append(
            sql("DATA_COMPRESSION = {word} ON PARTITIONS ({numbers})", word=word, numbers=join(", ", numbers))
            if partitioned
            else sql("DATA_COMPRESSION = {word}", word=word)
        )
    return sql(" WITH ({parts})", parts=join(", ", parts))


_COMPRESSIONS = {
    "ROW": sql("ROW"),
    "PAGE": sql("PAGE"),
    "COLUMNSTORE": sql("COLUMNSTORE"),
    "COLUMNSTORE_ARCHIVE": sql("COLUMNSTORE_ARCHIVE"),
}

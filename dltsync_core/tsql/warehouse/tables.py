"""Tables of the warehouse: made, extended, emptied and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import (
    CollationName,
    Identifier,
    Literal,
    Sql,
    Statement,
    TypeName,
    join,
    sql,
    table,
)

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
    """Where the rows of a table lie: a partition scheme, applied to a column, or a filegroup (`column` None).
    `with_large_values`: the (max) values of a table lie in that filegroup too, whatever the default is."""

    data_space: str
    column: str | None = None
    with_large_values: bool = False


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
        lines.append(sql("PRIMARY KEY CLUSTERED ({keys})", keys=column_names(primary_key)))
    return sql(
        "CREATE TABLE {table} (\n  {lines}\n){placed}{options};",
        table=table(name),
        lines=join(",\n  ", lines),
        placed=_placed(placed) + _large_values(placed),
        options=_compressed(compression, partitioned=_is_partitioned(placed)),
    ).render()


def create_index(
    name: TableName, number: int, index: IndexShape, placed: PlacedOn | None, *, named: str | None = None
) -> Statement:
    """An index (or key). `number` makes its name where it is not `named`; a key that is not has one of the server's choice."""
    own_name = Identifier(named if named is not None else f"ix{number}")
    options = _compressed(index.compression, partitioned=_is_partitioned(placed))
    keys = join(
        ", ",
        [sql("{k} DESC", k=Identifier(k)) if descends else sql("{k}", k=Identifier(k)) for k, descends in index.keys],
    )
    clustered = sql("CLUSTERED") if index.is_clustered else sql("NONCLUSTERED")
    if index.is_columnstore:
        return sql(
            "CREATE CLUSTERED COLUMNSTORE INDEX {index} ON {table}{options}{placed};",
            index=own_name,
            table=table(name),
            options=options,
            placed=_placed(placed),
        ).render()
    if index.is_primary_key or index.is_unique_constraint:
        return sql(
            "ALTER TABLE {table} ADD {named}{kind} {clustered} ({keys}){options}{placed};",
            table=table(name),
            named=constraint_name(named),
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
        index=own_name,
        table=table(name),
        keys=keys,
        included=sql(" INCLUDE ({names})", names=column_names(index.included)) if index.included else _NOTHING,
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


def drop_index(name: TableName, index: str) -> Statement:
    """Drop an index that is no constraint."""
    return sql("DROP INDEX {index} ON {table};", index=Identifier(index), table=table(name)).render()


def drop_table(name: TableName) -> Statement:
    """Drop the table if it is there."""
    return sql("DROP TABLE IF EXISTS {table};", table=table(name)).render()


def truncate_table(name: TableName) -> Statement:
    """Remove all rows."""
    return sql("TRUNCATE TABLE {table};", table=table(name)).render()


def compress_row_groups(name: TableName) -> Statement:
    """Compress what lies in the delta store of a columnstore index: batches below 102,400 rows go there."""
    return sql("ALTER INDEX ALL ON {table} REORGANIZE WITH (COMPRESS_ALL_ROW_GROUPS = ON);", table=table(name)).render()


def constraint_name(named: str | None) -> Sql:
    """What names a constraint in its definition; nothing for None."""
    return sql("CONSTRAINT {name} ", name=Identifier(named)) if named is not None else _NOTHING


def _is_partitioned(placed: PlacedOn | None) -> bool:
    return placed is not None and placed.column is not None


def _placed(placed: PlacedOn | None) -> Sql:
    if placed is None:
        return _NOTHING
    if placed.column is None:
        return sql(" ON {filegroup}", filegroup=Identifier(placed.data_space))
    return sql(" ON {scheme}({column})", scheme=Identifier(placed.data_space), column=Identifier(placed.column))


def _large_values(placed: PlacedOn | None) -> Sql:
    if placed is None or not placed.with_large_values:
        return _NOTHING
    return sql(" TEXTIMAGE_ON {filegroup}", filegroup=Identifier(placed.data_space))


def column_names(names: Sequence[str]) -> Sql:
    """Names beside one another."""
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

"""Keys and indexes of a table: their columns, their data space, their numbers."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import take_object_id
from sqlserver_sandbox.engine.definitions.data_spaces import find_space
from sqlserver_sandbox.engine.definitions.names import check_constraint_name, system_name
from sqlserver_sandbox.model import MAX, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Database, Index, IndexColumn, Table, TableColumn
from sqlserver_sandbox.tsql.definition import definition
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import LOB


def table_indexes(database: Database, table: Table, node: s.CreateTable) -> tuple[Table, Database]:
    """The table with its heap or clustered index first, then the other keys."""
    primary = [k for k in node.parts.keys if k.kind == "primary key"]
    if len(primary) > 1:
        raise SqlError(8110, f"Cannot add multiple PRIMARY KEY constraints to table '{table.name}'.")
    wants_clustered = [k for k in node.parts.keys if k.clustered]
    if len(wants_clustered) > 1:
        raise SqlError(8112, f"Cannot add more than one clustered index for constraints on table '{table.name}'.")
    if primary:
        keys = {c.lower() for c, _ in primary[0].columns}
        table = replace(
            table, columns=tuple(_not_null(c, node) if c.name.lower() in keys else c for c in table.columns)
        )
    clustered = (
        wants_clustered[0] if wants_clustered else primary[0] if primary and primary[0].clustered is None else None
    )
    space, column_id = find_space(database, table, node.space)
    heap_columns = (IndexColumn(column_id, included=False, partition_ordinal=1),) if column_id else ()
    heap = compressed(Index(0, None, heap_columns, data_space_id=space), node.compression)
    table = replace(table, indexes=(heap,))
    for key in sorted(node.parts.keys, key=lambda k: k is not clustered):
        index, database = new_index(database, table, key, clustered=key is clustered)
        if index.index_id == 1 and not key.compression:
            # DATA_COMPRESSION of CREATE TABLE is that of the heap or of the clustered index.
            index = compressed(index, node.compression)
        others = table.indexes[1:] if index.index_id == 1 else table.indexes
        table = replace(table, indexes=(index, *others) if index.index_id == 1 else (*others, index))
    return table, database


def _not_null(column: TableColumn, node: s.CreateTable) -> TableColumn:
    spec = next(c for c in node.parts.columns if c.name == column.name)
    if spec.nullable:
        raise SqlError(8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{node.name.name}'.")
    return replace(column, nullable=False)


def new_index(
    database: Database, table: Table, key: s.KeySpec, *, clustered: bool | None = None
) -> tuple[Index, Database]:
    """A key or index on the table: its columns, its data space, its number. Without ON it has the data space of the table."""
    if clustered is None:
        has_clustered = table.base.index_id == 1
        clustered = key.clustered if key.clustered is not None else key.kind == "primary key" and not has_clustered
    if key.kind == "primary key" and any(i.key_kind == "PK" for i in table.indexes):
        raise SqlError(1779, f"Table '{table.name}' already has a primary key defined on it.")
    columns = [
        _index_column(table, name, descending, number) for number, (name, descending) in enumerate(key.columns, 1)
    ]
    if len({c.column_id for c in columns}) < len(columns):
        raise SqlError(
            1909,
            f"Cannot use duplicate column names in index. Column name '{key.columns[-1][0]}' listed more than once.",
        )
    included = tuple(c.name for c in table.columns) if key.columnstore and clustered else key.included
    columns += [replace(_index_column(table, name, False, 0), included=True) for name in included]
    if key.space is not None:
        space, partition_column = find_space(database, table, key.space)
    else:
        space, partition_column = table.base.data_space_id, _partition_column_id(table)
    object_id = 0
    name = key.name
    if key.kind != "index":
        object_id, database = take_object_id(database)
        name = key.name or system_name("PK" if key.kind == "primary key" else "UQ", table.name[:8], object_id)
        check_constraint_name(database, table, name)
    if key.unique and any(table.column_by_id(c.column_id).computed for c in columns):
        raise refused("a unique index on a computed column")
    if partition_column:
        columns = _with_partition_column(columns, partition_column, table, key, clustered=clustered)
    number = 1 if clustered else max((1, *(i.index_id for i in table.indexes))) + 1
    kind = {"primary key": "PK", "unique": "UQ"}.get(key.kind, "")
    index = Index(
        number,
        name,
        tuple(columns),
        key.unique,
        kind,
        object_id,
        key.name is None,
        space,
        columnstore=key.columnstore,
        filter_text=definition(key.filter) if key.filter is not None else None,
        compression="COLUMNSTORE" if key.columnstore else "NONE",
    )
    return compressed(index, key.compression), database


def compressed(index: Index, specs: tuple[s.Compression, ...], partition: int | None = None) -> Index:
    """The index with DATA_COMPRESSION applied, to one partition when `partition` is given. Raises 7726's kin for a wrong kind."""
    for spec in specs:
        is_column = spec.kind.startswith("COLUMNSTORE")
        if is_column != index.columnstore:
            raise SqlError(
                153 if is_column else 35316,
                f"The DATA_COMPRESSION option {spec.kind} is not valid for {'a columnstore' if index.columnstore else 'this'}"
                " index.",
            )
        ranges = ((partition, partition),) if partition is not None else spec.partitions
        if not ranges:
            index = replace(index, compression=spec.kind, partition_compression=())
            continue
        by_number = dict(index.partition_compression)
        by_number |= {n: spec.kind for first, last in ranges for n in range(first, last + 1)}
        index = replace(index, partition_compression=tuple(sorted(by_number.items())))
    return index


def _index_column(table: Table, name: str, descending: bool, number: int) -> IndexColumn:
    column = table.column(name)
    if column is None:
        raise SqlError(1911, f"Column name '{name}' does not exist in the target table or view.")
    if number and (column.type.name in LOB or column.type.length == MAX):
        raise SqlError(
            1919,
            f"Column '{name}' in table '{table.name}' is of a type that is invalid for use as a key column in an index.",
        )
    return IndexColumn(column.column_id, descending, key_ordinal=number)


def _partition_column_id(table: Table) -> int:
    column = table.partition_column
    return column.column_id if column else 0


def _with_partition_column(
    columns: list[IndexColumn], partition_column: int, table: Table, key: s.KeySpec, *, clustered: bool
) -> list[IndexColumn]:
    """A unique index must hold the partition column (1908); others get it added, as a key when clustered, else as a column that
    is neither key nor included (sys.index_columns: "implicitly added … are returned as 0")."""
    found = [replace(c, partition_ordinal=1) if c.column_id == partition_column else c for c in columns]
    if any(c.partition_ordinal and (c.key_ordinal or not key.unique) for c in found):
        return found
    if key.unique:
        name = table.column_by_id(partition_column).name
        raise SqlError(
            1908,
            f"Column '{name}' is partitioning column of the index '{key.name}'."
            " Partition columns for a unique index must be a subset of the"
            " index key.",
        )
    if any(c.descending for c in found) and clustered:
        raise refused("a descending clustered index on a partition scheme without the partition column")
    ordinal = max((c.key_ordinal for c in found), default=0) + 1 if clustered else 0
    return [*found, IndexColumn(partition_column, partition_ordinal=1, key_ordinal=ordinal)]


def with_index(table: Table, index: Index) -> Table:
    """The table with the index: a clustered one replaces the heap. Raises 1902 for a second clustered one."""
    if index.index_id == 1:
        if table.base.index_id == 1:
            raise SqlError(
                1902,
                f"Cannot create more than one clustered index on table '{table.name}'. Drop the existing clustered index"
                f" '{table.base.name}' before creating another.",
            )
        return replace(table, indexes=(index, *table.indexes[1:]))
    return replace(table, indexes=(*table.indexes, index))


def without_index(table: Table, index: Index) -> Table:
    """Dropping the clustered index leaves a heap on the same partition scheme."""
    if index.index_id != 1:
        return replace(table, indexes=tuple(i for i in table.indexes if i.index_id != index.index_id))
    partition = tuple(replace(c, key_ordinal=0) for c in index.columns if c.partition_ordinal)
    return replace(table, indexes=(Index(0, None, partition, data_space_id=index.data_space_id), *table.indexes[1:]))

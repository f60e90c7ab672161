"""From the words of CREATE TABLE to declared columns and indexes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.rows.assignment import assigned, default_of
from sqlserver_sandbox.engine.statements.partitions import find_space
from sqlserver_sandbox.model import MAX, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.catalogue import Database, Default, Index, IndexColumn, Table, TableColumn
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.parse.batch import parse_single_expression
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.render import render
from sqlserver_sandbox.tsql.types import DECIMALS, INTEGERS, LOB, STRINGS, resolve

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.syntax import ColumnSpec, KeySpec


def column_of(
    statement: Statement, database: Database, table: str, spec: ColumnSpec, number: int
) -> tuple[TableColumn, Database]:
    """The declared column. Raises 2715, 2749, 8147 … for what no column can be."""
    declared = resolve(spec.type, collation=database.collation)
    if spec.collation is not None:
        if declared.name not in STRINGS:
            raise SqlError(452, f"COLLATE clause cannot be used on user-defined data types or on type {declared.name}.")
        declared = replace(declared, collation=collation(spec.collation).name)
    nullable = spec.nullable if spec.nullable is not None else spec.identity is None
    if declared.name == "rowversion":
        nullable = bool(spec.nullable)
    if spec.identity is not None:
        whole = declared.name in INTEGERS or (declared.name in DECIMALS and declared.scale == 0)
        if not whole:
            raise SqlError(
                2749,
                f"Identity column '{spec.name}' must be of data type int, bigint,"
                " smallint, tinyint, or decimal or numeric with a scale of 0,"
                " unencrypted, and constrained to be nonnullable.",
            )
        if nullable:
            raise SqlError(
                8147, f"Could not create IDENTITY attribute on nullable column '{spec.name}', table '{table}'."
            )
        if spec.default is not None:
            raise SqlError(
                1754,
                f"Defaults cannot be created on columns with an IDENTITY attribute. Table '{table}', column '{spec.name}'.",
            )
    default, database = _default(statement, database, table, spec, declared.name)
    is_sysname = spec.type.name == "sysname"
    column = TableColumn(number, spec.name, declared, nullable, spec.identity, default, spec.rowguidcol, is_sysname)
    if default is not None:
        # A default that cannot be stored is told when the table is made, not at the first INSERT.
        assigned(default_of(statement, column), column)
    return column, database


def _default(
    statement: Statement, database: Database, table: str, spec: ColumnSpec, type_name: str
) -> tuple[Default | None, Database]:
    if spec.default is None:
        return None, database
    if type_name == "rowversion":
        raise SqlError(
            1755,
            f"Defaults cannot be created on columns of data type timestamp. Table '{table}', column '{spec.name}'.",
        )
    statement.queries.binder(Scope()).bind(spec.default)
    text = render(spec.default)
    parse_single_expression(text)
    object_id, database = _take_id(database)
    named = spec.default_name is not None
    name = spec.default_name or system_name("DF", f"{table[:9]}__{spec.name[:5]}", object_id)
    return Default(object_id, name, text, not named), database


def _take_id(database: Database) -> tuple[int, Database]:
    return database.next_object_id, replace(database, next_object_id=database.next_object_id + 16)


def system_name(prefix: str, stem: str, object_id: int) -> str:
    """A name of the shape SQL Server gives to unnamed constraints."""
    digest = hashlib.sha256(f"{prefix}{stem}{object_id}".encode()).hexdigest()
    return f"{prefix}__{stem}__{digest[: 8 if prefix == 'DF' else 16].upper()}"


def default_sql(statement: Statement, column: TableColumn) -> str:
    """The DEFAULT as DuckDB text of the column's type, for rows that are there already."""
    return convert(assigned(default_of(statement, column), column), column.type).sql


def table_indexes(database: Database, table: Table, node: s.CreateTable) -> tuple[Table, Database]:
    """The table with its heap or clustered index first, then the other keys."""
    primary = [k for k in node.keys if k.kind == "primary key"]
    if len(primary) > 1:
        raise SqlError(8110, f"Cannot add multiple PRIMARY KEY constraints to table '{table.name}'.")
    wants_clustered = [k for k in node.keys if k.clustered]
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
    table = replace(table, indexes=(Index(0, None, heap_columns, data_space_id=space),))
    for key in sorted(node.keys, key=lambda k: k is not clustered):
        index, database = new_index(database, table, key, clustered=key is clustered)
        others = table.indexes[1:] if index.index_id == 1 else table.indexes
        table = replace(table, indexes=(index, *others) if index.index_id == 1 else (*others, index))
    return table, database


def _not_null(column: TableColumn, node: s.CreateTable) -> TableColumn:
    spec = next(c for c in node.columns if c.name == column.name)
    if spec.nullable:
        raise SqlError(8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{node.name.name}'.")
    return replace(column, nullable=False)


def new_index(
    database: Database, table: Table, key: KeySpec, *, clustered: bool | None = None
) -> tuple[Index, Database]:
    """A key or index on the table: its columns, its place, its number. Without ON it lies where the table lies."""
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
    columns += [replace(_index_column(table, name, False, 0), included=True) for name in key.included]
    if key.space is not None:
        space, partition_column = find_space(database, table, key.space)
    else:
        space, partition_column = table.base.data_space_id, _partition_column_id(table)
    object_id = 0
    name = key.name
    if key.kind != "index":
        object_id, database = _take_id(database)
        name = key.name or system_name("PK" if key.kind == "primary key" else "UQ", table.name[:8], object_id)
        _check_constraint_name(database, table, name)
    if partition_column:
        columns = _with_partition_column(columns, partition_column, table, key, clustered=clustered)
    number = 1 if clustered else max((1, *(i.index_id for i in table.indexes))) + 1
    kind = {"primary key": "PK", "unique": "UQ"}.get(key.kind, "")
    return Index(number, name, tuple(columns), key.unique, kind, object_id, key.name is None, space), database


def _check_constraint_name(database: Database, table: Table, name: str) -> None:
    for other in (*database.tables, table):
        if other.schema_id != table.schema_id:
            continue
        names = [i.name or "" for i in other.indexes if i.key_kind] + [
            c.default.name for c in other.columns if c.default
        ]
        if name.lower() in (n.lower() for n in (*names, other.name)):
            raise SqlError(2714, f"There is already an object named '{name}' in the database.", state=5)


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
    columns: list[IndexColumn], partition_column: int, table: Table, key: KeySpec, *, clustered: bool
) -> list[IndexColumn]:
    """A unique index must hold the partition column (1908); others get it added, as a key when clustered."""
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
    return [*found, IndexColumn(partition_column, included=not clustered, partition_ordinal=1, key_ordinal=ordinal)]

"""CREATE, ALTER, DROP TABLE and indexes: the declared catalogue and DuckDB's table change in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, reading_catalogue
from sqlserver_sandbox.engine.definitions.indexes import column_of, default_sql, new_index, table_indexes
from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.rows.uniqueness import check_existing
from sqlserver_sandbox.engine.statements.insert import writable
from sqlserver_sandbox.engine.statements.partitions import check_partition_column
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Database, Index, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import duck_type

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

DDL = 0xC6


def create_table(runner: BatchRunner, node: s.CreateTable) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement, node.name)
    schema = database.schema(node.name.schema or "dbo")
    if node.name.name.startswith("#"):
        raise refused("temporary tables", line=node.line)
    if schema is None:
        raise SqlError(
            2760,
            f'The specified schema name "{node.name.schema}" either does not exist or you do not have permission to use it.',
            line=node.line,
        )
    check_free(database, schema.schema_id, node.name.name, node.line)
    object_id, database = take_object_id(database)
    now = now_text()
    columns: list[TableColumn] = []
    for number, spec in enumerate(node.columns, 1):
        column, database = column_of(statement, database, node.name.name, spec, number)
        if any(c.name.lower() == column.name.lower() for c in columns):
            raise SqlError(
                2705,
                f"Column names in each table must be unique. Column name '{column.name}'"
                f" in table '{node.name.name}' is specified more than once.",
                line=node.line,
            )
        columns.append(column)
    if sum(c.identity is not None for c in columns) > 1:
        raise SqlError(
            2744,
            f"Multiple identity columns specified for table '{node.name.name}'. Only one identity column per table is allowed.",
        )
    if sum(c.type.name == "rowversion" for c in columns) > 1:
        raise SqlError(
            2738,
            f"A table can only have one timestamp column. Because table '{node.name.name}' already has one, the column"
            " cannot be added.",
        )
    table = Table(object_id, schema.schema_id, node.name.name, tuple(columns), (), now, now, len(columns))
    table, database = table_indexes(database, table, node)
    check_partition_column(database, table)
    runner.session.transaction.write(database, object_id, table.name)
    physical = ", ".join(f"{c.physical} {duck_type(c.type)}" for c in table.columns)
    statement.run(f"CREATE TABLE {database.alias}.main.{table.physical} ({physical})")
    save(runner, statement, database.with_table(table))
    yield RowsAffected(None, DDL)


def check_free(database: Database, schema_id: int, name: str, line: int) -> None:
    """2714 when an object of that name is there."""
    taken = any(t.schema_id == schema_id and t.name.lower() == name.lower() for t in database.tables)
    for table in database.tables:
        if table.schema_id == schema_id:
            taken |= any(i.key_kind and (i.name or "").lower() == name.lower() for i in table.indexes)
            taken |= any(c.default is not None and c.default.name.lower() == name.lower() for c in table.columns)
    if taken:
        raise SqlError(2714, f"There is already an object named '{name}' in the database.", state=6, line=line)


def take_object_id(database: Database) -> tuple[int, Database]:
    return database.next_object_id, replace(database, next_object_id=database.next_object_id + 16)


def save(runner: BatchRunner, statement: Statement, database: Database) -> None:
    """Write the changed catalogue under a new version."""
    store = runner.session.store
    store.write_catalogue(statement.connection, replace(database, version=store.next_version()))
    runner.session.rowcount = 0


def drop_table(runner: BatchRunner, node: s.DropTable) -> Iterator[Outcome]:
    for name in node.names:
        statement = runner.statement()
        database = change_catalogue(runner, statement, name)
        table = database.table(name.schema, name.name)
        if table is None:
            if node.if_exists:
                continue
            raise SqlError(
                3701,
                f"Cannot drop the table '{name}', because it does not exist or you do not have permission.",
                class_=11,
                state=5,
                line=node.line,
            )
        runner.session.transaction.write(database, table.object_id, table.name)
        statement.run(f"DROP TABLE {database.alias}.main.{table.physical}")
        save(runner, statement, database.without_table(table))
    yield RowsAffected(None, DDL)


def alter_add(runner: BatchRunner, node: s.AlterTableAdd) -> Iterator[Outcome]:
    """ADD columns and key constraints. Existing rows get the DEFAULT of a NOT NULL column."""
    statement = runner.statement()
    database, table = changing(runner, statement, node.name)
    for spec in node.columns:
        column, database = column_of(statement, database, table.name, spec, table.max_column_id + 1)
        if table.column(column.name) is not None:
            raise SqlError(
                2705,
                f"Column names in each table must be unique. Column name '{column.name}'"
                f" in table '{database.full_name(table)}' is specified"
                " more than once.",
                line=node.line,
            )
        if column.identity is not None or column.type.name == "rowversion":
            raise refused("ALTER TABLE ADD of an identity or rowversion column", line=node.line)
        physical = f"{database.alias}.main.{table.physical}"
        empty = not statement.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {physical} LIMIT 1) AS r")
        if not column.nullable and column.default is None and not empty:
            raise SqlError(
                4901,
                "ALTER TABLE only allows columns to be added that can contain nulls, or"
                " have a DEFAULT definition specified, or the column"
                " being added is an identity or timestamp column, or alternatively if"
                " none of the previous conditions are satisfied the table"
                " must be empty to allow addition of this column. Column"
                f" '{column.name}' cannot be added to non-empty table '{table.name}' because"
                " it does not satisfy these conditions.",
            )
        statement.run(f"ALTER TABLE {physical} ADD COLUMN {column.physical} {duck_type(column.type)}")
        if not column.nullable and column.default is not None and not empty:
            statement.run(f"UPDATE {physical} SET {column.physical} = {default_sql(statement, column)}")
        table = replace(table, columns=(*table.columns, column), max_column_id=column.column_id)
    for key in node.keys:
        index, database = new_index(database, table, key)
        table = _with_index(table, index)
        check_partition_column(database, table)
        _check_nulls(statement, database, table, index)
        check_existing(statement, database, table, index)
    save(runner, statement, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def _check_nulls(statement: Statement, database: Database, table: Table, index: Index) -> None:
    if index.key_kind == "PK" and any(table.column_by_id(k.column_id).nullable for k in index.key_columns):
        raise SqlError(8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{table.name}'.")


def _with_index(table: Table, index: Index) -> Table:
    """A clustered index takes the heap's place."""
    if index.index_id == 1:
        if table.base.index_id == 1:
            raise SqlError(
                1902,
                f"Cannot create more than one clustered index on table '{table.name}'. Drop the existing clustered index"
                f" '{table.base.name}' before creating another.",
            )
        return replace(table, indexes=(index, *table.indexes[1:]))
    return replace(table, indexes=(*table.indexes, index))


def changing(runner: BatchRunner, statement: Statement, name: s.ObjectName) -> tuple[Database, Table]:
    """A table about to be altered, with the catalogue locked. Raises 4902."""
    database = change_catalogue(runner, statement, name)
    if database.table(name.schema, name.name) is None:
        raise SqlError(
            4902,
            f'Cannot find the object "{name}" because it does not exist or you do not have permissions.',
            line=name.line,
        )
    return writable(runner, statement, name)


def alter_drop(runner: BatchRunner, node: s.AlterTableDrop) -> Iterator[Outcome]:
    statement = runner.statement()
    database, table = changing(runner, statement, node.name)
    for name in node.constraints:
        table = _without_constraint(table, name, if_exists=node.if_exists)
    for name in node.columns:
        column = table.column(name)
        if column is None:
            if node.if_exists:
                continue
            raise SqlError(
                4924,
                f"ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{table.name}'.",
                line=node.line,
            )
        used = next((i for i in table.indexes if any(c.column_id == column.column_id for c in i.columns)), None)
        blocker = (used.name or "the partition scheme") if used else column.default.name if column.default else None
        if blocker is not None:
            raise SqlError(5074, f"The object '{blocker}' is dependent on column '{column.name}'.", line=node.line)
        if len(table.columns) == 1:
            raise SqlError(
                4923,
                f"ALTER TABLE DROP COLUMN failed because '{column.name}' is the only"
                f" data column in table '{table.name}'. A table must"
                " have at least one data column.",
            )
        statement.run(f"ALTER TABLE {database.alias}.main.{table.physical} DROP COLUMN {column.physical}")
        table = replace(table, columns=tuple(c for c in table.columns if c.column_id != column.column_id))
    save(runner, statement, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def _without_constraint(table: Table, name: str, *, if_exists: bool) -> Table:
    for index in table.indexes:
        if index.key_kind and (index.name or "").lower() == name.lower():
            return _without_index(table, index)
    for column in table.columns:
        if column.default is not None and column.default.name.lower() == name.lower():
            kept = tuple(replace(c, default=None) if c.column_id == column.column_id else c for c in table.columns)
            return replace(table, columns=kept)
    if if_exists:
        return table
    raise SqlError(3728, f"'{name}' is not a constraint.")


def _without_index(table: Table, index: Index) -> Table:
    """Dropping the clustered index leaves a heap on the same partition scheme."""
    if index.index_id != 1:
        return replace(table, indexes=tuple(i for i in table.indexes if i.index_id != index.index_id))
    partition = tuple(replace(c, key_ordinal=0) for c in index.columns if c.partition_ordinal)
    return replace(table, indexes=(Index(0, None, partition, data_space_id=index.data_space_id), *table.indexes[1:]))


def create_index(runner: BatchRunner, node: s.CreateIndex) -> Iterator[Outcome]:
    statement = runner.statement()
    name = node.table
    if reading_catalogue(statement, name).table(name.schema, name.name) is None:
        raise SqlError(
            1088,
            f'Cannot find the object "{name}" because it does not exist or you do not have permissions.',
            state=12,
            line=node.line,
        )
    database, table = changing(runner, statement, name)
    if any((i.name or "").lower() == (node.key.name or "").lower() for i in table.indexes if i.name):
        raise SqlError(
            1913,
            f"The operation failed because an index or statistics with name '{node.key.name}' already exists on table"
            f" '{database.full_name(table)}'.",
            line=node.line,
        )
    index, database = new_index(database, table, node.key)
    table = _with_index(table, index)
    check_partition_column(database, table)
    if index.unique:
        check_existing(statement, database, table, index)
    save(runner, statement, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def drop_index(runner: BatchRunner, node: s.DropIndex) -> Iterator[Outcome]:
    statement = runner.statement()
    database, table = changing(runner, statement, node.table)
    index = next((i for i in table.indexes if (i.name or "").lower() == node.name.lower()), None)
    if index is None:
        if node.if_exists:
            yield RowsAffected(None, DDL)
            return
        raise SqlError(
            3701,
            f"Cannot drop the index '{node.table}.{node.name}', because it does not exist or you do not have permission.",
            class_=11,
            line=node.line,
        )
    if index.key_kind:
        kind = "PRIMARY KEY" if index.key_kind == "PK" else "UNIQUE KEY"
        raise SqlError(
            3723,
            f"An explicit DROP INDEX is not allowed on index '{node.table}.{node.name}'."
            f" It is being used for {kind} constraint enforcement.",
        )
    save(runner, statement, database.with_table(replace(_without_index(table, index), modified=now_text())))
    yield RowsAffected(None, DDL)

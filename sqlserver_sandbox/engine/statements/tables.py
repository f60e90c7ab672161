"""CREATE TABLE, DROP TABLE, ALTER TABLE: the declared catalogue and DuckDB's table change in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, save, table_to_alter, take_object_id
from sqlserver_sandbox.engine.definitions.columns import column_of, default_sql
from sqlserver_sandbox.engine.definitions.constraints import (
    new_check,
    new_foreign_key,
    with_constraint,
    without_constraint,
)
from sqlserver_sandbox.engine.definitions.data_spaces import check_partition_column, text_space
from sqlserver_sandbox.engine.definitions.indexes import new_index, table_indexes, with_index
from sqlserver_sandbox.engine.definitions.names import check_free
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.computed import computed_column
from sqlserver_sandbox.engine.rows.constraints import check_rows
from sqlserver_sandbox.engine.rows.uniqueness import check_existing
from sqlserver_sandbox.engine.store.locks import MODIFY
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Database, Index, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import duck_type


def create_table(execution: Execution, node: s.CreateTable) -> Iterator[Outcome]:
    database = change_catalogue(execution, node.name)
    schema = database.schema(node.name.schema or "dbo")
    if node.name.name.startswith("#"):
        raise refused("temporary tables", line=node.line)
    if schema is None:
        raise SqlError(
            2760,
            f'The specified schema name "{node.name.schema}" either does not exist or you do not have permission to use it.',
            line=node.line,
        )
    execution.access.check_database(database, "CREATE TABLE", node.line)
    if not execution.access.holds(database, "ALTER", schema):
        raise SqlError(
            2760,
            f'The specified schema name "{schema.name}" either does not exist or you do not have permission to use it.',
            line=node.line,
        )
    check_free(database, schema.schema_id, node.name.name, node.line)
    object_id, database = take_object_id(database)
    now = now_text()
    columns: list[TableColumn] = []
    for number, spec in enumerate(node.parts.columns, 1):
        if spec.computed is not None:
            continue
        column, database = column_of(execution, database, node.name.name, spec, number)
        if any(c.name.lower() == column.name.lower() for c in columns):
            raise _repeated(column.name, node.name.name, node.line)
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
    table = Table(object_id, schema.schema_id, node.name.name, tuple(columns), (), now, now, len(node.parts.columns))
    table = _with_computed(execution, database, table, node)
    table, database = table_indexes(database, table, node)
    check_partition_column(database, table)
    table = replace(table, lob_space=text_space(database, table, node.text_space))
    execution.transaction.write(database, object_id, table.name)
    physical = ", ".join(f"{c.physical} {duck_type(c.type)}" for c in table.columns)
    execution.run(f"CREATE TABLE {database.alias}.main.{table.physical} ({physical})")
    table, database = _with_constraints(execution, database, table, node.parts, is_trusted=True)
    save(execution, database.with_table(table))
    yield RowsAffected(None, DDL)


def _with_computed(execution: Execution, database: Database, table: Table, node: s.CreateTable) -> Table:
    """The table with its computed columns, which may mention columns that stand after them."""
    computed = [
        computed_column(execution, database, table, spec, number)
        for number, spec in enumerate(node.parts.columns, 1)
        if spec.computed is not None
    ]
    columns = sorted((*table.columns, *computed), key=lambda c: c.column_id)
    names = [c.name.lower() for c in columns]
    repeated = next((c.name for c in columns if names.count(c.name.lower()) > 1), None)
    if repeated is not None:
        raise _repeated(repeated, table.name, node.line)
    return replace(table, columns=tuple(columns))


def _repeated(column: str, table: str, line: int) -> SqlError:
    return SqlError(
        2705,
        f"Column names in each table must be unique. Column name '{column}' in table '{table}' is specified more than once.",
        line=line,
    )


def _with_constraints(
    execution: Execution, database: Database, table: Table, parts: s.TableParts, *, is_trusted: bool
) -> tuple[Table, Database]:
    """The table with the CHECK and FOREIGN KEY constraints of `parts`; rows are not looked at here."""
    for spec in parts.checks:
        check, database = new_check(execution, database, table, spec, is_trusted=is_trusted)
        table = with_constraint(table, check)
    for key in parts.foreign_keys:
        foreign_key, database = new_foreign_key(database, table, key, is_trusted=is_trusted)
        parent = next((t for t in database.tables if t.object_id == foreign_key.referenced_object_id), table)
        if parent.object_id != table.object_id:
            execution.access.check_table(database, parent, "REFERENCES")
        table = with_constraint(table, foreign_key)
    return table, database


def drop_table(execution: Execution, node: s.DropTable) -> Iterator[Outcome]:
    for name in node.names:
        execution.refresh()
        database = change_catalogue(execution, name)
        table = database.table(name.schema, name.name)
        if table is not None and not _may_drop(execution, database, table):
            table = None
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
        _check_unreferenced(database, table, node.line)
        execution.transaction.write(database, table.object_id, table.name, MODIFY)
        execution.run(f"DROP TABLE {database.alias}.main.{table.physical}")
        save(execution, database.without_table(table))
    yield RowsAffected(None, DDL)


def _may_drop(execution: Execution, database: Database, table: Table) -> bool:
    """SQL Server docs, DROP TABLE: ALTER on the schema, or CONTROL on the table."""
    schema = database.schema_by_id(table.schema_id)
    return execution.access.holds(database, "ALTER", schema) or execution.access.holds(database, "CONTROL", table)


def _check_unreferenced(database: Database, table: Table, line: int) -> None:
    others = (t for t in database.tables if t.object_id != table.object_id)
    if any(f.referenced_object_id == table.object_id for t in others for f in t.foreign_keys):
        raise SqlError(
            3726,
            f"Could not drop object '{database.full_name(table)}' because it is referenced by a FOREIGN KEY constraint.",
            line=line,
        )


def alter_add(execution: Execution, node: s.AlterTableAdd) -> Iterator[Outcome]:
    """ADD columns and constraints. Existing rows get the DEFAULT of a NOT NULL column; WITH NOCHECK they are not looked at."""
    database, table = table_to_alter(execution, node.name)
    for spec in node.parts.columns:
        if spec.computed is not None:
            raise refused("ALTER TABLE ADD of a computed column", line=node.line)
        column, database = column_of(execution, database, table.name, spec, table.max_column_id + 1)
        if table.column(column.name) is not None:
            raise _repeated(column.name, database.full_name(table), node.line)
        if column.identity is not None or column.type.name == "rowversion":
            raise refused("ALTER TABLE ADD of an identity or rowversion column", line=node.line)
        physical = f"{database.alias}.main.{table.physical}"
        empty = not execution.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {physical} LIMIT 1) AS r")
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
        execution.run(f"ALTER TABLE {physical} ADD COLUMN {column.physical} {duck_type(column.type)}")
        if not column.nullable and column.default is not None and not empty:
            execution.run(f"UPDATE {physical} SET {column.physical} = {default_sql(execution, column)}")
        table = replace(table, columns=(*table.columns, column), max_column_id=column.column_id)
    for key in node.parts.keys:
        index, database = new_index(database, table, key)
        table = with_index(table, index)
        check_partition_column(database, table)
        _check_nulls(execution, database, table, index)
        check_existing(execution, database, table, index)
    before = {c.object_id for c in table.constraints}
    table, database = _with_constraints(execution, database, table, node.parts, is_trusted=node.check_rows)
    if node.check_rows:
        physical = f"{database.alias}.main.{table.physical}"
        checks = (c for c in table.checks if c.object_id not in before)
        keys = (f for f in table.foreign_keys if f.object_id not in before)
        check_rows(execution, database, table, physical, "ALTER TABLE", checks, keys)
    save(execution, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def _check_nulls(execution: Execution, database: Database, table: Table, index: Index) -> None:
    if index.key_kind == "PK" and any(table.column_by_id(k.column_id).nullable for k in index.key_columns):
        raise SqlError(8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{table.name}'.")


def _constraint_on(table: Table, column: TableColumn) -> str | None:
    """A CHECK or FOREIGN KEY that mentions the column."""
    named = f"[{column.name.replace(']', ']]')}]".lower()
    computed = (c.name for c in table.columns if c.computed and named in c.computed.lower())
    checks = (c.name for c in table.checks if c.column_id == column.column_id or named in c.text.lower())
    keys = (f.name for f in table.foreign_keys if column.column_id in f.columns)
    return next(iter((*computed, *checks, *keys)), None)


def alter_drop(execution: Execution, node: s.AlterTableDrop) -> Iterator[Outcome]:
    database, table = table_to_alter(execution, node.name)
    for name in node.constraints:
        table = without_constraint(database, table, name, if_exists=node.if_exists)
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
        blocker = blocker or _constraint_on(table, column)
        if blocker is not None:
            raise SqlError(5074, f"The object '{blocker}' is dependent on column '{column.name}'.", line=node.line)
        if len(table.columns) == 1:
            raise SqlError(
                4923,
                f"ALTER TABLE DROP COLUMN failed because '{column.name}' is the only"
                f" data column in table '{table.name}'. A table must"
                " have at least one data column.",
            )
        execution.run(f"ALTER TABLE {database.alias}.main.{table.physical} DROP COLUMN {column.physical}")
        table = replace(table, columns=tuple(c for c in table.columns if c.column_id != column.column_id))
    save(execution, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)

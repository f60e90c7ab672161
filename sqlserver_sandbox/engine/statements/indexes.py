"""CREATE INDEX and DROP INDEX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import database_of, save, table_to_alter
from sqlserver_sandbox.engine.definitions.data_spaces import check_partition_column
from sqlserver_sandbox.engine.definitions.indexes import new_index, with_index, without_index
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.uniqueness import check_existing
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s


def create_index(execution: Execution, node: s.CreateIndex) -> Iterator[Outcome]:
    name = node.table
    if database_of(execution, name).table(name.schema, name.name) is None:
        raise SqlError(
            1088,
            f'Cannot find the object "{name}" because it does not exist or you do not have permissions.',
            state=12,
            line=node.line,
        )
    database, table = table_to_alter(execution, name)
    if any((i.name or "").lower() == (node.key.name or "").lower() for i in table.indexes if i.name):
        raise SqlError(
            1913,
            f"The operation failed because an index or statistics with name '{node.key.name}' already exists on table"
            f" '{database.full_name(table)}'.",
            line=node.line,
        )
    index, database = new_index(database, table, node.key)
    table = with_index(table, index)
    check_partition_column(database, table)
    if index.unique:
        check_existing(execution, database, table, index)
    save(execution, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def drop_index(execution: Execution, node: s.DropIndex) -> Iterator[Outcome]:
    database, table = table_to_alter(execution, node.table)
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
    save(execution, database.with_table(replace(without_index(table, index), modified=now_text())))
    yield RowsAffected(None, DDL)

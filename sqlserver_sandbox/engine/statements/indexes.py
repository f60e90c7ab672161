"""CREATE, ALTER and DROP INDEX, ALTER TABLE REBUILD, UPDATE STATISTICS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import database_of, save, table_to_alter
from sqlserver_sandbox.engine.definitions.data_spaces import check_partition_column
from sqlserver_sandbox.engine.definitions.indexes import compressed, new_index, with_index, without_index
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.constraints import bind_condition
from sqlserver_sandbox.engine.rows.uniqueness import check_existing
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.sources import resolve_table
from sqlserver_sandbox.tsql.catalogue import Index, Table
from sqlserver_sandbox.tsql.refusal import refused


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
    if index.filter_text is not None:
        bind_condition(execution, database, table, index.filter_text, "n")
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


def alter_index(execution: Execution, node: s.AlterIndex) -> Iterator[Outcome]:
    """REBUILD enables and may compress; DISABLE stops enforcing; REORGANIZE has nothing to pack here."""
    database, table = table_to_alter(execution, node.table)
    for index in _named(table, node):
        if node.action == "DISABLE":
            if index.index_id == 1:
                raise refused("DISABLE of a clustered index: the table could not be read", line=node.line)
            table = _replaced(table, replace(index, is_disabled=True))
        elif node.action == "REBUILD":
            enabled = compressed(replace(index, is_disabled=False), node.compression, node.partition)
            if index.is_disabled and index.unique:
                check_existing(execution, database, table, enabled)
            table = _replaced(table, enabled)
    save(execution, database.with_table(table))
    yield RowsAffected(None, DDL)


def _named(table: Table, node: s.AlterIndex) -> list[Index]:
    """The index named, or all for ALL. Raises 2727."""
    if node.name is None:
        return [i for i in table.indexes if i.index_id]
    found = [i for i in table.indexes if i.index_id and (i.name or "").lower() == node.name.lower()]
    if not found:
        raise SqlError(2727, f"Cannot find index '{node.name}'.", class_=11, line=node.line)
    return found


def _replaced(table: Table, index: Index) -> Table:
    return replace(table, indexes=tuple(index if i.index_id == index.index_id else i for i in table.indexes))


def rebuild_table(execution: Execution, node: s.AlterTableRebuild) -> Iterator[Outcome]:
    """The heap or clustered index gets the compression; the other indexes keep theirs."""
    database, table = table_to_alter(execution, node.name)
    table = _replaced(table, compressed(table.base, node.compression, node.partition))
    save(execution, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)


def update_statistics(execution: Execution, node: s.UpdateStatistics) -> Iterator[Outcome]:
    """Statistics steer plans, which the sandbox does not have: only that the table is there is looked at."""
    resolve_table(execution.context, node.table)
    yield RowsAffected(None, DDL)

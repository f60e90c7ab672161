"""CREATE, ALTER and DROP DATABASE, USE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, save
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.store import MASTER
from sqlserver_sandbox.model import DEFAULT_COLLATION, DatabaseChange, Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.collations import same
from sqlserver_sandbox.tsql.refusal import refused


def _outside_transaction(execution: Execution, what: str) -> None:
    if execution.transaction.count:
        raise SqlError(226, f"{what} statement not allowed within multi-statement transaction.")


def create_database(execution: Execution, node: s.CreateDatabase) -> Iterator[Outcome]:
    _outside_transaction(execution, "CREATE DATABASE")
    if node.collation is not None and not same(node.collation, DEFAULT_COLLATION):
        raise refused(f"a database collation other than {DEFAULT_COLLATION}; give columns a COLLATE", line=node.line)
    execution.store.create_database(node.name)
    yield RowsAffected(None, DDL)


def drop_database(execution: Execution, node: s.DropDatabase) -> Iterator[Outcome]:
    _outside_transaction(execution, "DROP DATABASE")
    session = execution.session
    found = session.store.find(node.name)
    if found is None:
        if node.if_exists:
            yield RowsAffected(None, DDL)
            return
        raise SqlError(
            3701,
            f"Cannot drop the database '{node.name}', because it does not exist or you do not have permission.",
            class_=11,
            line=node.line,
        )
    if node.name.lower() == MASTER:
        raise SqlError(3708, "Cannot drop the database 'master' because it is a system database.", line=node.line)
    if session.is_in_use(found):
        raise SqlError(
            3702, f'Cannot drop database "{node.name}" because it is currently in use.', state=4, line=node.line
        )
    session.store.drop_database(found)
    yield RowsAffected(None, DDL)


def alter_database(execution: Execution, node: s.AlterDatabaseSet) -> Iterator[Outcome]:
    """ALLOW_SNAPSHOT_ISOLATION is kept; READ_COMMITTED_SNAPSHOT is always on here, because readers never wait."""
    _outside_transaction(execution, "ALTER DATABASE")
    session = execution.session
    found = session.store.find(node.name) if node.name is not None else session.database_id
    if found is None:
        raise SqlError(
            5011,
            f"User does not have permission to alter database '{node.name}', the"
            " database does not exist, or the database is not in a state"
            " that allows access checks.",
            class_=14,
            line=node.line,
        )
    if node.option == "READ_COMMITTED_SNAPSHOT":
        if not node.on:
            raise refused("READ_COMMITTED_SNAPSHOT OFF: readers never wait for writers here", line=node.line)
        yield RowsAffected(None, DDL)
        return
    home = session.database_id
    session.database_id = found
    try:
        execution.refresh()
        database = change_catalogue(execution)
        save(execution, replace(database, snapshot_isolation=node.on))
        yield from session.transaction.end_statement()
    finally:
        session.database_id = home
    yield RowsAffected(None, DDL)


def use(execution: Execution, node: s.Use) -> Iterator[Outcome]:
    session = execution.session
    found = session.store.find(node.database)
    if found is None:
        raise SqlError(
            911,
            f"Database '{node.database}' does not exist. Make sure that the name is entered correctly.",
            line=node.line,
        )
    old = session.database
    session.database_id = found
    yield DatabaseChange(session.database, old)
    yield Info(5701, f"Changed database context to '{session.database}'.", 0, 2)

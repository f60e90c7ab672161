"""CREATE/ALTER/DROP DATABASE, USE, schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue
from sqlserver_sandbox.engine.statements.tables import DDL, save
from sqlserver_sandbox.engine.store.store import MASTER
from sqlserver_sandbox.model import DEFAULT_COLLATION, DatabaseChange, Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Schema
from sqlserver_sandbox.tsql.collations import same
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

_SYSTEM_SCHEMAS = ("dbo", "sys", "information_schema", "guest")


def _outside_transaction(runner: BatchRunner, what: str) -> None:
    if runner.session.transaction.count:
        raise SqlError(226, f"{what} statement not allowed within multi-statement transaction.")


def create_database(runner: BatchRunner, node: s.CreateDatabase) -> Iterator[Outcome]:
    _outside_transaction(runner, "CREATE DATABASE")
    if node.collation is not None and not same(node.collation, DEFAULT_COLLATION):
        raise refused(f"a database collation other than {DEFAULT_COLLATION}; give columns a COLLATE", line=node.line)
    runner.session.store.create_database(node.name)
    yield RowsAffected(None, DDL)


def drop_database(runner: BatchRunner, node: s.DropDatabase) -> Iterator[Outcome]:
    _outside_transaction(runner, "DROP DATABASE")
    session = runner.session
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
    if session.uses_database(found):
        raise SqlError(
            3702, f'Cannot drop database "{node.name}" because it is currently in use.', state=4, line=node.line
        )
    session.store.drop_database(found)
    yield RowsAffected(None, DDL)


def alter_database(runner: BatchRunner, node: s.AlterDatabaseSet) -> Iterator[Outcome]:
    """ALLOW_SNAPSHOT_ISOLATION is kept; READ_COMMITTED_SNAPSHOT is always on here, because readers never wait."""
    _outside_transaction(runner, "ALTER DATABASE")
    session = runner.session
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
    session.use(found)
    try:
        statement = runner.statement()
        database = change_catalogue(runner, statement)
        save(runner, statement, replace(database, snapshot_isolation=node.on))
        yield from session.transaction.end_statement()
    finally:
        session.use(home)
    yield RowsAffected(None, DDL)


def use(runner: BatchRunner, node: s.Use) -> Iterator[Outcome]:
    session = runner.session
    found = session.store.find(node.database)
    if found is None:
        raise SqlError(
            911,
            f"Database '{node.database}' does not exist. Make sure that the name is entered correctly.",
            line=node.line,
        )
    old = session.database
    session.use(found)
    yield DatabaseChange(session.database, old)
    yield Info(5701, f"Changed database context to '{session.database}'.", 0, 2)


def create_schema(runner: BatchRunner, node: s.CreateSchema) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    if node.name.lower() in _SYSTEM_SCHEMAS or database.schema(node.name) is not None:
        raise SqlError(
            2714, f"There is already an object named '{node.name}' in the database.", state=6, line=node.line
        )
    schema = Schema(database.next_schema_id, node.name)
    save(
        runner,
        statement,
        replace(database, schemas=(*database.schemas, schema), next_schema_id=database.next_schema_id + 1),
    )
    yield RowsAffected(None, DDL)


def drop_schema(runner: BatchRunner, node: s.DropSchema) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    schema = database.schema(node.name)
    if schema is None:
        if node.if_exists:
            yield RowsAffected(None, DDL)
            return
        raise SqlError(
            15151,
            f"Cannot drop the schema '{node.name}', because it does not exist or you do not have permission.",
            line=node.line,
        )
    if node.name.lower() in _SYSTEM_SCHEMAS:
        raise SqlError(15150, f"Cannot drop the schema '{node.name}'.", line=node.line)
    blocker = next((t for t in database.tables if t.schema_id == schema.schema_id), None)
    if blocker is not None:
        raise SqlError(
            3729,
            f"Cannot drop schema '{node.name}' because it is being referenced by object '{blocker.name}'.",
            line=node.line,
        )
    save(
        runner,
        statement,
        replace(database, schemas=tuple(x for x in database.schemas if x.schema_id != schema.schema_id)),
    )
    yield RowsAffected(None, DDL)

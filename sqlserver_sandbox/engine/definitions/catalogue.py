"""Changing the catalogue: one session at a time per database, within its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.engine.store.locks import MODIFY
from sqlserver_sandbox.engine.store.transaction import SNAPSHOT
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import ObjectName

CATALOGUE = 0
"""The lock's object number for a database's catalogue."""


def database_of(execution: Execution, name: ObjectName) -> Database:
    """The database a name is in. Raises 911 and the refusal for linked servers."""
    if name.server:
        raise refused("linked servers (four-part names)", line=name.line)
    if not name.database:
        return execution.database
    found = execution.catalogue.database(name.database)
    if found is None:
        raise SqlError(
            911,
            f"Database '{name.database}' does not exist. Make sure that the name is entered correctly.",
            line=name.line,
        )
    return found


def change_catalogue(execution: Execution, name: ObjectName | None = None) -> Database:
    """The database's catalogue, locked for change until the transaction ends, as it is once the lock is held."""
    transaction = execution.transaction
    check_isolation(execution)
    database = database_of(execution, name) if name is not None else execution.database
    current = transaction.write(database, CATALOGUE, "catalogue")
    if current.version != database.version:
        execution.refresh()
    return current


@contextmanager
def changing_database(execution: Execution, database_id: int) -> Iterator[None]:
    """For the block, the session is in that database, and looks at its catalogue anew."""
    session = execution.session
    home = session.database_id
    session.database_id = database_id
    try:
        execution.refresh()
        yield
    finally:
        session.database_id = home
        execution.refresh()


def check_isolation(execution: Execution) -> None:
    """3964 in a SNAPSHOT transaction."""
    if execution.transaction.isolation == SNAPSHOT and execution.transaction.count:
        raise SqlError(
            3964,
            "Transaction failed because this DDL statement is not allowed inside a"
            " snapshot isolation transaction. Since metadata is"
            " not versioned, a metadata change can lead to inconsistency if mixed within snapshot isolation.",
        )


def take_object_id(database: Database) -> tuple[int, Database]:
    """A new object's number, and the database in which it is taken."""
    return database.next_object_id, replace(database, next_object_id=database.next_object_id + 16)


def save(execution: Execution, database: Database) -> None:
    """Write the changed catalogue under a new version, within the transaction."""
    store = execution.store
    changed = replace(database, version=store.next_version())
    store.write_catalogue(execution.connection, changed)
    execution.transaction.note_defined(changed)
    execution.session.rowcount = 0


def table_to_alter(execution: Execution, name: ObjectName) -> tuple[Database, Table]:
    """A table about to be altered, with the catalogue locked. Raises 4902."""
    database = change_catalogue(execution, name)
    if database.table(name.schema, name.name) is None:
        raise SqlError(
            4902,
            f'Cannot find the object "{name}" because it does not exist or you do not have permissions.',
            line=name.line,
        )
    return lock_for_writing(execution, name, MODIFY)

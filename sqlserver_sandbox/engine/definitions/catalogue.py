"""Changing the catalogue: one session at a time per database, within its transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.store.transaction import SNAPSHOT
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import ObjectName

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

CATALOGUE = 0
"""The lock's object number for a database's catalogue."""


def reading_catalogue(statement: Statement, name: ObjectName) -> Database:
    """The database a name is in. Raises 911 and the refusal for linked servers."""
    if name.server:
        raise refused("linked servers (four-part names)", line=name.line)
    if not name.database:
        return statement.database
    found = statement.catalogue.database(name.database)
    if found is None:
        raise SqlError(
            911,
            f"Database '{name.database}' does not exist. Make sure that the name is entered correctly.",
            line=name.line,
        )
    return found


def change_catalogue(runner: BatchRunner, statement: Statement, name: ObjectName | None = None) -> Database:
    """The database's catalogue, locked for change until the transaction ends, as it is once the lock is held."""
    transaction = runner.session.transaction
    if transaction.isolation == SNAPSHOT and transaction.count:
        raise SqlError(
            3964,
            "Transaction failed because this DDL statement is not allowed inside a"
            " snapshot isolation transaction. Since metadata is"
            " not versioned, a metadata change can lead to inconsistency if mixed within snapshot isolation.",
        )
    database = reading_catalogue(statement, name) if name is not None else statement.database
    current = transaction.write(database, CATALOGUE, "catalogue")
    if current.version != database.version:
        statement.renew(runner.statement())
    return current

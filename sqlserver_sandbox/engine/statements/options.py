"""SET options, SET IDENTITY_INSERT and SET TRANSACTION ISOLATION LEVEL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import SET
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.options import lock_timeout
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.sources import resolve_table


def set_option(execution: Execution, node: s.SetOption) -> Iterator[Outcome]:
    session = execution.session
    if node.option == "LOCK_TIMEOUT":
        session.transaction.lock_timeout = lock_timeout(node)
    else:
        session.options = session.options.with_setting(node)
    yield RowsAffected(None, SET)


def set_isolation(execution: Execution, node: s.SetIsolation) -> Iterator[Outcome]:
    execution.transaction.set_isolation(node.level)
    yield RowsAffected(None, SET)


def set_identity_insert(execution: Execution, node: s.SetIdentityInsert) -> Iterator[Outcome]:
    """Of one table of a session at a time (SQL Server docs: SET IDENTITY_INSERT)."""
    session = execution.session
    database, table = resolve_table(execution.context, node.table)
    key = (database.database_id, table.object_id)
    if not any(c.identity is not None for c in table.columns):
        raise SqlError(
            8106,
            f"Table '{node.table}' does not have the identity property. Cannot perform SET operation.",
            line=node.line,
        )
    if not node.on:
        session.identity_insert = None if session.identity_insert == key else session.identity_insert
    elif session.identity_insert not in (None, key):
        raise SqlError(
            8107,
            f"IDENTITY_INSERT is already ON for another table. Cannot perform SET operation for table '{node.table}'.",
            line=node.line,
        )
    else:
        session.identity_insert = key
    yield RowsAffected(None, SET)

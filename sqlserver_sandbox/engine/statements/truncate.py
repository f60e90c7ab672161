"""TRUNCATE TABLE."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.stage import identity_counter
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.model import Outcome, RowsAffected
from sqlserver_sandbox.tsql import syntax as s


def run_truncate(execution: Execution, node: s.TruncateTable) -> Iterator[Outcome]:
    """All rows go, identity starts again. SQL Server reports no row count."""
    database, table = lock_for_writing(execution, node.name)
    execution.run(f"DELETE FROM {database.alias}.main.{table.physical}")
    identity = next((c.identity for c in table.columns if c.identity is not None), None)
    if identity is not None:
        seed, increment = identity
        execution.store.counters.restart(
            execution.connection, database.database_id, identity_counter(table), seed - increment
        )
    execution.session.rowcount = 0
    yield RowsAffected(None, DDL)

"""TRUNCATE TABLE, whole or by partition."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.definitions.catalogue import check_isolation
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.variables import partition_number
from sqlserver_sandbox.engine.rows.partitions import in_partition, physical
from sqlserver_sandbox.engine.rows.stage import identity_counter
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.engine.store.locks import MODIFY
from sqlserver_sandbox.engine.switching.truncation import check_truncate, partition_ranges
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.permissions import denied
from sqlserver_sandbox.tsql.catalogue import Database, Table


def run_truncate(execution: Execution, node: s.TruncateTable) -> Iterator[Outcome]:
    """Rows go without a row count. Identity starts again when the whole table is truncated."""
    check_isolation(execution)
    numbers = [(partition_number(execution, a), partition_number(execution, b)) for a, b in node.partitions]
    database, table = lock_for_writing(execution, node.name, MODIFY)
    if denied(table, "ALTER"):
        raise SqlError(
            1088,
            f'Cannot find the object "{node.name}" because it does not exist or you do not have permissions.',
            state=7,
            line=node.line,
        )
    check_truncate(database, table, by_partition=bool(numbers))
    if numbers:
        conditions = [in_partition(database, table, "t", a, b) for a, b in partition_ranges(database, table, numbers)]
        execution.run(f"DELETE FROM {physical(database, table)} AS t WHERE {' OR '.join(conditions)}")
    else:
        _truncate(execution, database, table)
    execution.session.rowcount = 0
    yield RowsAffected(None, DDL)


def _truncate(execution: Execution, database: Database, table: Table) -> None:
    execution.run(f"DELETE FROM {physical(database, table)}")
    identity = next((c.identity for c in table.columns if c.identity is not None), None)
    if identity is not None:
        seed, increment = identity
        execution.store.counters.restart(
            execution.connection, database.database_id, identity_counter(table), seed - increment
        )

"""DBCC CHECKIDENT: the counter of an identity column, after rows came into its table by SWITCH or with values of their own."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import SET
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.partitions import physical
from sqlserver_sandbox.engine.rows.stage import identity_counter
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.model import Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s


def check_identity(execution: Execution, node: s.CheckIdentity) -> Iterator[Outcome]:
    """RESEED moves the counter up to the largest value there is, or sets it to a value (SQL Server docs: DBCC CHECKIDENT)."""
    database, table = lock_for_writing(execution, node.table)
    column = next((c for c in table.columns if c.identity is not None), None)
    if column is None or column.identity is None:
        raise SqlError(7997, f"'{node.table}' does not contain an identity column.", line=node.line)
    seed, increment = column.identity
    counters, key = execution.store.counters, (database.database_id, identity_counter(table))
    current = counters.last(*key)
    extreme = "max" if increment > 0 else "min"
    found = execution.scalar(f"SELECT {extreme}({column.physical}) FROM {physical(database, table)}")
    if node.value is not None:
        # In a table that never had a row the next value is the one given, in any other the one after it.
        last = node.value if current is not None or found is not None else node.value - increment
        counters.restart(execution.connection, *key, last)
    elif node.reseeds and found is not None:
        counters.push(*key, int(found), increment, seed)
        counters.record(execution.connection, *key)
    shown = "NULL" if current is None else str(current)
    if node.value is not None:
        yield Info(7998, f"Checking identity information: current identity value '{shown}'.")
    else:
        largest = "NULL" if found is None else str(found)
        yield Info(
            7998, f"Checking identity information: current identity value '{shown}', current column value '{largest}'."
        )
    yield RowsAffected(None, SET)

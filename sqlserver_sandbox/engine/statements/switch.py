"""ALTER TABLE … SWITCH: the rows of a partition change tables, within the transaction."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.definitions.catalogue import check_isolation
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.variables import partition_number
from sqlserver_sandbox.engine.rows.partitions import is_empty, move_rows
from sqlserver_sandbox.engine.store.locks import MODIFY, LowPriority
from sqlserver_sandbox.engine.switching.rules import check_switch
from sqlserver_sandbox.engine.switching.sides import Side, failed, is_ignored, side_of
from sqlserver_sandbox.model import Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.permissions import denied
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.refusal import refused


def run_switch(execution: Execution, node: s.AlterTableSwitch) -> Iterator[Outcome]:
    """Rules first, then whether the target is empty, then the rows move. No row count, no trigger, no rowversion."""
    check_isolation(execution)
    from_number, to_number = (
        partition_number(execution, n) if n is not None else None
        for n in (node.source_partition, node.target_partition)
    )
    database, source, target = _locked(execution, node)
    for state, (table, number) in enumerate(((source, from_number), (target, to_number)), 1):
        if is_ignored(database, table, number):
            yield Info(4903, _ignored(database, table, number), 0, state)
    giving = side_of(database, source, from_number, is_source=True)
    getting = side_of(database, target, to_number, is_source=False)
    check_switch(giving, getting)
    _check_empty(execution, getting)
    move_rows(execution, database, source, giving.partition, target)
    execution.session.rowcount = 0
    yield RowsAffected(None, DDL)


def _ignored(database: Database, table: Table, number: int | None) -> str:
    return (
        f"Warning: The specified partition {number} for the table '{database.name}.{database.full_name(table)}' was"
        " ignored in ALTER"
        " TABLE SWITCH statement because the table is not partitioned."
    )


def _locked(execution: Execution, node: s.AlterTableSwitch) -> tuple[Database, Table, Table]:
    """Both tables, locked against everybody until the transaction ends (SQL Server docs: ALTER TABLE, locks of SWITCH)."""
    while True:
        database, source, target = _found(execution, node)
        tables = [(t.object_id, t.name) for t in (source, target)]
        current = execution.transaction.write_all(database, tables, MODIFY, _low_priority(node))
        if current.version == database.version:
            return database, source, target
        execution.refresh()


def _low_priority(node: s.AlterTableSwitch) -> LowPriority | None:
    """SQL Server docs, ALTER TABLE: low_priority_lock_wait. Raises the refusal for BLOCKERS: no session here ends another."""
    if node.low_priority_minutes is None:
        return None
    if node.abort_after_wait == "BLOCKERS":
        raise refused("ABORT_AFTER_WAIT = BLOCKERS", line=node.line)
    return LowPriority(60.0 * node.low_priority_minutes, node.abort_after_wait == "SELF")


def _found(execution: Execution, node: s.AlterTableSwitch) -> tuple[Database, Table, Table]:
    home = execution.database
    names = ((node.source, 4902), (node.target, 1088))
    databases = [execution.catalogue.database(n.database) if n.database else home for n, _ in names]
    if databases[0] is None or databases[1] is None or databases[0].database_id != databases[1].database_id:
        mine, theirs = (n.database or home.name for n, _ in names)
        raise failed(
            4948,
            f". The source table '{node.source}' is in database '{mine}' while the target table '{node.target}' is in database"
            f" '{theirs}'.",
        )
    found: list[Table] = []
    for name, number in names:
        table = databases[0].table(name.schema, name.name)
        if table is None or denied(table, "ALTER") or not execution.access.holds(databases[0], "ALTER", table):
            raise SqlError(
                number,
                f'Cannot find the object "{name}" because it does not exist or you do not have permissions.',
                line=node.line,
            )
        found.append(table)
    if found[0].object_id == found[1].object_id:
        raise failed(4955, f". The source table '{node.source}' and target table '{node.target}' are same.")
    return databases[0], found[0], found[1]


def _check_empty(execution: Execution, side: Side) -> None:
    """4904 or 4905: the target must be empty."""
    if is_empty(execution, side.database, side.table, side.partition):
        return
    if side.partition is None:
        raise failed(4905, f". The target table '{side.name}' must be empty.")
    raise failed(4904, f". The specified partition {side.partition} of target table '{side.name}' must be empty.")

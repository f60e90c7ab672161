"""ALTER TABLE … CHECK | NOCHECK CONSTRAINT: constraints off, on, and trusted again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import save, table_to_alter
from sqlserver_sandbox.engine.definitions.constraints import constraint_named, with_constraint
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.constraints import check_rows
from sqlserver_sandbox.engine.rows.partitions import physical
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import Outcome, RowsAffected
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.constraints import Check, ForeignKey


def alter_check(execution: Execution, node: s.AlterTableCheck) -> Iterator[Outcome]:
    """A constraint that is enabled without WITH CHECK stays untrusted (SQL Server docs: ALTER TABLE, WITH CHECK)."""
    database, table = table_to_alter(execution, node.name)
    chosen: list[Check | ForeignKey] = [constraint_named(table, name) for name in node.constraints]
    for constraint in chosen or [*table.constraints]:
        if not node.enable:
            changed = replace(constraint, is_disabled=True, is_trusted=False)
        elif node.check_rows:
            checks = (constraint,) if isinstance(constraint, Check) else ()
            keys = (constraint,) if isinstance(constraint, ForeignKey) else ()
            check_rows(execution, database, table, physical(database, table), "ALTER TABLE", checks, keys)
            changed = replace(constraint, is_disabled=False, is_trusted=True)
        else:
            changed = replace(constraint, is_disabled=False)
        table = with_constraint(table, changed)
    save(execution, database.with_table(replace(table, modified=now_text())))
    yield RowsAffected(None, DDL)

"""DELETE: the rows are chosen first, then deleted by row id."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.engine.execution.commands import DELETE
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.constraints import check_no_children
from sqlserver_sandbox.engine.rows.target import read_for_writing, target_of
from sqlserver_sandbox.model import Outcome
from sqlserver_sandbox.tsql import syntax as s


def run_delete(execution: Execution, node: s.Delete) -> Iterator[Outcome]:
    target = target_of(execution, node)
    binder = target.binder.binder(target.scope)
    where = f" WHERE {binder.condition(node.where)}" if node.where is not None else ""
    read_for_writing(execution)
    execution.run(
        f"CREATE OR REPLACE TEMP TABLE stage AS SELECT DISTINCT {target.alias}.rowid AS rid FROM {target.sql}{where}"
    )
    count = int(execution.scalar("SELECT count(rid) FROM temp.main.stage"))
    physical = f"{target.database.alias}.main.{target.table.physical}"
    if count:
        gone = f"(SELECT t.* FROM {physical} AS t WHERE t.rowid IN (SELECT rid FROM temp.main.stage))"
        check_no_children(execution, target.database, target.table, gone, "DELETE")
        execution.run(f"DELETE FROM {physical} WHERE rowid IN (SELECT rid FROM temp.main.stage)")
    execution.run("DROP TABLE temp.main.stage")
    yield execution.rows_affected(count, DELETE)

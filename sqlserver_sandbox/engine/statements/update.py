"""UPDATE: the rows are chosen and computed first, checked, then changed by row id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.execution.commands import UPDATE
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.assignment import assigned, default_of
from sqlserver_sandbox.engine.rows.checks import check_staged
from sqlserver_sandbox.engine.rows.computed import check_settable, computed_values
from sqlserver_sandbox.engine.rows.constraints import (
    FINAL,
    check_no_children,
    check_rows,
    enabled_checks,
    enabled_foreign_keys,
    is_referenced,
)
from sqlserver_sandbox.engine.rows.stage import rowversion_sql, stored_sql
from sqlserver_sandbox.engine.rows.target import Target, read_for_writing, target_of
from sqlserver_sandbox.engine.rows.uniqueness import check_update, index_columns, unique_indexes
from sqlserver_sandbox.engine.store.counters import ROWVERSION
from sqlserver_sandbox.model import Outcome, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused


def run_update(execution: Execution, node: s.Update) -> Iterator[Outcome]:
    target = target_of(execution, node)
    binder = target.binder.binder(target.scope)
    staged: list[tuple[TableColumn, Bound]] = []
    texts: list[str] = []
    for assignment in node.assignments:
        column = _settable(target.table, assignment.column, node.line)
        if any(column == c for c, _ in staged):
            raise SqlError(
                264,
                f"The column name '{column.name}' is specified more than once in the SET clause or column list of an INSERT.",
                line=node.line,
            )
        value = (
            default_of(execution, column) if isinstance(assignment.value, s.Default) else binder.bind(assignment.value)
        )
        wide = assigned(value, column)
        texts.append(f"{wide.sql} AS {column.physical}")
        staged.append((column, replace(wide, sql=f"stage.{column.physical}", constant=None)))
    texts.extend(_other_keys(target, {c.column_id for c, _ in staged}))
    where = f" WHERE {binder.condition(node.where)}" if node.where is not None else ""
    read_for_writing(execution)
    selection = ", ".join([f"{target.alias}.rowid AS rid", *texts])
    distinct = "DISTINCT " if node.source is not None else ""
    execution.run(f"CREATE OR REPLACE TEMP TABLE stage AS SELECT {distinct}{selection} FROM {target.sql}{where}")
    count = int(execution.scalar("SELECT count(*) FROM temp.main.stage WHERE rid IS NOT NULL"))
    if count:
        _write(execution, target, staged, count, has_source=node.source is not None)
    execution.run("DROP TABLE temp.main.stage")
    yield execution.rows_affected(count, UPDATE)


def _write(
    execution: Execution,
    target: Target,
    staged: list[tuple[TableColumn, Bound]],
    count: int,
    *,
    has_source: bool,
) -> None:
    if has_source and execution.scalar(
        "SELECT count(*) FROM (SELECT rid FROM temp.main.stage GROUP BY rid HAVING count(*) > 1) AS m"
    ):
        raise refused(
            "UPDATE … FROM that gives one row several different values: SQL Server would take any one of them"
        )
    database, table, session = target.database, target.table, execution.session
    check_staged(execution, database, table, staged, "UPDATE")
    check_update(execution, database, table, {c.column_id for c, _ in staged})
    _check_constraints(execution, target, staged)
    new = {c.column_id: stored_sql(b, c) for c, b in staged}
    kept = {c.column_id: f"{table.physical}.{c.physical}" for c in table.columns}
    sets = [f"{table.column_by_id(i).physical} = {sql}" for i, sql in new.items()]
    computed = computed_values(execution, database, table, kept | new)
    sets += [f"{table.column_by_id(i).physical} = {sql}" for i, sql in computed.items()]
    version = next((c for c in table.columns if c.type.name == "rowversion"), None)
    source = "temp.main.stage"
    if version is not None:
        first = session.store.counters.take_rowversions(database.database_id, count, session.login.spid)
        session.store.counters.record(session.connection, database.database_id, ROWVERSION)
        source = f"(SELECT *, {rowversion_sql(first)} AS new_version FROM temp.main.stage)"
        sets.append(f"{version.physical} = stage.new_version")
    physical = f"{database.alias}.main.{table.physical}"
    execution.run(f"UPDATE {physical} SET {', '.join(sets)} FROM {source} AS stage WHERE {physical}.rowid = stage.rid")


def _check_constraints(execution: Execution, target: Target, staged: list[tuple[TableColumn, Bound]]) -> None:
    """547, over the rows as they will be: for constraints of the table, and for foreign keys that reference it."""
    database, table = target.database, target.table
    physical = f"{database.alias}.main.{table.physical}"
    changed = frozenset(c.column_id for c, _ in staged)
    checks, keys = enabled_checks(table), enabled_foreign_keys(table)
    if not checks and not keys and not is_referenced(database, table):
        return
    new = {c.column_id: stored_sql(b, c) for c, b in staged}
    final = {c.column_id: new.get(c.column_id, f"t.{c.physical}") for c in table.columns}
    final |= computed_values(execution, database, table, final)
    values = ", ".join(f"{final[c.column_id]} AS {c.physical}" for c in table.columns)
    execution.run(
        f"CREATE OR REPLACE TEMP TABLE final_rows AS SELECT {values} FROM {physical} AS t"
        " JOIN temp.main.stage AS stage ON t.rowid = stage.rid"
    )
    check_rows(execution, database, table, FINAL, "UPDATE", checks, keys)
    gone = f"(SELECT t.* FROM {physical} AS t JOIN temp.main.stage AS s ON t.rowid = s.rid)"
    check_no_children(execution, database, table, gone, "UPDATE", changed)
    execution.run(f"DROP TABLE {FINAL}")


def _settable(table: Table, name: str, line: int) -> TableColumn:
    column = table.column(name)
    if column is None:
        raise SqlError(207, f"Invalid column name '{name}'.", line=line)
    check_settable(column, line)
    if column.identity is not None:
        raise SqlError(8102, f"Cannot update identity column '{column.name}'.", line=line)
    if column.type.name == "rowversion":
        raise SqlError(272, "Cannot update a timestamp column.", line=line)
    return column


def _other_keys(target: Target, changed: set[int]) -> list[str]:
    """Key columns that keep their value, for the check of uniqueness."""
    needed: set[int] = set()
    for index in unique_indexes(target.table):
        keys = index_columns(target.table, index)
        if keys & changed:
            needed |= keys - changed
    return [f"{target.alias}.c{i} AS c{i}" for i in sorted(needed)]

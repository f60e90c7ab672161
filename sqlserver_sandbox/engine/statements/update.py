"""UPDATE, DELETE, TRUNCATE: the rows are chosen and computed first, checked, then changed by row id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.rows.assignment import assigned, check_staged, default_of
from sqlserver_sandbox.engine.rows.uniqueness import check_update, unique_indexes
from sqlserver_sandbox.engine.statements.insert import (
    _refuse_stale,
    finished,
    identity_counter,
    rowversion_sql,
    writable,
)
from sqlserver_sandbox.engine.store.store import ROWVERSION
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.queries import QueryBinder
from sqlserver_sandbox.tsql.bind.scope import Scope, ScopeSource
from sqlserver_sandbox.tsql.bind.sources import BoundSource, bind_source, table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

UPDATE_COMMAND, DELETE_COMMAND = 0xC5, 0xC4


@dataclass(frozen=True)
class Target:
    """The table to change, its name within the bound FROM, and the scope to bind in."""

    database: Database
    table: Table
    alias: str
    sql: str
    scope: Scope
    binder: QueryBinder


def _with_ctes(statement: Statement, ctes: tuple[s.CommonTable, ...]) -> QueryBinder:
    return replace(statement.queries, ctes={c.name.lower(): c for c in ctes})


def _target(runner: BatchRunner, statement: Statement, node: s.Update | s.Delete) -> Target:
    if len(node.target.parts) == 1 and node.target.name.lower() in {c.name.lower() for c in node.ctes}:
        raise refused("changing rows through a common table expression", line=node.line)
    found = _aliased(node.source, node.target)
    database, table = writable(runner, statement, found.name if found else node.target)
    binder = _with_ctes(statement, node.ctes)
    if node.source is None:
        alias = statement.context.alias()
        source = ScopeSource(
            table.name, table_columns(table, alias), database.schema_by_id(table.schema_id).name, database.name
        )
        return Target(
            database, table, alias, f"{database.alias}.main.{table.physical} AS {alias}", Scope((source,)), binder
        )
    bound = bind_source(binder, node.source, Scope())
    mine = _find(bound, node.target, table)
    alias = mine.columns[0].sql.split(".")[0]
    if not mine.columns[0].sql == f"{alias}.{table.columns[0].physical}":
        raise refused("UPDATE or DELETE of a table on the left of APPLY (VALUES …)", line=node.line)
    return Target(database, table, alias, bound.sql, Scope(bound.sources), binder)


def _aliased(source: s.Source | None, target: s.ObjectName) -> s.TableSource | None:
    """The table of FROM that the target names by alias or by name."""
    if isinstance(source, s.Join):
        return _aliased(source.left, target) or _aliased(source.right, target)
    if not isinstance(source, s.TableSource):
        return None
    name = target.name.lower()
    if source.alias is not None:
        return source if len(target.parts) == 1 and source.alias.lower() == name else None
    return source if source.name.name.lower() == name else None


def _find(bound: BoundSource, target: s.ObjectName, table: Table) -> ScopeSource:
    named = [x for x in bound.sources if x.name.lower() == target.name.lower() and (x.schema or not x.aliased)]
    if len(named) == 1:
        return named[0]
    same = [
        x
        for x in bound.sources
        if x.schema and x.columns and x.columns[0].name == table.columns[0].name and not x.aliased
    ]
    if len(same) == 1:
        return same[0]
    raise refused(f"UPDATE or DELETE of '{target}' with a FROM that does not name it once", line=target.line)


def run_update(runner: BatchRunner, node: s.Update) -> Iterator[Outcome]:
    statement = runner.statement()
    target = _target(runner, statement, node)
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
            default_of(statement, column) if isinstance(assignment.value, s.Default) else binder.bind(assignment.value)
        )
        wide = assigned(value, column)
        texts.append(f"{wide.sql} AS {column.physical}")
        staged.append((column, replace(wide, sql=f"stage.{column.physical}", constant=None)))
    texts.extend(_other_keys(target, {c.column_id for c, _ in staged}))
    where = f" WHERE {binder.condition(node.where)}" if node.where is not None else ""
    runner.reading(statement)
    _refuse_stale(runner, statement)
    selection = ", ".join([f"{target.alias}.rowid AS rid", *texts])
    distinct = "DISTINCT " if node.source is not None else ""
    statement.run(f"CREATE OR REPLACE TEMP TABLE stage AS SELECT {distinct}{selection} FROM {target.sql}{where}")
    count = int(statement.scalar("SELECT count(*) FROM temp.main.stage WHERE rid IS NOT NULL"))
    if count:
        _write(runner, statement, target, staged, count, has_source=node.source is not None)
    statement.run("DROP TABLE temp.main.stage")
    runner.session.rowcount = count
    yield RowsAffected(None if runner.session.options.nocount else count, UPDATE_COMMAND)


def _write(
    runner: BatchRunner,
    statement: Statement,
    target: Target,
    staged: list[tuple[TableColumn, Bound]],
    count: int,
    *,
    has_source: bool,
) -> None:
    if has_source and statement.scalar(
        "SELECT count(*) FROM (SELECT rid FROM temp.main.stage GROUP BY rid HAVING count(*) > 1) AS m"
    ):
        raise refused(
            "UPDATE … FROM that gives one row several different values: SQL Server would take any one of them"
        )
    database, table, session = target.database, target.table, runner.session
    check_staged(statement, database, table, staged, "UPDATE")
    check_update(statement, database, table, {c.column_id for c, _ in staged})
    sets = [f"{c.physical} = {finished(b, c)}" for c, b in staged]
    version = next((c for c in table.columns if c.type.name == "rowversion"), None)
    source = "temp.main.stage"
    if version is not None:
        first = session.store.take_rowversions(database.database_id, count, session.spid)
        session.store.record_counter(session.connection, database.database_id, ROWVERSION)
        source = f"(SELECT *, {rowversion_sql(first)} AS new_version FROM temp.main.stage)"
        sets.append(f"{version.physical} = stage.new_version")
    physical = f"{database.alias}.main.{table.physical}"
    statement.run(f"UPDATE {physical} SET {', '.join(sets)} FROM {source} AS stage WHERE {physical}.rowid = stage.rid")


def _settable(table: Table, name: str, line: int) -> TableColumn:
    column = table.column(name)
    if column is None:
        raise SqlError(207, f"Invalid column name '{name}'.", line=line)
    if column.identity is not None:
        raise SqlError(8102, f"Cannot update identity column '{column.name}'.", line=line)
    if column.type.name == "rowversion":
        raise SqlError(272, "Cannot update a timestamp column.", line=line)
    return column


def _other_keys(target: Target, changed: set[int]) -> list[str]:
    """Key columns that keep their value, for the check of uniqueness."""
    needed: set[int] = set()
    for index in unique_indexes(target.table):
        keys = {k.column_id for k in index.key_columns}
        if keys & changed:
            needed |= keys - changed
    return [f"{target.alias}.c{i} AS c{i}" for i in sorted(needed)]


def run_delete(runner: BatchRunner, node: s.Delete) -> Iterator[Outcome]:
    statement = runner.statement()
    target = _target(runner, statement, node)
    binder = target.binder.binder(target.scope)
    where = f" WHERE {binder.condition(node.where)}" if node.where is not None else ""
    runner.reading(statement)
    _refuse_stale(runner, statement)
    statement.run(
        f"CREATE OR REPLACE TEMP TABLE stage AS SELECT DISTINCT {target.alias}.rowid AS rid FROM {target.sql}{where}"
    )
    count = int(statement.scalar("SELECT count(rid) FROM temp.main.stage"))
    physical = f"{target.database.alias}.main.{target.table.physical}"
    if count:
        statement.run(f"DELETE FROM {physical} WHERE rowid IN (SELECT rid FROM temp.main.stage)")
    statement.run("DROP TABLE temp.main.stage")
    runner.session.rowcount = count
    yield RowsAffected(None if runner.session.options.nocount else count, DELETE_COMMAND)


def run_truncate(runner: BatchRunner, node: s.TruncateTable) -> Iterator[Outcome]:
    """All rows go, identity starts again. SQL Server reports no row count."""
    statement = runner.statement()
    database, table = writable(runner, statement, node.name)
    statement.run(f"DELETE FROM {database.alias}.main.{table.physical}")
    identity = next((c.identity for c in table.columns if c.identity is not None), None)
    if identity is not None:
        seed, increment = identity
        store = runner.session.store
        store.restart_counter(
            runner.session.connection, database.database_id, identity_counter(table), seed - increment
        )
    runner.session.rowcount = 0
    yield RowsAffected(None, 0xC6)

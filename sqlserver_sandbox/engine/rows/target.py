"""The table that a statement changes: locked, and found again in the FROM of UPDATE and DELETE."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.locks import WRITE
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.queries import QueryBinder
from sqlserver_sandbox.tsql.bind.scope import Scope, ScopeSource
from sqlserver_sandbox.tsql.bind.sources import BoundSource, bind_source, resolve_table, table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.refusal import refused


@dataclass(frozen=True)
class Target:
    """The table to change, its name within the bound FROM, and the scope to bind in."""

    database: Database
    table: Table
    alias: str
    sql: str
    scope: Scope
    binder: QueryBinder


def lock_for_writing(execution: Execution, name: s.ObjectName, mode: str = WRITE) -> tuple[Database, Table]:
    """The table, locked for writing or with another mode, as it is once the lock is held."""
    if name.schema.lower() in ("sys", "information_schema"):
        raise SqlError(259, "Ad hoc updates to system catalogs are not allowed.", line=name.line)
    session = execution.session
    while True:
        database, table = resolve_table(execution.context, name)
        if execution.permission:
            execution.access.check_table(database, table, execution.permission, name.line)
        session.transaction.access(database)
        current = session.transaction.write(database, table.object_id, table.name, mode)
        if current.version == database.version:
            return database, table
        # Whoever held the lock changed the catalogue: look the name up again.
        execution.refresh()


def read_for_writing(execution: Execution) -> None:
    """Before the tables that were bound are read to change rows: refuse what only a newer snapshot would have."""
    execution.reading_connection()
    if execution.transaction.wants_fresh_view(execution.context.read):
        raise refused(
            "changing rows in a READ COMMITTED transaction by reading a table that"
            " another session changed meanwhile; commit first"
        )


def target_of(execution: Execution, node: s.Update | s.Delete) -> Target:
    """The table of UPDATE or DELETE, locked for writing, and its FROM bound."""
    if len(node.target.parts) == 1 and node.target.name.lower() in {c.name.lower() for c in node.ctes}:
        raise refused("changing rows through a common table expression", line=node.line)
    found = _aliased(node.source, node.target)
    database, table = lock_for_writing(execution, found.name if found else node.target)
    binder = _with_ctes(execution, node.ctes)
    if node.source is None:
        if node.where is not None:
            execution.access.check_table(database, table, "SELECT", node.line)
        alias = execution.context.alias()
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


def _with_ctes(execution: Execution, ctes: tuple[s.CommonTable, ...]) -> QueryBinder:
    return replace(execution.queries, ctes={c.name.lower(): c for c in ctes})


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

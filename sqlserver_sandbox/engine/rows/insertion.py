"""Inserting rows: staged, checked, then written. A refused row leaves nothing behind, and no error breaks the transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.assignment import assigned, default_of
from sqlserver_sandbox.engine.rows.checks import check_staged
from sqlserver_sandbox.engine.rows.computed import computed_values
from sqlserver_sandbox.engine.rows.constraints import FINAL, check_rows, enabled_checks, enabled_foreign_keys
from sqlserver_sandbox.engine.rows.stage import STAGE, identity_counter, rowversion_sql, stored_sql
from sqlserver_sandbox.engine.rows.uniqueness import check_insert
from sqlserver_sandbox.engine.store.counters import ROWVERSION
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn


@dataclass(frozen=True)
class IncomingRows:
    """Rows on their way in: DuckDB text and its columns c1, c2, … for these table columns, in order."""

    sql: str
    bounds: tuple[Bound, ...]
    columns: tuple[TableColumn, ...]
    keep_identity: bool = False
    null_means_default: bool = False
    check_constraints: bool = True


def insert_rows(execution: Execution, database: Database, table: Table, incoming: IncomingRows) -> int:
    """Stage, check, store. Returns the number of rows. Raises 515, 2628, 2627, 2601, 8115 and the conversions' errors."""
    session, counters = execution.session, execution.store.counters
    session.last_identity = None
    given = {c.column_id: b for c, b in zip(incoming.columns, incoming.bounds, strict=True)}
    staged: list[tuple[TableColumn, Bound]] = []
    texts: list[str] = []
    for column in table.columns:
        if column.type.name == "rowversion" or column.computed:
            continue
        if column.identity is not None and column.column_id not in given:
            continue
        bound = given.get(column.column_id)
        if bound is None:
            value = default_of(execution, column)
        elif incoming.null_means_default and column.default is not None:
            fallback = assigned(default_of(execution, column), column)
            wide = assigned(bound, column)
            value = Bound(f"coalesce({wide.sql}, {fallback.sql})", wide.type, True)
        else:
            value = bound
        wide = assigned(value, column)
        if wide.error is not None:
            raise wide.error
        texts.append(f"{wide.sql} AS {column.physical}")
        staged.append((column, replace(wide, sql=f"{STAGE}.{column.physical}", constant=None)))
    selection = ", ".join([*texts, "1 AS one"])
    execution.run(f"CREATE OR REPLACE TEMP TABLE stage AS SELECT {selection} FROM ({incoming.sql}) AS i")
    count = int(execution.scalar("SELECT count(*) FROM temp.main.stage"))
    if count:
        check_staged(execution, database, table, staged, "INSERT")
        check_insert(execution, database, table, staged)
        final = {c.column_id: stored_sql(b, c) for c, b in staged}
        for column in table.columns:
            if column.type.name == "rowversion":
                first = counters.take_rowversions(database.database_id, count, session.login.spid)
                final[column.column_id] = rowversion_sql(first)
                counters.record(session.connection, database.database_id, ROWVERSION)
            elif column.column_id not in final and not column.computed:
                final[column.column_id] = _identity(execution, database, table, column, count)
        final |= computed_values(execution, database, table, final)
        _store(execution, database, table, final, checked=incoming.check_constraints)
        if incoming.keep_identity:
            _raise_identity(execution, database, table)
    execution.run("DROP TABLE temp.main.stage")
    return count


def _store(execution: Execution, database: Database, table: Table, final: dict[int, str], *, checked: bool) -> None:
    """Write the staged rows, after CHECK and FOREIGN KEY constraints when the load is one that looks at them."""
    names = ", ".join(c.physical for c in table.columns)
    physical = f"{database.alias}.main.{table.physical}"
    checks, keys = enabled_checks(table), enabled_foreign_keys(table)
    if not checked or not (checks or keys):
        values = ", ".join(final[c.column_id] for c in table.columns)
        execution.run(f"INSERT INTO {physical} ({names}) SELECT {values} FROM {STAGE}")
        return
    values = ", ".join(f"{final[c.column_id]} AS {c.physical}" for c in table.columns)
    execution.run(f"CREATE OR REPLACE TEMP TABLE final_rows AS SELECT {values} FROM {STAGE}")
    check_rows(execution, database, table, FINAL, "INSERT", checks, keys)
    execution.run(f"INSERT INTO {physical} ({names}) SELECT {names} FROM {FINAL}")
    execution.run(f"DROP TABLE {FINAL}")


def _identity(execution: Execution, database: Database, table: Table, column: TableColumn, count: int) -> str:
    seed, increment = column.identity or (1, 1)
    counters = execution.store.counters
    first = counters.take(database.database_id, identity_counter(table), count, seed, increment)
    counters.record(execution.connection, database.database_id, identity_counter(table))
    execution.session.last_identity = first + increment * (count - 1)
    number = Bound(
        f"({first} + {increment} * (row_number() OVER () - 1))",
        replace(column.type, name="bigint", precision=0, scale=0),
    )
    return convert(number, column.type).sql


def _raise_identity(execution: Execution, database: Database, table: Table) -> None:
    """Explicit identity values move the counter on when they are past it."""
    column = next(c for c in table.columns if c.identity is not None)
    seed, increment = column.identity or (1, 1)
    extreme = execution.scalar(f"SELECT {'max' if increment > 0 else 'min'}({column.physical}) FROM {STAGE}")
    counters = execution.store.counters
    counters.push(database.database_id, identity_counter(table), int(extreme), increment, seed)
    counters.record(execution.connection, database.database_id, identity_counter(table))

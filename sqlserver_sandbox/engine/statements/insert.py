"""INSERT: staged, checked, then written: a refused row leaves nothing behind, and no DuckDB error breaks the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.rows.assignment import assigned, check_staged, default_of
from sqlserver_sandbox.engine.rows.uniqueness import check_insert
from sqlserver_sandbox.engine.store.store import ROWVERSION
from sqlserver_sandbox.model import BulkStart, BulkTarget, Column, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.bind.sources import resolve_table
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import resolve

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

INSERT_COMMAND = 0xC3
STAGE = "temp.main.stage"


@dataclass(frozen=True)
class Incoming:
    """Rows on their way in: DuckDB text and its columns c1, c2, … for these table columns, in order."""

    sql: str
    bounds: tuple[Bound, ...]
    columns: tuple[TableColumn, ...]
    keep_identity: bool = False
    null_means_default: bool = False


def run_insert(runner: BatchRunner, node: s.Insert) -> Iterator[Outcome]:
    statement = runner.statement()
    database, table = writable(runner, statement, node.target)
    columns = target_columns(database, table, node)
    incoming = _incoming(statement, node, table, columns)
    runner.reading(statement)
    _refuse_stale(runner, statement)
    count = write_rows(runner, statement, database, table, incoming)
    runner.session.rowcount = count
    yield RowsAffected(None if runner.session.options.nocount else count, INSERT_COMMAND)


def _refuse_stale(runner: BatchRunner, statement: Statement) -> None:
    if runner.session.transaction.wants_fresh_view(statement.read):
        raise refused(
            "changing rows in a READ COMMITTED transaction by reading a table that"
            " another session changed meanwhile; commit first"
        )


def writable(runner: BatchRunner, statement: Statement, name: s.ObjectName) -> tuple[Database, Table]:
    """The table, locked for writing, as it is once the lock is held."""
    if name.schema.lower() in ("sys", "information_schema"):
        raise SqlError(259, "Ad hoc updates to system catalogs are not allowed.", line=name.line)
    session = runner.session
    while True:
        database, table = resolve_table(statement.context, name)
        session.transaction.access(database)
        current = session.transaction.write(database, table.object_id, table.name)
        if current.version == database.version:
            return database, table
        # Whoever held the lock changed the catalogue: look the name up again.
        statement.renew(session.statement(runner.variables))


def target_columns(database: Database, table: Table, node: s.Insert) -> tuple[TableColumn, ...]:
    """The columns an INSERT names, or all that take values. Raises 207, 264, 544, 273, 109, 110, 213."""
    if not node.columns:
        return tuple(c for c in table.columns if c.identity is None)
    found: list[TableColumn] = []
    for name in node.columns:
        column = table.column(name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{name}'.", line=node.line)
        if column in found:
            raise SqlError(
                264,
                f"The column name '{name}' is specified more than once in the SET clause or column list of an INSERT.",
                line=node.line,
            )
        if column.identity is not None:
            raise SqlError(
                544,
                f"Cannot insert explicit value for identity column in table '{table.name}' when IDENTITY_INSERT is set to OFF.",
            )
        found.append(column)
    return tuple(found)


def _incoming(statement: Statement, node: s.Insert, table: Table, columns: tuple[TableColumn, ...]) -> Incoming:
    if node.default_values:
        return Incoming("SELECT 1", (), ())
    if node.query is not None:
        bound = statement.queries.query(node.query, top_level=True)
        _check_count(node, len(columns), len(bound.columns), is_values=False)
        return Incoming(bound.sql, _settable(bound.columns, columns, table), columns)
    return _values(statement, node, columns)


def _settable(bounds: tuple[Bound, ...], columns: tuple[TableColumn, ...], table: Table) -> tuple[Bound, ...]:
    for column in columns:
        if column.type.name == "rowversion":
            raise SqlError(
                273,
                "Cannot insert an explicit value into a timestamp column. Use INSERT"
                " with a column list to exclude the timestamp column,"
                " or insert a DEFAULT into the timestamp column.",
            )
    return bounds


def _check_count(node: s.Insert, wanted: int, given: int, *, is_values: bool) -> None:
    if wanted == given:
        return
    if not node.columns:
        raise SqlError(213, "Column name or number of supplied values does not match table definition.", line=node.line)
    more = given < wanted
    if is_values:
        number, first, second = (109, "more", "fewer") if more else (110, "fewer", "more")
        del second
        what = (
            "than values specified in the VALUES clause. The number of values in the VALUES"
            " clause must match the number of columns specified"
        )
        raise SqlError(
            number,
            f"There are {first} columns in the INSERT statement {what} in the INSERT statement.",
            class_=15,
            line=node.line,
        )
    number, word = (120, "fewer") if more else (121, "more")
    raise SqlError(
        number,
        f"The select list for the INSERT statement contains {word} items than the insert"
        " list. The number of SELECT values must match"
        " the number of INSERT columns.",
        class_=15,
        line=node.line,
    )


def _values(statement: Statement, node: s.Insert, columns: tuple[TableColumn, ...]) -> Incoming:
    """VALUES: each column's rows meet in one type first, as SQL Server has it, then go to the column."""
    binder = statement.queries.binder(Scope())
    table: list[list[Bound]] = []
    for given in node.rows:
        _check_count(node, len(columns), len(given), is_values=True)
        bound_row = []
        for value, column in zip(given, columns, strict=True):
            if isinstance(value, s.Default):
                bound_row.append(default_of(statement, column))
            elif column.type.name == "rowversion":
                _settable((), (column,), Table(0, 0, "", (), (), "", ""))
            else:
                bound_row.append(binder.bind(value))
        table.append(bound_row)
    kept = [i for i, c in enumerate(columns) if c.type.name != "rowversion"]
    rows = [[row[i] for i in kept] for row in _without_rowversions(table, columns)]
    if len(rows) == 1:
        return Incoming("SELECT 1", tuple(rows[0]), tuple(columns[i] for i in kept))
    types = [_row_type(column) for column in zip(*rows, strict=True)]
    texts = []
    for row in rows:
        cells = [convert(v, t.type, explicit=False) for v, t in zip(row, types, strict=True)]
        texts.append("(" + ", ".join(c.sql for c in cells) + ")")
    if not types:
        return Incoming(" UNION ALL ".join(["SELECT 1"] * len(rows)), (), ())
    names = ", ".join(f"c{i}" for i in range(1, len(types) + 1))
    bounds = tuple(replace(t, sql=f"c{i}") for i, t in enumerate(types, 1))
    return Incoming(f"SELECT * FROM (VALUES {', '.join(texts)}) AS v({names})", bounds, tuple(columns[i] for i in kept))


def _without_rowversions(table: list[list[Bound]], columns: tuple[TableColumn, ...]) -> list[list[Bound]]:
    """A DEFAULT for a rowversion column keeps its place as a NULL that is never stored."""
    return [
        [constant(None, c.type) if c.type.name == "rowversion" else v for v, c in zip(row, columns, strict=True)]
        for row in table
    ]


def _row_type(values: tuple[Bound, ...]) -> Bound:
    declared, label = common_type(values, "VALUES")
    # NULL in every row stays NULL whatever the column is.
    return Bound(
        "", declared, any(v.nullable for v in values), label=label, null_literal=all(v.null_literal for v in values)
    )


# ---- writing -----------------------------------------------------------------------------------------------------
def write_rows(runner: BatchRunner, statement: Statement, database: Database, table: Table, incoming: Incoming) -> int:
    """Stage, check, store. Returns the number of rows. Raises 515, 2628, 2627, 2601, 8115 and the conversions' errors."""
    session, store = runner.session, runner.session.store
    session.last_identity = None
    given = {c.column_id: b for c, b in zip(incoming.columns, incoming.bounds, strict=True)}
    staged: list[tuple[TableColumn, Bound]] = []
    texts: list[str] = []
    for column in table.columns:
        if column.type.name == "rowversion" or (column.identity is not None and column.column_id not in given):
            continue
        bound = given.get(column.column_id)
        if bound is None:
            value = default_of(statement, column)
        elif incoming.null_means_default and column.default is not None:
            fallback = assigned(default_of(statement, column), column)
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
    statement.run(f"CREATE OR REPLACE TEMP TABLE stage AS SELECT {selection} FROM ({incoming.sql}) AS i")
    count = int(statement.scalar("SELECT count(*) FROM temp.main.stage"))
    if count:
        check_staged(statement, database, table, staged, "INSERT")
        check_insert(statement, database, table, staged)
        final = {c.column_id: finished(b, c) for c, b in staged}
        for column in table.columns:
            if column.type.name == "rowversion":
                first = store.take_rowversions(database.database_id, count, session.spid)
                final[column.column_id] = rowversion_sql(first)
                store.record_counter(session.connection, database.database_id, ROWVERSION)
            elif column.column_id not in final:
                final[column.column_id] = _identity(runner, database, table, column, count)
        names = ", ".join(c.physical for c in table.columns)
        values = ", ".join(final[c.column_id] for c in table.columns)
        statement.run(f"INSERT INTO {database.alias}.main.{table.physical} ({names}) SELECT {values} FROM {STAGE}")
        if incoming.keep_identity:
            _raise_identity(runner, statement, database, table)
    statement.run("DROP TABLE temp.main.stage")
    return count


def finished(bound: Bound, column: TableColumn) -> str:
    """The staged value cut or padded to the column, after the checks."""
    return convert(bound, column.type, explicit=True).sql


def rowversion_sql(first: int) -> str:
    return f"unhex(lpad(hex({first} - 1 + row_number() OVER ()), 16, '0'))"


def identity_counter(table: Table) -> str:
    return f"identity:{table.object_id}"


def _identity(runner: BatchRunner, database: Database, table: Table, column: TableColumn, count: int) -> str:
    seed, increment = column.identity or (1, 1)
    store = runner.session.store
    first = store.take(database.database_id, identity_counter(table), count, seed, increment)
    store.record_counter(runner.session.connection, database.database_id, identity_counter(table))
    runner.session.last_identity = first + increment * (count - 1)
    number = Bound(
        f"({first} + {increment} * (row_number() OVER () - 1))",
        replace(column.type, name="bigint", precision=0, scale=0),
    )
    return convert(number, column.type).sql


def _raise_identity(runner: BatchRunner, statement: Statement, database: Database, table: Table) -> None:
    """Explicit identity values move the counter on when they are past it."""
    column = next(c for c in table.columns if c.identity is not None)
    seed, increment = column.identity or (1, 1)
    extreme = statement.scalar(f"SELECT {'max' if increment > 0 else 'min'}({column.physical}) FROM {STAGE}")
    store = runner.session.store
    store.push_counter(database.database_id, identity_counter(table), int(extreme), increment, seed)
    store.record_counter(runner.session.connection, database.database_id, identity_counter(table))


# ---- INSERT BULK -------------------------------------------------------------------------------------------------
def start_bulk(runner: BatchRunner, node: s.InsertBulk) -> Iterator[Outcome]:
    """Accept the announcement: the rows come in the client's next message."""
    statement = runner.statement()
    database, table = resolve_table(statement.context, node.target)
    columns = []
    for spec in node.columns:
        column = table.column(spec.name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{spec.name}'.", line=node.line)
        declared = resolve(spec.type, collation=spec.collation or column.type.collation or database.collation)
        columns.append(Column(column.name, declared, column.nullable, column.identity is not None))
    schema = database.schema_by_id(table.schema_id).name
    yield BulkStart(BulkTarget(schema, table.name, tuple(columns), node.options))

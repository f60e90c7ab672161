"""INSERT … VALUES, SELECT, DEFAULT VALUES."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.execution.commands import INSERT
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.assignment import default_of
from sqlserver_sandbox.engine.rows.computed import check_settable
from sqlserver_sandbox.engine.rows.insertion import IncomingRows, insert_rows
from sqlserver_sandbox.engine.rows.target import lock_for_writing, read_for_writing
from sqlserver_sandbox.model import Outcome, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn


def run_insert(execution: Execution, node: s.Insert) -> Iterator[Outcome]:
    database, table = lock_for_writing(execution, node.target)
    explicit = execution.session.identity_insert == (database.database_id, table.object_id)
    columns = target_columns(table, node, explicit_identity=explicit)
    incoming = replace(_incoming(execution, node, table, columns), keep_identity=explicit)
    read_for_writing(execution)
    count = insert_rows(execution, database, table, incoming)
    yield execution.rows_affected(count, INSERT)


def target_columns(table: Table, node: s.Insert, *, explicit_identity: bool) -> tuple[TableColumn, ...]:
    """The columns an INSERT names, or all that take values. Raises 207, 264, 544, 545, 8101.

    `explicit_identity`: IDENTITY_INSERT is ON for the table.
    """
    if explicit_identity and not node.columns:
        raise SqlError(
            8101,
            f"An explicit value for the identity column in table '{table.name}' can only be specified when a column list is used"
            " and IDENTITY_INSERT is ON.",
            line=node.line,
        )
    if not node.columns:
        return tuple(c for c in table.columns if c.identity is None and not c.computed)
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
        check_settable(column, node.line)
        if column.identity is not None and not explicit_identity:
            raise SqlError(
                544,
                f"Cannot insert explicit value for identity column in table '{table.name}' when IDENTITY_INSERT is set to OFF.",
            )
        found.append(column)
    if explicit_identity and not any(c.identity is not None for c in found):
        raise SqlError(
            545,
            f"Explicit value must be specified for identity column in table '{table.name}' either when IDENTITY_INSERT is set to"
            " ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.",
            line=node.line,
        )
    return tuple(found)


def _incoming(execution: Execution, node: s.Insert, table: Table, columns: tuple[TableColumn, ...]) -> IncomingRows:
    if node.default_values:
        return IncomingRows("SELECT 1", (), ())
    if node.query is not None:
        bound = execution.queries.query(node.query, top_level=True)
        _check_count(node, len(columns), len(bound.columns), is_values=False)
        return IncomingRows(bound.sql, _settable(bound.columns, columns, table), columns)
    return _values(execution, node, columns)


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


def _values(execution: Execution, node: s.Insert, columns: tuple[TableColumn, ...]) -> IncomingRows:
    """VALUES: each column's rows meet in one type first, as SQL Server has it, then go to the column."""
    binder = execution.queries.binder(Scope())
    table: list[list[Bound]] = []
    for given in node.rows:
        _check_count(node, len(columns), len(given), is_values=True)
        bound_row = []
        for value, column in zip(given, columns, strict=True):
            if isinstance(value, s.Default):
                bound_row.append(default_of(execution, column))
            elif column.type.name == "rowversion":
                _settable((), (column,), Table(0, 0, "", (), (), "", ""))
            else:
                bound_row.append(binder.bind(value))
        table.append(bound_row)
    kept = [i for i, c in enumerate(columns) if c.type.name != "rowversion"]
    rows = [[row[i] for i in kept] for row in _without_rowversions(table, columns)]
    if len(rows) == 1:
        return IncomingRows("SELECT 1", tuple(rows[0]), tuple(columns[i] for i in kept))
    types = [_row_type(column) for column in zip(*rows, strict=True)]
    texts = []
    for row in rows:
        cells = [convert(v, t.type, explicit=False) for v, t in zip(row, types, strict=True)]
        texts.append("(" + ", ".join(c.sql for c in cells) + ")")
    if not types:
        return IncomingRows(" UNION ALL ".join(["SELECT 1"] * len(rows)), (), ())
    names = ", ".join(f"c{i}" for i in range(1, len(types) + 1))
    bounds = tuple(replace(t, sql=f"c{i}") for i, t in enumerate(types, 1))
    return IncomingRows(
        f"SELECT * FROM (VALUES {', '.join(texts)}) AS v({names})", bounds, tuple(columns[i] for i in kept)
    )


def _without_rowversions(table: list[list[Bound]], columns: tuple[TableColumn, ...]) -> list[list[Bound]]:
    """A DEFAULT for a rowversion column becomes a NULL, which is never stored."""
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

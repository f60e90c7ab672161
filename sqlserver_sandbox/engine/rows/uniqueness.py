"""PRIMARY KEY and UNIQUE: looked up before rows change, under the columns' own collations; NULL counts as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.constraints import bind_condition
from sqlserver_sandbox.model import MAX, SqlError
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.comparison import equality_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.catalogue import Database, Index, Table, TableColumn
from sqlserver_sandbox.tsql.types import BINARIES
from sqlserver_sandbox.tsql.values.convert import family


def unique_indexes(table: Table) -> list[Index]:
    """Those that are enforced."""
    return [i for i in table.indexes if i.unique and not i.is_disabled]


def index_columns(table: Table, index: Index) -> set[int]:
    """The columns that decide whether a row repeats: the keys, and those that the filter of the index mentions."""
    text = (index.filter_text or "").lower()
    mentioned = {c.column_id for c in table.columns if f"[{c.name.replace(']', ']]')}]".lower() in text}
    return mentioned | {k.column_id for k in index.key_columns}


def _filter(execution: Execution, database: Database, table: Table, index: Index, alias: str) -> str:
    """The rows that the index holds, as a DuckDB condition."""
    if index.filter_text is None:
        return "true"
    return bind_condition(execution, database, table, index.filter_text, alias)


def check_insert(
    execution: Execution, database: Database, table: Table, staged: Sequence[tuple[TableColumn, Bound]]
) -> None:
    """Staged rows against one another and against the table. Raises 2627 or 2601."""
    by_id = {c.column_id: b for c, b in staged}
    for index in unique_indexes(table):
        columns = [table.column_by_id(k.column_id) for k in index.key_columns]
        if any(c.column_id not in by_id for c in columns):
            # An identity or rowversion column, filled with new values, cannot repeat.
            continue
        _check(execution, database, table, index, columns, exclude="")


def check_update(execution: Execution, database: Database, table: Table, changed: set[int]) -> None:
    """The stage holds every key column's new value and `rid`, the row it replaces."""
    for index in unique_indexes(table):
        if changed & index_columns(table, index):
            columns = [table.column_by_id(k.column_id) for k in index.key_columns]
            _check(
                execution,
                database,
                table,
                index,
                columns,
                exclude=" AND t.rowid NOT IN (SELECT rid FROM temp.main.stage)",
            )


def check_existing(execution: Execution, database: Database, table: Table, index: Index) -> None:
    """Rows already there, when a unique index is made. Raises 1505."""
    columns = [table.column_by_id(k.column_id) for k in index.key_columns]
    keys, shown = _keys(columns, "t")
    found = execution.fetch(
        f"SELECT {', '.join(f'any_value({s})' for s in shown)} FROM {database.alias}.main.{table.physical} AS t"
        f" WHERE {_filter(execution, database, table, index, 't')} GROUP BY {', '.join(keys)} HAVING count(*) > 1 LIMIT 1"
    )
    if found:
        raise SqlError(
            1505,
            f"The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name"
            f" '{database.full_name(table)}' and the index name '{index.name}'. The duplicate key value is {_shown(found[0])}.",
        )


def _keys(columns: Sequence[TableColumn], alias: str) -> tuple[list[str], list[str]]:
    """Comparison keys, and the values as error messages show them."""
    bounds = [
        Bound(f"{alias}.{c.physical}", replace(c.type, length=c.type.length), True, label="implicit") for c in columns
    ]
    return [equality_key(b) for b in bounds], [_text(b) for b in bounds]


def _text(bound: Bound) -> str:
    style = 1 if bound.type.name in BINARIES else None
    target = nvarchar(MAX)
    return convert(bound, target, style=style).sql if family(bound.type) != "text" else bound.sql


def _check(
    execution: Execution,
    database: Database,
    table: Table,
    index: Index,
    columns: Sequence[TableColumn],
    *,
    exclude: str,
) -> None:
    mine, shown = _keys(columns, "n")
    theirs, _ = _keys(columns, "t")
    held = _filter(execution, database, table, index, "n")
    repeated = execution.fetch(
        f"SELECT {', '.join(f'any_value({s})' for s in shown)} FROM temp.main.stage AS n"
        f" WHERE {held} GROUP BY {', '.join(mine)} HAVING count(*) > 1 LIMIT 1"
    )
    if not repeated:
        match = " AND ".join(f"n.k{i} IS NOT DISTINCT FROM t.k{i}" for i in range(len(mine)))
        new = ", ".join([*(f"{k} AS k{i}" for i, k in enumerate(mine)), *(f"{s} AS s{i}" for i, s in enumerate(shown))])
        old = ", ".join(f"{k} AS k{i}" for i, k in enumerate(theirs))
        repeated = execution.fetch(
            f"SELECT {', '.join(f's{i}' for i in range(len(shown)))}"
            f" FROM (SELECT {new} FROM temp.main.stage AS n WHERE {held}) AS n"
            f" JOIN (SELECT {old} FROM {database.alias}.main.{table.physical} AS t"
            f" WHERE {_filter(execution, database, table, index, 't')}{exclude}) AS t ON {match} LIMIT 1"
        )
    if repeated:
        raise duplicate(database, table, index, _shown(repeated[0]))


def _shown(values: Sequence[object]) -> str:
    return "(" + ", ".join("<NULL>" if v is None else str(v) for v in values) + ")"


def duplicate(database: Database, table: Table, index: Index, values: str) -> SqlError:
    name = database.full_name(table)
    if index.key_kind:
        kind = "PRIMARY KEY" if index.key_kind == "PK" else "UNIQUE KEY"
        return SqlError(
            2627,
            f"Violation of {kind} constraint '{index.name}'. Cannot insert duplicate key"
            f" in object '{name}'. The duplicate key value is"
            f" {values}.",
            class_=14,
        )
    return SqlError(
        2601,
        f"Cannot insert duplicate key row in object '{name}' with unique index"
        f" '{index.name}'. The duplicate key value is {values}.",
        class_=14,
    )

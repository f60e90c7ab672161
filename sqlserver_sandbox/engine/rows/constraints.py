"""CHECK and FOREIGN KEY constraints: looked at before rows change, over the rows as they will be stored (547)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.comparison import equality_key
from sqlserver_sandbox.tsql.bind.scope import Scope, ScopeSource
from sqlserver_sandbox.tsql.bind.sources import table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.constraints import Check, ForeignKey
from sqlserver_sandbox.tsql.parse.parts import parse_single_condition
from sqlserver_sandbox.tsql.refusal import refused

FINAL = "temp.main.final_rows"
"""The rows as they will be stored, with the table's own column names in DuckDB."""


def bind_condition(execution: Execution, database: Database, table: Table, text: str, alias: str) -> str:
    """A CHECK's or filter's text as a DuckDB condition on the table under an alias. Raises 207 and its kin."""
    source = ScopeSource(
        table.name, table_columns(table, alias), database.schema_by_id(table.schema_id).name, database.name
    )
    return execution.queries.binder(Scope((source,))).condition(parse_single_condition(text))


def enabled_checks(table: Table) -> tuple[Check, ...]:
    return tuple(c for c in table.checks if not c.is_disabled)


def enabled_foreign_keys(table: Table) -> tuple[ForeignKey, ...]:
    return tuple(f for f in table.foreign_keys if not f.is_disabled)


def check_rows(
    execution: Execution,
    database: Database,
    table: Table,
    relation: str,
    verb: str,
    checks: Iterable[Check],
    foreign_keys: Iterable[ForeignKey],
) -> None:
    """547 when a row of `relation` breaks one of the constraints; a condition that is unknown is not broken."""
    for check in checks:
        condition = bind_condition(execution, database, table, check.text, "n")
        if execution.scalar(f"SELECT coalesce(bool_or(NOT {condition}), false) FROM {relation} AS n"):
            column = table.column_by_id(check.column_id).name if check.column_id else ""
            raise _conflict(database, table, verb, "CHECK", check.name, column)
    for key in foreign_keys:
        _check_parents(execution, database, table, relation, verb, key)


def _check_parents(
    execution: Execution, database: Database, table: Table, relation: str, verb: str, key: ForeignKey
) -> None:
    parent = referenced_table(database, key)
    mine, theirs = _keys(table, key.columns, "n"), _keys(parent, key.referenced_columns, "p")
    match = " AND ".join(f"{a} = {b}" for a, b in zip(mine, theirs, strict=True))
    given = " AND ".join(f"n.{table.column_by_id(i).physical} IS NOT NULL" for i in key.columns)
    physical = _read(execution, database, parent)
    among = ""
    if parent.object_id == table.object_id and relation == FINAL:
        # A row may reference another that comes with it.
        among = f" AND NOT EXISTS (SELECT 1 FROM {FINAL} AS p WHERE {match})"
    if execution.scalar(
        f"SELECT count(*) FROM (SELECT 1 FROM {relation} AS n WHERE {given}"
        f" AND NOT EXISTS (SELECT 1 FROM {physical} AS p WHERE {match}){among} LIMIT 1) AS r"
    ):
        column = parent.column_by_id(key.referenced_columns[0]).name if len(key.columns) == 1 else ""
        raise _conflict(database, parent, verb, "FOREIGN KEY", key.name, column)


def check_no_children(
    execution: Execution, database: Database, table: Table, gone: str, verb: str, changed: frozenset[int] | None = None
) -> None:
    """547 when a row that goes is referenced. `gone` has the table's columns.

    `changed` are the columns that an UPDATE changes; the rows as it will store them are in `FINAL`, and may have the same keys.
    """
    for child in database.tables:
        for key in enabled_foreign_keys(child):
            if key.referenced_object_id != table.object_id:
                continue
            if changed is not None and not changed & set(key.referenced_columns):
                continue
            if child.object_id == table.object_id:
                raise refused(f"{verb} of a table that references itself (constraint '{key.name}')")
            mine, theirs = _keys(table, key.referenced_columns, "g"), _keys(child, key.columns, "c")
            match = " AND ".join(f"{a} = {b}" for a, b in zip(mine, theirs, strict=True))
            physical = _read(execution, database, child)
            returns = ""
            if changed is not None:
                new = " AND ".join(
                    f"{a} = {b}" for a, b in zip(_keys(table, key.referenced_columns, "f"), mine, strict=True)
                )
                returns = f" WHERE NOT EXISTS (SELECT 1 FROM {FINAL} AS f WHERE {new})"
            if execution.scalar(f"SELECT count(*) FROM {gone} AS g JOIN {physical} AS c ON {match}{returns}"):
                column = child.column_by_id(key.columns[0]).name if len(key.columns) == 1 else ""
                raise _conflict(database, child, verb, "REFERENCE", key.name, column)


def is_referenced(database: Database, table: Table) -> bool:
    """Whether an enabled foreign key references the table."""
    return any(f.referenced_object_id == table.object_id for t in database.tables for f in enabled_foreign_keys(t))


def _read(execution: Execution, database: Database, table: Table) -> str:
    """The other table, in the snapshot in which rows change; the refusal when it is too old."""
    execution.context.read.add((database.database_id, table.object_id))  # a constraint asks for no permission to read
    if execution.transaction.wants_fresh_view({(database.database_id, table.object_id)}):
        raise refused(
            f"checking a foreign key against '{table.name}', which another session changed after this transaction wrote; commit"
            " first"
        )
    return f"{database.alias}.main.{table.physical}"


def referenced_table(database: Database, key: ForeignKey) -> Table:
    found = database.table_by_id(key.referenced_object_id)
    if found is None:
        raise AssertionError(f"the foreign key {key.name} references a table that is gone")
    return found


def _keys(table: Table, columns: tuple[int, ...], alias: str) -> list[str]:
    found = (table.column_by_id(i) for i in columns)
    return [equality_key(Bound(f"{alias}.{c.physical}", c.type, True, label="implicit")) for c in found]


def _conflict(database: Database, table: Table, verb: str, kind: str, name: str, column: str) -> SqlError:
    where = f", column '{column}'" if column else ""
    return SqlError(
        547,
        f'The {verb} statement conflicted with the {kind} constraint "{name}". The conflict occurred in database'
        f' "{database.name}", table "{database.full_name(table)}"{where}.',
        state=0,
    )

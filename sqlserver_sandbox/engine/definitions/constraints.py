"""Constraints of a table: CHECK and FOREIGN KEY made and looked up; keys and defaults found by name."""

from __future__ import annotations

from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import take_object_id
from sqlserver_sandbox.engine.definitions.indexes import without_index
from sqlserver_sandbox.engine.definitions.names import check_constraint_name, system_name
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.constraints import bind_condition
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Database, Index, Table
from sqlserver_sandbox.tsql.constraints import Check, ForeignKey
from sqlserver_sandbox.tsql.definition import definition
from sqlserver_sandbox.tsql.refusal import refused


def new_check(
    execution: Execution, database: Database, table: Table, spec: s.CheckSpec, *, is_trusted: bool
) -> tuple[Check, Database]:
    """The constraint, bound once so that a condition that cannot be is an error now."""
    text = definition(spec.condition)
    bind_condition(execution, database, table, text, "n")
    object_id, database = take_object_id(database)
    name = spec.name or system_name("CK", f"{table.name[:9]}__{spec.column[:5]}", object_id)
    check_constraint_name(database, table, name)
    column = table.column(spec.column) if spec.column else None
    return Check(
        object_id, name, text, column.column_id if column else 0, is_trusted, is_system_named=spec.name is None
    ), database


def new_foreign_key(
    database: Database, table: Table, spec: s.ForeignKeySpec, *, is_trusted: bool
) -> tuple[ForeignKey, Database]:
    """The constraint. Raises 1767, 1769, 1770, 1776, 1778, 8139."""
    parent = table if spec.referenced.name.lower() == table.name.lower() else None
    parent = database.table(spec.referenced.schema, spec.referenced.name) or parent
    shown = spec.name or "FK"
    if parent is None:
        raise SqlError(1767, f"Foreign key '{shown}' references invalid table '{spec.referenced}'.")
    mine = _column_ids(table, spec.columns, 1769, "referencing", shown)
    index = _referenced_index(parent, spec, shown)
    theirs = _column_ids(parent, spec.referenced_columns, 1770, "referenced", shown) or tuple(
        k.column_id for k in index.key_columns
    )
    if len(mine) != len(theirs):
        raise SqlError(
            8139,
            f"Number of referencing columns in foreign key differs from number of referenced columns, table '{table.name}'.",
        )
    for own, other in zip(mine, theirs, strict=True):
        a, b = table.column_by_id(own), parent.column_by_id(other)
        if replace(a.type, collation=None) != replace(b.type, collation=None):
            raise SqlError(
                1778,
                f"Column '{parent.name}.{b.name}' is not the same data type as referencing column '{table.name}.{a.name}' in"
                f" foreign key '{shown}'.",
            )
    object_id, database = take_object_id(database)
    name = spec.name or system_name("FK", f"{table.name[:9]}__{spec.columns[0][:5]}", object_id)
    check_constraint_name(database, table, name)
    return ForeignKey(
        object_id, name, mine, parent.object_id, theirs, index.index_id, is_trusted, is_system_named=spec.name is None
    ), database


def _column_ids(table: Table, names: tuple[str, ...], number: int, which: str, key: str) -> tuple[int, ...]:
    found = []
    for name in names:
        column = table.column(name)
        if column is None:
            raise SqlError(
                number,
                f"Foreign key '{key}' references invalid column '{name}' in {which} table '{table.name}'.",
            )
        found.append(column.column_id)
    return tuple(found)


def _referenced_index(parent: Table, spec: s.ForeignKeySpec, shown: str) -> Index:
    names = [n.lower() for n in spec.referenced_columns]
    for index in parent.indexes:
        keys = [parent.column_by_id(k.column_id).name.lower() for k in index.key_columns]
        if not names and index.key_kind == "PK":
            return index
        if names and index.unique and index.filter_text is None and sorted(keys) == sorted(names):
            return index
    raise SqlError(
        1776 if names else 1773,
        f"There are no primary or candidate keys in the referenced table '{parent.name}' that match the referencing column list"
        f" in the foreign key '{shown}'.",
    )


def with_constraint(table: Table, changed: Check | ForeignKey) -> Table:
    """The table with a constraint added, or replaced by one with the same object id."""
    if isinstance(changed, Check):
        others = tuple(c for c in table.checks if c.object_id != changed.object_id)
        return replace(table, checks=tuple(sorted((*others, changed), key=lambda c: c.object_id)))
    kept = tuple(f for f in table.foreign_keys if f.object_id != changed.object_id)
    return replace(table, foreign_keys=tuple(sorted((*kept, changed), key=lambda f: f.object_id)))


def without_constraint(database: Database, table: Table, name: str, *, if_exists: bool) -> Table:
    """The table after DROP CONSTRAINT. Raises 3728 when it has none of that name, 3725 for a key that is referenced."""
    for index in table.indexes:
        if index.key_kind and (index.name or "").lower() == name.lower():
            _check_unreferenced(database, table, index)
            return without_index(table, index)
    for column in table.columns:
        if column.default is not None and column.default.name.lower() == name.lower():
            kept = tuple(replace(c, default=None) if c.column_id == column.column_id else c for c in table.columns)
            return replace(table, columns=kept)
    checks = tuple(c for c in table.checks if c.name.lower() != name.lower())
    keys = tuple(f for f in table.foreign_keys if f.name.lower() != name.lower())
    if len(checks) < len(table.checks) or len(keys) < len(table.foreign_keys):
        return replace(table, checks=checks, foreign_keys=keys)
    if if_exists:
        return table
    raise SqlError(3728, f"'{name}' is not a constraint.")


def _check_unreferenced(database: Database, table: Table, index: Index) -> None:
    for other in database.tables:
        for key in other.foreign_keys:
            if key.referenced_object_id == table.object_id and key.key_index_id == index.index_id:
                raise SqlError(
                    3725,
                    f"The constraint '{index.name}' is being referenced by table '{other.name}', foreign key constraint"
                    f" '{key.name}'.",
                )


def constraint_named(table: Table, name: str) -> Check | ForeignKey:
    """A CHECK or FOREIGN KEY by name. Raises 4917."""
    for constraint in table.constraints:
        if constraint.name.lower() == name.lower():
            return constraint
    if any(i.key_kind and (i.name or "").lower() == name.lower() for i in table.indexes):
        raise refused(f"CHECK or NOCHECK of the key '{name}'")
    raise SqlError(4917, f"Constraint '{name}' does not exist.")


def has_trusted(table: Table) -> bool:
    """Whether a load that skips constraints would leave one of them untrusted."""
    return any(c.is_trusted and not c.is_disabled for c in table.constraints)


def untrusted(table: Table) -> Table:
    """The table after such a load (SQL Server docs: BULK INSERT, CHECK_CONSTRAINTS)."""
    return replace(
        table,
        checks=tuple(c if c.is_disabled else replace(c, is_trusted=False) for c in table.checks),
        foreign_keys=tuple(f if f.is_disabled else replace(f, is_trusted=False) for f in table.foreign_keys),
    )

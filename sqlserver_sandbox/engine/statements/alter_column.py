"""ALTER TABLE … ALTER COLUMN: a column gets a wider type, or admits NULL, where nothing depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import save, table_to_alter
from sqlserver_sandbox.engine.definitions.columns import column_of
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import MAX, Outcome, RowsAffected, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Database, Index, Table, TableColumn
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import DECIMALS, INTEGERS, STRINGS, duck_type

_LENGTHENED = ("varchar", "nvarchar", "varbinary")


def alter_column(execution: Execution, node: s.AlterTableAlterColumn) -> Iterator[Outcome]:
    """Another type or nullability. What depends on the column is named by errors 5074, and 4922 ends the statement (ALTER
    TABLE docs: ALTER COLUMN)."""
    database, table = table_to_alter(execution, node.name)
    before = table.column(node.column.name)
    if before is None:
        raise SqlError(
            4924,
            f"ALTER TABLE ALTER COLUMN failed because column '{node.column.name}' does not exist in table '{table.name}'.",
            line=node.line,
        )
    declared, _ = column_of(execution, database, table.name, node.column, before.column_id)
    after = replace(before, type=_with_collation(declared.type, before, node), nullable=declared.nullable)
    _check_allowed(table, before, after, node.line)
    dependents = [*_dependents(database, table, before, after)]
    for kind, name in dependents if execution.try_level is None else ():  # a CATCH gets the last error alone
        yield SqlError(5074, f"The {kind} '{name}' is dependent on column '{before.name}'.", line=node.line)
    if dependents:
        raise SqlError(
            4922,
            f"ALTER TABLE ALTER COLUMN {before.name} failed because one or more objects access this column.",
            state=9,
            line=node.line,
        )
    physical = f"{database.alias}.main.{table.physical}"
    if not after.nullable and execution.scalar(f"SELECT count(*) FROM {physical} WHERE {before.physical} IS NULL"):
        raise SqlError(
            515,
            f"Cannot insert the value NULL into column '{before.name}', table '{table.name}'; column does not allow nulls."
            " UPDATE fails.",
        )
    if duck_type(before.type) != duck_type(after.type):
        execution.run(f"ALTER TABLE {physical} ALTER COLUMN {before.physical} SET DATA TYPE {duck_type(after.type)}")
    columns = tuple(after if column is before else column for column in table.columns)
    save(execution, database.with_table(replace(table, columns=columns, modified=now_text())))
    yield RowsAffected(None, DDL)


def _with_collation(declared: SqlType, before: TableColumn, node: s.AlterTableAlterColumn) -> SqlType:
    """Without COLLATE a column of characters gets the database's default, as a new one does."""
    if node.column.collation is not None and before.type.collation not in (None, declared.collation):
        raise refused("ALTER COLUMN with another collation", line=node.line)
    return declared


def _check_allowed(table: Table, before: TableColumn, after: TableColumn, line: int) -> None:
    """Raises 4928, 8147, and the refusal of what the sandbox does not convert."""
    if before.computed or before.type.name == "rowversion":
        kind = "COMPUTED" if before.computed else "timestamp"
        raise SqlError(4928, f"Cannot alter column '{before.name}' because it is '{kind}'.", line=line)
    if before.identity is not None and after.nullable:
        raise SqlError(
            8147, f"Could not create IDENTITY attribute on nullable column '{before.name}', table '{table.name}'."
        )
    if _same_type(before.type, after.type):
        return
    if any(column.partition_ordinal for index in table.indexes for column in index.columns):
        raise refused("ALTER COLUMN with another type on a partitioned table", line=line)
    if not _is_wider(before.type, after.type):
        raise refused(f"ALTER COLUMN from {before.type.name} to {after.type.name}", line=line)


def _same_type(before: SqlType, after: SqlType) -> bool:
    return (before.name, before.length, before.precision, before.scale) == (
        after.name,
        after.length,
        after.precision,
        after.scale,
    )


def _is_wider(before: SqlType, after: SqlType) -> bool:
    """Of the same family, with room for every value of before."""
    if before.name in INTEGERS and after.name in INTEGERS:
        return INTEGERS.index(after.name) >= INTEGERS.index(before.name)
    if before.name in (*INTEGERS, *DECIMALS) and after.name in DECIMALS:
        digits = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
        whole = digits.get(before.name, before.precision - before.scale)
        return after.precision - after.scale >= whole and after.scale >= before.scale
    longer = after.length == MAX or (before.length != MAX and after.length >= before.length)
    same = before.name == after.name or (before.name in STRINGS and after.name in ("nvarchar", "nchar"))
    return same and longer and after.scale >= before.scale


def _dependents(database: Database, table: Table, before: TableColumn, after: TableColumn) -> Iterator[tuple[str, str]]:
    """Kind and name of each object that forbids the change. For NULL instead of NOT NULL the reference lists the same objects,
    without those of CREATE STATISTICS; a server was seen to allow it under an index that belongs to no constraint
    (https://dba.stackexchange.com/questions/27262), so that is allowed here as well."""
    is_relaxed = _same_type(before.type, after.type)
    if is_relaxed and not (after.nullable and not before.nullable):
        return
    is_text = before.type.name == after.type.name and after.type.name in _LENGTHENED
    is_lengthened = is_text and (is_relaxed or after.type.length != MAX)
    mentioned = f"[{before.name.replace(']', ']]')}]".lower()
    for index in _indexes_on(table, before):
        if index.key_kind == "PK" or not (is_lengthened or (is_relaxed and not index.key_kind)):
            yield "object" if index.key_kind else "index", str(index.name)
    yield from (("column", c.name) for c in table.columns if mentioned in c.computed.lower())
    if not is_lengthened:
        yield from (
            ("object", check.name)
            for check in table.checks
            if check.column_id == before.column_id or mentioned in check.text.lower()
        )
    if before.default is not None and before.type.name != after.type.name:
        yield "object", before.default.name
    yield from (("object", key.name) for key in table.foreign_keys if before.column_id in key.columns)
    yield from (
        ("object", key.name)
        for other in database.tables
        for key in other.foreign_keys
        if key.referenced_object_id == table.object_id and before.column_id in key.referenced_columns
    )


def _indexes_on(table: Table, column: TableColumn) -> Iterator[Index]:
    return (
        index
        for index in table.indexes
        if index.index_id and any(one.column_id == column.column_id for one in index.columns)
    )

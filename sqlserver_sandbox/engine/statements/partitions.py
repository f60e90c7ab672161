"""Partition functions and schemes: boundaries sorted by the server's rules, SPLIT, MERGE, NEXT USED."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue
from sqlserver_sandbox.engine.execution.execution import Statement
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import MAX, Info, Outcome, RowsAffected, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.comparison import equality_key, order_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Database, PartitionFunction, PartitionScheme, Table
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import LOB, STRINGS, describe, resolve
from sqlserver_sandbox.tsql.values.storage import decode_value, encode_value

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.batch import BatchRunner

DDL = 0xC6
MAX_PARTITIONS = 15_000


def create_function(runner: BatchRunner, node: s.CreatePartitionFunction) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    if database.function(node.name) is not None:
        raise SqlError(7712, f"Partition function '{node.name}' already exists in the database.", line=node.line)
    declared = resolve(node.type, collation=collation(node.collation).name if node.collation else database.collation)
    if declared.name in (*LOB, "rowversion") or declared.length == MAX:
        raise SqlError(7704, f"The type '{describe(declared)}' is not valid for this operation.", line=node.line)
    if len(node.values) >= MAX_PARTITIONS:
        raise SqlError(
            7719,
            f"CREATE/ALTER partition function failed as only a maximum of {MAX_PARTITIONS} partitions can be created.",
            line=node.line,
        )
    values = [_boundary(statement, declared, value) for value in node.values]
    ordered = _sorted(statement, declared, values)
    function = PartitionFunction(
        database.next_space_id - 65_601 + 65_536,
        node.name,
        declared,
        node.right,
        tuple(encode_value(v) for v in ordered),
        now_text(),
    )
    if ordered != values:
        yield Info(
            7709,
            f"Warning: Range value list for partition function '{node.name}' is not"
            " sorted by value. Mapping of partitions to filegroups"
            " during CREATE PARTITION SCHEME will use the sorted boundary values if the"
            " function is referenced in CREATE PARTITION SCHEME.",
        )
    _save(
        runner,
        statement,
        replace(database, functions=(*database.functions, function), next_space_id=database.next_space_id + 1),
    )
    yield RowsAffected(None, DDL)


def _save(runner: BatchRunner, statement: Statement, database: Database) -> None:
    store = runner.session.store
    store.write_catalogue(statement.connection, replace(database, version=store.next_version()))


def _boundary(statement: Statement, declared: SqlType, node: s.Expression) -> Any:
    """A boundary as the function's type stores it."""
    bound = convert(statement.queries.binder(Scope()).bind(node), declared, explicit=False)
    if bound.error is not None:
        raise SqlError(
            7705,
            "Could not implicitly convert range values type specified at ordinal 1 to"
            f" partition function parameter type '{declared.name}'.",
        ) from bound.error
    if bound.constant is None:
        raise refused("partition boundaries that are not constants")
    value = bound.constant.value
    if isinstance(value, str) and declared.name == "varchar":
        return value.rstrip(" ")
    if isinstance(value, bytes) and declared.name == "varbinary":
        return value.rstrip(b"\0")
    return value


def _sorted(statement: Statement, declared: SqlType, values: list[Any]) -> list[Any]:
    """In the server's order, NULL first. Raises 7708 for duplicates."""
    if not values:
        return []
    bounds = [constant(v, declared) for v in values]
    rows = " UNION ALL ".join(f"SELECT {i} AS n, {_keys(b)}" for i, b in enumerate(bounds))
    found = statement.fetch(f"SELECT n, e FROM ({rows}) AS b ORDER BY o NULLS FIRST, n")
    for before, after in itertools.pairwise(found):
        if before[1] == after[1]:
            raise SqlError(
                7708,
                "Duplicate values are not allowed in partition function boundary values"
                " list. Partition boundary values at ordinal"
                f" {before[0] + 1} and {after[0] + 1} are equal.",
            )
    return [values[n] for n, _ in found]


def _keys(bound: Bound) -> str:
    if bound.constant is not None and bound.constant.value is None:
        return f"{order_key(Bound(bound.sql, bound.type))} AS o, {equality_key(Bound(bound.sql, bound.type))} AS e"
    return f"{order_key(bound)} AS o, {equality_key(bound)} AS e"


def create_scheme(runner: BatchRunner, node: s.CreatePartitionScheme) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    if database.scheme(node.name) is not None:
        raise SqlError(2714, f"There is already an object named '{node.name}' in the database.", line=node.line)
    function = database.function(node.function)
    if function is None:
        raise SqlError(208, f"Invalid object name '{node.function}'.", line=node.line)
    for group in node.filegroups:
        _check_filegroup(group)
    extra = False
    if node.all_to and len(node.filegroups) > 1:
        raise SqlError(
            7711,
            "Only a single filegroup can be specified while creating partition scheme"
            " using option ALL to specify all the filegroups.",
        )
    if not node.all_to:
        if len(node.filegroups) < function.fanout:
            raise SqlError(
                7707,
                f"The associated partition function '{function.name}' generates more"
                " partitions than there are file groups mentioned in the"
                f" scheme '{node.name}'.",
            )
        extra = len(node.filegroups) > function.fanout
    # A filegroup beyond the last partition, or ALL TO, is NEXT USED.
    scheme = PartitionScheme(database.next_space_id, node.name, function.function_id, node.all_to or extra)
    _save(
        runner,
        statement,
        replace(database, schemes=(*database.schemes, scheme), next_space_id=database.next_space_id + 1),
    )
    yield RowsAffected(None, DDL)


def _check_filegroup(name: str) -> None:
    if name.upper() != "PRIMARY":
        raise SqlError(208, f"Invalid object name '{name}'.")


def alter_function(runner: BatchRunner, node: s.AlterPartitionFunction) -> Iterator[Outcome]:
    """SPLIT needs NEXT USED on every scheme (7710) and a new value (7721); MERGE an existing one (7715)."""
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    function = database.function(node.name)
    if function is None:
        raise SqlError(208, f"Invalid object name '{node.name}'.", line=node.line)
    values = [decode_value(b, function.type) for b in function.boundaries]
    value = _boundary(statement, function.type, node.value)
    keys = [_equality(statement, function.type, v) for v in values]
    key = _equality(statement, function.type, value)
    schemes = [x for x in database.schemes if x.function_id == function.function_id]
    if node.split:
        if key in keys:
            raise SqlError(
                7721,
                "Duplicate range boundary values are not allowed in partition function"
                " boundary values list. The boundary value being added is already"
                f" present at ordinal {keys.index(key) + 1} of the boundary value list.",
                line=node.line,
            )
        without = next((x for x in schemes if not x.next_used), None)
        if without is not None:
            raise SqlError(
                7710,
                f"Warning: The partition scheme '{without.name}' does not have any next"
                " used filegroup. Partition scheme has not been changed.",
                line=node.line,
            )
        values = _sorted(statement, function.type, [*values, value])
    else:
        if key not in keys:
            raise SqlError(7715, "The specified partition range value could not be found.", line=node.line)
        del values[keys.index(key)]
    changed = replace(function, boundaries=tuple(encode_value(v) for v in values))
    functions = tuple(changed if f.function_id == function.function_id else f for f in database.functions)
    used = tuple(replace(x, next_used=False) if node.split and x in schemes else x for x in database.schemes)
    for table in database.tables:
        if any(i.data_space_id in {x.data_space_id for x in schemes} for i in table.indexes):
            runner.session.transaction.write(database, table.object_id, table.name)
    _save(runner, statement, replace(database, functions=functions, schemes=used))
    yield RowsAffected(None, DDL)


def _equality(statement: Statement, declared: SqlType, value: Any) -> Any:
    bound = constant(value, declared)
    return statement.scalar(f"SELECT {equality_key(bound)}") if value is not None else None


def alter_scheme(runner: BatchRunner, node: s.AlterPartitionScheme) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    scheme = database.scheme(node.name)
    if scheme is None:
        raise SqlError(208, f"Invalid object name '{node.name}'.", line=node.line)
    if node.filegroup is not None:
        _check_filegroup(node.filegroup)
    changed = replace(scheme, next_used=node.filegroup is not None)
    schemes = tuple(changed if x.data_space_id == scheme.data_space_id else x for x in database.schemes)
    _save(runner, statement, replace(database, schemes=schemes))
    yield RowsAffected(None, DDL)


def drop(runner: BatchRunner, node: s.DropPartition) -> Iterator[Outcome]:
    statement = runner.statement()
    database = change_catalogue(runner, statement)
    changed = _without_scheme(database, node) if node.kind == "scheme" else _without_function(database, node)
    _save(runner, statement, changed)
    yield RowsAffected(None, DDL)


def _without_scheme(database: Database, node: s.DropPartition) -> Database:
    scheme = database.scheme(node.name)
    if scheme is None:
        raise SqlError(
            3701,
            f"Cannot drop the partition scheme '{node.name}', because it does not exist or you do not have permission.",
            class_=11,
            line=node.line,
        )
    if any(i.data_space_id == scheme.data_space_id for t in database.tables for i in t.indexes):
        raise SqlError(
            7717,
            f'The partition scheme "{scheme.name}" is currently being used to partition one or more tables.',
            line=node.line,
        )
    return replace(database, schemes=tuple(x for x in database.schemes if x.data_space_id != scheme.data_space_id))


def _without_function(database: Database, node: s.DropPartition) -> Database:
    function = database.function(node.name)
    if function is None:
        raise SqlError(
            3701,
            f"Cannot drop the partition function '{node.name}', because it does not exist or you do not have permission.",
            class_=11,
            line=node.line,
        )
    if any(x.function_id == function.function_id for x in database.schemes):
        raise SqlError(
            7706,
            f"Partition function '{function.name}' is being used by one or more partition schemes.",
            line=node.line,
        )
    return replace(database, functions=tuple(f for f in database.functions if f.function_id != function.function_id))


# ---- where a table lies ------------------------------------------------------------------------------------------
def find_space(database: Database, table: Table, space: s.Space | None) -> tuple[int, int]:
    """(data_space_id, partition column's id or 0) for ON …."""
    if space is None:
        return PRIMARY_FILEGROUP, 0
    scheme = database.scheme(space.name)
    if scheme is None:
        if space.column is None and space.name.upper() in ("PRIMARY", "DEFAULT"):
            return PRIMARY_FILEGROUP, 0
        what = "partition scheme" if space.column is not None else "filegroup"
        raise SqlError(1921, f"Invalid {what} '{space.name}' specified.")
    if space.column is None:
        raise SqlError(
            1922,
            f"Filegroup '{space.name}' has no files assigned to it. Tables, indexes,"
            " text columns, ntext columns, and image columns"
            " cannot be populated on this filegroup until a file is added.",
        )
    column = table.column(space.column)
    if column is None:
        raise SqlError(1911, f"Column name '{space.column}' does not exist in the target table or view.")
    return scheme.data_space_id, column.column_id


def check_partition_column(database: Database, table: Table) -> None:
    """7726: the column's type must be the function's, decimal and numeric being different."""
    for index in table.indexes:
        scheme = database.scheme_by_id(index.data_space_id)
        used = next((c for c in index.columns if c.partition_ordinal), None)
        if scheme is None or used is None:
            continue
        column, function = table.column_by_id(used.column_id), database.function_by_id(scheme.function_id)
        mine, wanted = column.type, function.type
        if (mine if mine.name not in STRINGS else replace(mine, collation=None)) != (
            wanted if wanted.name not in STRINGS else replace(wanted, collation=None)
        ):
            raise SqlError(
                7726,
                f"Partition column '{column.name}' has data type {describe(mine)} which is different from the partition function"
                f" '{function.name}' parameter data type {describe(wanted)}.",
            )
        if mine.name in STRINGS and (mine.collation or "").lower() != (wanted.collation or "").lower():
            raise SqlError(
                7727,
                "Collation of partition column does not match collation of corresponding parameter in partition function.",
            )

"""CREATE, ALTER and DROP of partition functions and schemes: SPLIT, MERGE, NEXT USED."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.boundaries import boundary, equality, in_order
from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, save
from sqlserver_sandbox.engine.definitions.data_spaces import filegroup_id
from sqlserver_sandbox.engine.definitions.repartitioning import Repartitioning
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.locks import MODIFY
from sqlserver_sandbox.engine.store.store import now_text
from sqlserver_sandbox.model import MAX, Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Database, PartitionFunction, PartitionScheme
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.types import LOB, MAX_PARTITIONS, describe, resolve
from sqlserver_sandbox.tsql.values.storage import decode_value, encode_value


def _change_data_spaces(execution: Execution, line: int) -> Database:
    """The catalogue to change. SQL Server docs, CREATE and ALTER PARTITION FUNCTION: ALTER ANY DATASPACE."""
    database = change_catalogue(execution)
    execution.access.check_database(database, "ALTER ANY DATASPACE", line)
    return database


def create_function(execution: Execution, node: s.CreatePartitionFunction) -> Iterator[Outcome]:
    database = _change_data_spaces(execution, node.line)
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
    values = [boundary(execution, declared, value) for value in node.values]
    ordered = in_order(execution, declared, values)
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
    save(
        execution,
        replace(database, functions=(*database.functions, function), next_space_id=database.next_space_id + 1),
    )
    yield RowsAffected(None, DDL)


def create_scheme(execution: Execution, node: s.CreatePartitionScheme) -> Iterator[Outcome]:
    database = _change_data_spaces(execution, node.line)
    if database.scheme(node.name) is not None:
        raise SqlError(2714, f"There is already an object named '{node.name}' in the database.", line=node.line)
    function = database.function(node.function)
    if function is None:
        raise SqlError(208, f"Invalid object name '{node.function}'.", line=node.line)
    groups = [filegroup_id(database, group, number=208) for group in node.filegroups]
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
    placed = groups * function.fanout if node.all_to else groups[: function.fanout]
    following = groups[0] if node.all_to else groups[function.fanout] if extra else PRIMARY_FILEGROUP
    scheme = PartitionScheme(
        database.next_space_id,
        node.name,
        function.function_id,
        node.all_to or extra,
        tuple(placed) if any(g != PRIMARY_FILEGROUP for g in placed) else (),
        following,
    )
    save(
        execution,
        replace(database, schemes=(*database.schemes, scheme), next_space_id=database.next_space_id + 1),
    )
    yield RowsAffected(None, DDL)


def alter_function(execution: Execution, node: s.AlterPartitionFunction) -> Iterator[Outcome]:
    """SPLIT needs NEXT USED on every scheme (7710) and a new value (7721); MERGE an existing one (7715)."""
    database = _change_data_spaces(execution, node.line)
    function = database.function(node.name)
    if function is None:
        raise SqlError(208, f"Invalid object name '{node.name}'.", line=node.line)
    values = [decode_value(b, function.type) for b in function.boundaries]
    value = boundary(execution, function.type, node.value)
    keys = [equality(execution, function.type, v) for v in values]
    key = equality(execution, function.type, value)
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
        values = in_order(execution, function.type, [*values, value])
        change = Repartitioning(function, values.index(value), is_split=True)
    else:
        if key not in keys:
            raise SqlError(7715, "The specified partition range value could not be found.", line=node.line)
        change = Repartitioning(function, keys.index(key), is_split=False)
        del values[keys.index(key)]
    changed = replace(function, boundaries=tuple(encode_value(v) for v in values))
    functions = tuple(changed if f.function_id == function.function_id else f for f in database.functions)
    own = frozenset(x.data_space_id for x in schemes)
    affected = [x for x in database.tables if any(i.data_space_id in own for i in x.indexes)]
    for table in affected:
        execution.transaction.write(database, table.object_id, table.name, MODIFY)
        change.check_columnstore(execution, database, table)
    for table in affected:
        database = database.with_table(change.table(table, own))
    spaces = tuple(change.scheme(x) if x in schemes else x for x in database.schemes)
    save(execution, replace(database, functions=functions, schemes=spaces))
    yield RowsAffected(None, DDL)


def alter_scheme(execution: Execution, node: s.AlterPartitionScheme) -> Iterator[Outcome]:
    database = _change_data_spaces(execution, node.line)
    scheme = database.scheme(node.name)
    if scheme is None:
        raise SqlError(208, f"Invalid object name '{node.name}'.", line=node.line)
    group = PRIMARY_FILEGROUP if node.filegroup is None else filegroup_id(database, node.filegroup, number=208)
    changed = replace(scheme, next_used=node.filegroup is not None, next_filegroup=group)
    schemes = tuple(changed if x.data_space_id == scheme.data_space_id else x for x in database.schemes)
    save(execution, replace(database, schemes=schemes))
    yield RowsAffected(None, DDL)


def drop(execution: Execution, node: s.DropPartition) -> Iterator[Outcome]:
    database = _change_data_spaces(execution, node.line)
    changed = _without_scheme(database, node) if node.kind == "scheme" else _without_function(database, node)
    save(execution, changed)
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

"""What must hold of a table for TRUNCATE, and the partitions that WITH (PARTITIONS (…)) names."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, PartitionFunction, Table


def check_truncate(database: Database, table: Table, *, by_partition: bool) -> None:
    """4711, 4712, 13545, 3729, 4707; 7729, 3756 and 4716 for partitions (SQL Server docs: TRUNCATE TABLE)."""
    _check_features(database, table)
    for other in database.tables:
        if other.object_id != table.object_id and any(
            f.referenced_object_id == table.object_id for f in other.foreign_keys
        ):
            raise SqlError(
                4712,
                f"Cannot truncate table '{database.full_name(table)}' because it is being referenced by a FOREIGN KEY"
                " constraint.",
            )
    if not by_partition:
        return
    function = database.function_of(table.base.data_space_id)
    if function is None:
        raise SqlError(
            7729,
            f"Cannot specify partition number in the truncate statement as the table '{table.name}' is not partitioned.",
        )
    for index in table.indexes:
        own = database.function_of(index.data_space_id)
        if own is not None and _cut(own) != _cut(function):
            raise SqlError(
                4716,
                f"TRUNCATE TABLE statement failed. Index '{index.name}' uses partition function '{own.name}', but table"
                f" '{table.name}' uses non-equivalent partition function '{function.name}'. Index and table must use an"
                " equivalent"
                " partition function.",
            )
        if own is None:
            raise SqlError(
                3756,
                f"TRUNCATE TABLE statement failed. Index '{index.name}' is not partitioned, but table '{table.name}' uses"
                f" partition function '{function.name}'. Index and table must use an equivalent partition function.",
            )


def _cut(function: PartitionFunction) -> tuple[object, ...]:
    """What makes two functions equivalent."""
    return function.type, function.boundaries, function.right


def _check_features(database: Database, table: Table) -> None:
    name, features = database.full_name(table), table.features
    if features.replicated or features.merge_published or features.cdc:
        raise SqlError(
            4711,
            f"Cannot truncate table '{name}' because it is published for replication or enabled for Change Data Capture.",
        )
    if features.temporal:
        raise SqlError(
            13545,
            f"Truncate failed on table '{database.name}.{name}' because it is not a supported operation on"
            " system-versioned tables.",
        )
    if features.indexed_view:
        raise SqlError(
            3729, f"Cannot TRUNCATE TABLE '{name}' because it is being referenced by object 'sandbox_feature'.", state=2
        )
    for index in table.indexes:
        for group in database.read_only_filegroups:
            if group in database.filegroups_of(index.data_space_id):
                raise SqlError(
                    4707,
                    f"Could not truncate object '{name}' because it or one of its indexes resides on a READONLY filegroup"
                    f" '{database.filegroup_name(group)}'.",
                )


def partition_ranges(database: Database, table: Table, given: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges as given. Raises 7722 for a number there is not, 7728 for one that is reversed."""
    function = database.function_of(table.base.data_space_id)
    fanout = function.fanout if function else 1
    for first, last in given:
        for number in (first, last):
            if not 1 <= number <= fanout:
                raise SqlError(
                    7722,
                    f"Invalid partition number {number} specified for table '{database.full_name(table)}', partition number can"
                    f" range from 1 to {fanout}.",
                )
        if first > last:
            raise SqlError(
                7728,
                f"Invalid partition range: {first} TO {last}. Lower bound must not be greater than upper bound.",
            )
    return given

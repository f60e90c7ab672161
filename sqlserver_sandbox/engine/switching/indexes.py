"""Indexes of the two tables of a SWITCH: aligned with their table, the same on both sides, compressed and placed alike."""

from __future__ import annotations

from sqlserver_sandbox.engine.switching.sides import Side, failed
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Index


def check_alignment(side: Side) -> None:
    """7733 for an index of a partitioned table that is not partitioned, 4907, 4908, 4912, 4915 for one partitioned otherwise.

    SQL Server docs, partitioned tables and indexes: an aligned index needs an equivalent function, not the same one.
    """
    function = side.function
    if function is None:
        return
    for index in side.table.indexes[1:]:
        if index.is_disabled:
            continue
        other = side.database.function_of(index.data_space_id)
        what = f"the table '{side.name}'"
        if other is None:
            raise SqlError(
                7733,
                f"'ALTER TABLE SWITCH' statement failed. The table '{side.name}' is partitioned while index '{index.name}' is not"
                " partitioned.",
                state=4,
            )
        head = "'ALTER TABLE SWITCH' statement failed. "
        if other.type != function.type:
            raise SqlError(
                4915,
                f"{head}The parameter type of the partition function used to partition {what} is different from the"
                " parameter type"
                f" of the partition function used to partition index '{index.name}'.",
            )
        if other.fanout != function.fanout:
            raise SqlError(
                4907,
                f"{head}The table '{side.name}' has {function.fanout} partitions while index '{index.name}' has {other.fanout}"
                " partitions.",
            )
        if (other.boundaries, other.right) != (function.boundaries, function.right):
            raise SqlError(
                4908,
                f"{head}The range boundary values used to partition {what} are different from the range boundary values used for"
                f" index '{index.name}'.",
            )
        if _partition_column(index) != _partition_column(side.table.base):
            raise SqlError(
                4912,
                f"{head}The columns set used to partition {what} is different from the column set used to partition index"
                f" '{index.name}'.",
            )


def _partition_column(index: Index) -> int | None:
    return next((c.column_id for c in index.columns if c.partition_ordinal), None)


def check_indexes(source: Side, target: Side) -> None:
    """4914, 4913, 4947, 4983, 11406."""
    for side in (source, target):
        if side.table.base.is_disabled:
            raise SqlError(
                4914,
                f'The ALTER TABLE SWITCH statement failed. The table "{side.name}" has a disabled clustered index.',
            )
    for state, (mine, other) in enumerate(((source, target), (target, source)), 1):
        if mine.table.base.index_id == 1 and other.table.base.index_id == 0:
            raise failed(
                4913,
                f". The table '{mine.name}' has clustered index '{mine.table.base.name}' while the table '{other.name}' does not"
                " have clustered index.",
                state=state,
            )
    if target.table.features.xml_index or target.table.features.spatial_index:
        raise failed(
            4983,
            f". Target table '{target.name}' has an XML or spatial index 'sandbox_feature' on it. Only source table can"
            " have XML or"
            " spatial indexes in the ALTER TABLE SWITCH statement.",
        )
    theirs = [(_compared(source, i), i) for i in source.table.indexes if not i.is_disabled]
    for index in target.table.indexes:
        if index.is_disabled:
            continue
        wanted = _compared(target, index)
        match = next((i for own, i in theirs if own == wanted), None)
        if match is None:
            raise failed(
                4947,
                f". There is no identical index in source table '{source.name}' for the index '{index.name}' in target table"
                f" '{target.name}' .",
            )
        if source.compression(match) != target.compression(index):
            raise failed(11406, ". Source and target partitions have different values for the DATA_COMPRESSION option.")
        _check_filegroup(source, target, match, index)


def _compared(side: Side, index: Index) -> object:
    """What must be the same of two indexes; names are not. A heap has nothing to compare, and a clustered columnstore index has
    every column of its table, those that were added later too."""
    if index.index_id == 0:
        return "heap"
    if index.index_id == 1 and index.columnstore:
        return "clustered columnstore"
    keys = tuple(
        (side.ordinal(c.column_id), c.descending) for c in sorted(index.key_columns, key=lambda c: c.key_ordinal)
    )
    others = [c for c in index.columns if not c.key_ordinal and (c.included or c.partition_ordinal)]
    included = frozenset(side.ordinal(c.column_id) for c in others)
    is_clustered, is_primary = index.index_id == 1, index.key_kind == "PK"
    return is_clustered, index.columnstore, index.unique, is_primary, keys, included, index.filter_text


def _check_filegroup(source: Side, target: Side, own: Index, other: Index) -> None:
    """4938, 4939 or 4940: the rowsets lie in the same filegroup."""
    database = source.database
    mine = database.filegroup_of(own.data_space_id, source.number)
    theirs = database.filegroup_of(other.data_space_id, target.number)
    if mine != theirs:
        raise filegroup_error(source, target, database.filegroup_name(mine), database.filegroup_name(theirs))


def filegroup_error(source: Side, target: Side, mine: str, theirs: str) -> SqlError:
    first, second = f"table '{source.name}'", f"table '{target.name}'"
    if source.partition and target.partition:
        return failed(
            4938,
            f". Partition {source.partition} of {first} is in filegroup '{mine}' and partition {target.partition} of"
            f" {second} is in"
            f" filegroup '{theirs}'.",
        )
    if not source.partition and not target.partition:
        return failed(4940, f". {first} is in filegroup '{mine}' and {second} is in filegroup '{theirs}'.")
    if source.partition:
        first, second, mine, theirs = second, first, theirs, mine
    number = source.partition or target.partition
    return failed(
        4939, f". {first} is in filegroup '{mine}' and partition {number} of {second} is in filegroup '{theirs}'."
    )


def check_storage(source: Side, target: Side) -> None:
    """4978 and 4979 for read-only filegroups, 4959 for (max) values elsewhere, 4954 and 4993 for options of large values."""
    database = source.database
    for side in (source, target):
        if side.filegroup in database.read_only_filegroups:
            name = database.filegroup_name(side.filegroup)
            if side.partition:
                raise failed(
                    4978,
                    f". The partition {side.partition} in table '{side.name}' resides in a read-only filegroup '{name}'.",
                )
            raise failed(4979, f". The table '{side.name}' resides in a readonly filegroup '{name}'.")
    if source.table.has_large_values and source.lob_filegroup != target.lob_filegroup:
        mine, theirs = (database.filegroup_name(s.lob_filegroup) for s in (source, target))
        raise failed(
            4959,
            f". Partition {source.number} of table '{source.name}' has TEXT filegroup '{mine}' and partition {target.number} of"
            f" table '{target.name}' has TEXT filegroup '{theirs}'.",
        )
    mine_features, their_features = source.table.features, target.table.features
    if mine_features.text_in_row_limit != their_features.text_in_row_limit:
        raise failed(
            4954,
            f". The table '{source.name}' has inline limit of {mine_features.text_in_row_limit} for text in row data which is"
            f" different from value {their_features.text_in_row_limit} used by table '{target.name}'.",
        )
    if mine_features.large_values_out_of_row != their_features.large_values_out_of_row:
        raise failed(
            4993,
            f". The table '{source.name}' has different setting for Large Value Types Out Of Row table option as compared"
            " to table"
            f" '{target.name}'.",
        )

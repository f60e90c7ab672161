"""Where a table or index lies: the filegroup, or a partition scheme and the column it partitions by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Database, Table
from sqlserver_sandbox.tsql.types import STRINGS, describe


def find_space(database: Database, table: Table, space: s.Space | None) -> tuple[int, int]:
    """(data_space_id, partition column's id or 0) for ON …. Raises 1924 where a filegroup is read-only (SQL Server docs: database
    engine events and errors); that one of a scheme is enough for that is general knowledge, not read in the documentation."""
    if space is None:
        return PRIMARY_FILEGROUP, 0
    scheme = database.scheme(space.name)
    if scheme is None and space.column is None:
        found = filegroup_id(database, space.name)
        _check_writable(database, (found,))
        return found, 0
    if scheme is None:
        raise SqlError(1921, f"Invalid partition scheme '{space.name}' specified.")
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
    fanout = database.function_by_id(scheme.function_id).fanout
    _check_writable(database, [database.filegroup_of(scheme.data_space_id, n) for n in range(1, fanout + 1)])
    return scheme.data_space_id, column.column_id


def _check_writable(database: Database, filegroups: Iterable[int]) -> None:
    for filegroup in filegroups:
        if filegroup in database.read_only_filegroups:
            raise SqlError(1924, f"Filegroup '{database.filegroup_name(filegroup)}' is read-only.")


def filegroup_id(database: Database, name: str, *, number: int = 1921) -> int:
    """A filegroup's data_space_id. Raises 1921, or another number with its text, for one that there is not."""
    if name.upper() == "DEFAULT":
        return PRIMARY_FILEGROUP
    found = database.filegroup(name)
    if found is not None:
        return found.data_space_id
    if number == 208:
        raise SqlError(208, f"Invalid object name '{name}'.")
    raise SqlError(number, f"Invalid filegroup '{name}' specified.")


def text_space(database: Database, table: Table, name: str | None) -> int:
    """The filegroup of TEXTIMAGE_ON. Raises 1709 without a column that it could hold, 1707 on a partitioned table."""
    if name is None:
        return 0
    if database.function_of(table.base.data_space_id) is not None:
        raise SqlError(1707, "Cannot specify TEXTIMAGE_ON filegroup for a partitioned table.")
    if not table.has_large_values:
        raise SqlError(
            1709,
            "Cannot use TEXTIMAGE_ON when a table has no text, ntext, image, varchar(max), nvarchar(max), non-FILESTREAM"
            " varbinary(max), xml or large CLR type columns.",
        )
    return filegroup_id(database, name)


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

"""What must hold of a table for TRUNCATE, and the partitions that WITH (PARTITIONS (…)) names."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Table


def check_truncate(database: Database, table: Table, *, by_partition: bool) -> None:
    """4712 for a table that another references, 7729 and 3756 for partitions (SQL Server docs: TRUNCATE TABLE)."""
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
        if database.function_of(index.data_space_id) is None:
            raise SqlError(
                3756,
                f"TRUNCATE TABLE statement failed. Index '{index.name}' is not partitioned, but table '{table.name}' uses"
                f" partition function '{function.name}'. Index and table must use an equivalent partition function.",
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

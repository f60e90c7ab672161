"""The two sides of a SWITCH, and the errors about which partition is meant."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Index, PartitionFunction, Table

FAILED = "ALTER TABLE SWITCH statement failed."


@dataclass(frozen=True)
class Side:
    """A table and, when it is partitioned, the number of the partition that gives or gets rows."""

    database: Database
    table: Table
    partition: int | None

    @property
    def function(self) -> PartitionFunction | None:
        return self.database.function_of(self.table.base.data_space_id)

    @property
    def name(self) -> str:
        """database.schema.table, as messages write it."""
        return f"{self.database.name}.{self.database.full_name(self.table)}"

    @property
    def number(self) -> int:
        """The partition in sys.partitions: 1 for a table that is not partitioned."""
        return self.partition or 1

    def compression(self, index: Index) -> str:
        return index.compression_of(self.number)


def failed(number: int, text: str, *, state: int = 1) -> SqlError:
    """The error of a SWITCH (SQL Server docs: database engine errors 4000 to 4999)."""
    return SqlError(number, f"{FAILED} {text}", state=state)


def side_of(database: Database, table: Table, partition: int | None, which: str) -> Side:
    """Raises 4911 for a partitioned table without a number, 7722 for a number there is not.

    A number for a table that is not partitioned is ignored; SQL Server warns (4903).
    """
    function = database.function_of(table.base.data_space_id)
    if function is None:
        return Side(database, table, None)
    if partition is None:
        raise failed(
            4911,
            f"The specified partitioned table '{database.name}.{database.full_name(table)}' requires a partition number in"
            f" the {which} clause.",
        )
    if not 1 <= partition <= function.fanout:
        raise SqlError(
            7722,
            f"Invalid partition number {partition} specified for table '{database.full_name(table)}', partition number can range"
            f" from 1 to {function.fanout}.",
            state=2,
        )
    return Side(database, table, partition)

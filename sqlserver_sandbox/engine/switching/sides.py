"""The two sides of a SWITCH, and the errors about which partition is meant."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Database, Index, PartitionFunction, Table, TableColumn

FAILED = "ALTER TABLE SWITCH statement failed"


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

    @property
    def filegroup(self) -> int:
        """Where the rows lie."""
        return self.database.filegroup_of(self.table.base.data_space_id, self.number)

    @property
    def lob_filegroup(self) -> int:
        """Where the (max) values lie: with the rows of a partition, elsewhere as TEXTIMAGE_ON says."""
        return self.filegroup if self.partition else self.table.lob_space or PRIMARY_FILEGROUP

    def compression(self, index: Index) -> str:
        return index.compression_of(self.number)

    def ordinal(self, column_id: int) -> int:
        """A column by its position in the table, which is what two tables have in common."""
        return [c.column_id for c in self.table.columns].index(column_id)

    def at(self, ordinal: int) -> TableColumn:
        return self.table.columns[ordinal]


def failed(number: int, text: str, *, state: int = 1) -> SqlError:
    """An error of SWITCH (SQL Server docs: database engine errors 4000 to 4999). `text` goes on after 'failed'."""
    return SqlError(number, f"{FAILED}{text}", state=state)


def side_of(database: Database, table: Table, partition: int | None, *, is_source: bool) -> Side:
    """Raises 4911 for a partitioned table without a number, 4950 or 7722 for a number there is not."""
    function = database.function_of(table.base.data_space_id)
    side = Side(database, table, None if function is None else partition)
    if function is None:
        return side
    if partition is None:
        raise SqlError(
            4911,
            "Cannot specify a partitioned table without partition number in ALTER TABLE SWITCH statement. The table"
            f" '{side.name}' is partitioned.",
            state=1 if is_source else 2,
        )
    if partition > function.fanout:
        raise failed(4950, f" because partition number {partition} does not exist in table '{side.name}'.")
    return side


def is_ignored(database: Database, table: Table, partition: int | None) -> bool:
    """Whether a number is given for a table that is not partitioned: only a warning (4903)."""
    return partition is not None and database.function_of(table.base.data_space_id) is None

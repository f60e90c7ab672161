"""SPLIT and MERGE: what a new or a lost boundary does to the partitions of schemes and indexes, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.partitions import is_empty
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import (
    PRIMARY_FILEGROUP,
    Database,
    Index,
    PartitionFunction,
    PartitionScheme,
    Table,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Repartitioning:
    """`boundary` is the place, from 0, of the boundary that comes or goes; `before` is the function until now."""

    before: PartitionFunction
    boundary: int
    is_split: bool

    @property
    def changed(self) -> int:
        """The partition that a SPLIT makes or a MERGE drops, from 0: the one that holds the boundary value itself."""
        return self.boundary + (1 if self.before.right else 0)

    def split(self, partitions: Sequence[T], new: T) -> tuple[T, ...]:
        return (*partitions[: self.changed], new, *partitions[self.changed :])

    def merged(self, partitions: Sequence[T]) -> tuple[T, ...]:
        return (*partitions[: self.changed], *partitions[self.changed + 1 :])

    # ---- schemes and indexes --------------------------------------------------------------------------------------
    def scheme(self, scheme: PartitionScheme) -> PartitionScheme:
        """A new partition lies in the filegroup of NEXT USED, which is used up."""
        groups = scheme.filegroups or (PRIMARY_FILEGROUP,) * self.before.fanout
        if not self.is_split:
            return replace(scheme, filegroups=_plain(self.merged(groups)))
        changed = replace(scheme, filegroups=_plain(self.split(groups, scheme.next_filegroup)))
        return replace(changed, next_used=False, next_filegroup=PRIMARY_FILEGROUP)

    def index(self, index: Index) -> Index:
        """A new partition is compressed as the one it is split from."""
        kinds = [index.compression_of(n) for n in range(1, self.before.fanout + 1)]
        after = self.split(kinds, kinds[self.boundary]) if self.is_split else self.merged(kinds)
        exceptions = tuple((n, kind) for n, kind in enumerate(after, 1) if kind != index.compression)
        return replace(index, partition_compression=exceptions)

    def table(self, table: Table, schemes: frozenset[int]) -> Table:
        return replace(table, indexes=tuple(self.index(i) if i.data_space_id in schemes else i for i in table.indexes))

    def check_columnstore(self, execution: Execution, database: Database, table: Table) -> None:
        """35346, 35344: a partition with a columnstore index is split when empty, merged when one of the two is."""
        if not any(i.columnstore and not i.is_disabled for i in table.indexes):
            return
        tail = (
            "Consider disabling the columnstore index before issuing the ALTER PARTITION statement, then rebuilding the"
            " columnstore"
            " index after ALTER PARTITION is complete."
        )
        first = self.boundary + 1
        if self.is_split:
            if not is_empty(execution, database, table, first):
                raise SqlError(
                    35346,
                    "SPLIT clause of ALTER PARTITION statement failed because the partition is not empty. Only empty"
                    " partitions can"
                    f" be split in when a columnstore index exists on the table. {tail}",
                )
        elif not any(is_empty(execution, database, table, n) for n in (first, first + 1)):
            raise SqlError(
                35344,
                "MERGE clause of ALTER PARTITION statement failed because two nonempty partitions containing a columnstore index"
                f" cannot be merged. {tail}",
            )


def _plain(groups: tuple[int, ...]) -> tuple[int, ...]:
    """Nothing, where all partitions lie in [PRIMARY]."""
    return groups if any(g != PRIMARY_FILEGROUP for g in groups) else ()

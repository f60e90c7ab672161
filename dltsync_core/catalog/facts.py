"""Facts about a server's tables, as values. `catalog.reader` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dltsync_core.identity import TableName
from dltsync_core.ranges import PartitionRange, Side

Generated = Literal["", "row_start", "row_end", "transaction"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column as `sys.columns` and `sys.types` describe it.

    `type_name` is the system type in lower case (alias types resolved; `timestamp` is called `rowversion`; a CLR type of the
    database's own has its name and `is_clr`); `max_length` is in bytes, -1 for (max). `generated` names values that the server
    sets itself: row_start and row_end of a period, or a transaction id or sequence number.
    """

    name: str
    column_id: int
    type_name: str
    max_length: int
    precision: int
    scale: int
    collation: str | None
    is_nullable: bool
    is_identity: bool = False
    is_computed: bool = False
    is_hidden: bool = False
    is_sparse: bool = False
    is_column_set: bool = False
    is_masked: bool = False
    is_encrypted: bool = False
    is_graph_internal: bool = False
    is_persisted: bool = False
    is_filestream: bool = False
    is_clr: bool = False
    generated: Generated = ""
    alias_name: str | None = None


@dataclass(frozen=True)
class Slot:
    """One physical partition now: `number` is valid only until the next SPLIT or MERGE; `approx_rows` is an estimate."""

    number: int
    range: PartitionRange
    approx_rows: int


@dataclass(frozen=True)
class PartitioningFacts:
    """How a table is partitioned. `slots` are in partition-number order. `column` is the partitioning column. `out_of_retention`
    are those that the table's retention leaves out of `slots` (`plan.retention`), in order; `taking_over` are the keys of those
    before the window that are in `slots` all the same, because they take over rows of a unit that reached into the window."""

    function: str
    scheme: str
    column: ColumnFacts
    side: Side
    slots: tuple[Slot, ...]
    out_of_retention: tuple[Slot, ...] = ()
    taking_over: frozenset[str] = frozenset()

    @property
    def before_window(self) -> tuple[Slot, ...]:
        """Those before the table's window, read or not: neighbours, in partition-number order."""
        read = tuple(slot for slot in self.slots if slot.range.key in self.taking_over)
        return tuple(sorted((*read, *self.out_of_retention), key=lambda slot: slot.number))

    @property
    def all_slots(self) -> tuple[Slot, ...]:
        """Those that the server has, within the retention or not, in partition-number order."""
        return tuple(sorted((*self.slots, *self.out_of_retention), key=lambda slot: slot.number))


@dataclass(frozen=True, order=True)
class ListedTable:
    """A user table in the list of all. `columns` are their names, empty where they were not asked for."""

    name: TableName
    is_partitioned: bool
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableIndex:
    """An enabled index of a table, or the key or constraint that it stands for. `kind` is the `type_desc` of sys.indexes; `keys`
    are names with whether they descend."""

    name: str
    kind: str
    keys: tuple[tuple[str, bool], ...]
    included: tuple[str, ...] = ()
    is_unique: bool = False
    is_primary_key: bool = False
    has_filter: bool = False


@dataclass(frozen=True)
class TableFacts:
    """One user table. `unique_keys` lists the columns of every unique index or constraint that covers all rows, `indexes` all
    indexes. With `hides_row_filters` this login does not see all security policies, so that `has_row_filter` may be wrong."""

    name: TableName
    object_id: int
    columns: tuple[ColumnFacts, ...]
    primary_key: tuple[str, ...]
    unique_keys: tuple[tuple[str, ...], ...]
    partitioning: PartitioningFacts | None
    approx_rows: int
    has_row_filter: bool = False
    hides_row_filters: bool = False
    description: str | None = None
    indexes: tuple[TableIndex, ...] = ()

    def column(self, name: str) -> ColumnFacts | None:
        """The column of that name, ignoring case as most databases do."""
        folded = name.casefold()
        return next((c for c in self.columns if c.name.casefold() == folded), None)


@dataclass(frozen=True)
class DatabaseFacts:
    """The database a session is in."""

    server: str
    database: str
    product_version: str
    engine_edition: int
    collation: str
    compatibility_level: int
    snapshot_allowed: bool
    read_committed_snapshot: bool

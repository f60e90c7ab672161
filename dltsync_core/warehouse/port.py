"""What a warehouse can do for a run. Each folder beside this file is an implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, TableIndex
from dltsync_core.committed import Marker
from dltsync_core.errors import DriftError, WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import Disposition, ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn


@dataclass(frozen=True)
class TargetLayout:
    """How a table is made that does not exist yet, in warehouses that have keys and partitions: its primary key (empty for none),
    the source's partitioning (None: the table is not partitioned) and the source's indexes. `is_merged`: later loads replace
    some of its rows by key."""

    primary_key: tuple[str, ...] = ()
    partitioning: PartitioningFacts | None = None
    indexes: tuple[TableIndex, ...] = ()
    is_merged: bool = False


@dataclass(frozen=True)
class LoadRequest:
    """One published lake load and how it enters the warehouse.

    `files` are absolute paths and are never changed. `schema` is their Arrow schema. `marker` is stored with the
    rows, and those of the units named in `retires` leave with it; without one nothing is said about the unit and no fence is
    checked. `layout` is for a table that is made. `can_be_undone`: the caller will call `Warehouse.confirm` or `Warehouse.undo`,
    and the rows that are replaced stay until then where the warehouse can do that; it takes a marker.
    """

    target: Target
    files: tuple[Path, ...]
    schema: pa.Schema
    disposition: Disposition
    load_id: str
    marker: Marker | None = None
    retires: tuple[str, ...] = ()
    layout: TargetLayout = TargetLayout()
    can_be_undone: bool = False


@dataclass(frozen=True)
class Loaded:
    """What a load brought in. `rows` is what the files hold; counting the warehouse is the validation's business. `method` is
    how the rows entered the table, where the warehouse has several ways, and `reasons` why not by a better one. `can_be_undone`:
    the rows that the load replaced are still there, until `Warehouse.confirm` or `Warehouse.undo` is called."""

    rows: int
    seconds: float
    method: str | None = None
    reasons: tuple[str, ...] = ()
    can_be_undone: bool = False


@dataclass(frozen=True)
class Removable:
    """What `Warehouse.remove_partitions` finds to remove: the rows of each unit of which there is anything, a record of its load
    alone too, and boundaries between partitions that are empty then. `notes` are sentences for the plan."""

    rows: Mapping[str, int] = field(default_factory=dict)
    boundaries: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """What was removed: the rows of each unit. `method` is how they left the table, None where there was none, and `reasons` why
    not by a better way. `boundaries` were merged."""

    rows: Mapping[str, int] = field(default_factory=dict)
    method: str | None = None
    reasons: tuple[str, ...] = ()
    boundaries: int = 0


@dataclass(frozen=True)
class TableInspection:
    """What is asked of one table: the markers of `pipeline`, the rows of each scope (None: the whole table; scopes exclude each
    other), and whether a load of `schema` could enter. `layout` is that of a table that would be made. `out_of_retention` are
    partitions that are to be removed."""

    pipeline: str
    scopes: Mapping[str, ReplaceScope | None]
    schema: pa.Schema
    layout: TargetLayout = TargetLayout()
    out_of_retention: Mapping[str, ReplaceScope] = field(default_factory=dict)


@dataclass(frozen=True)
class WarehouseTable:
    """What a warehouse holds of one table: `columns` with the warehouse's own type names, in order (empty when the table
    does not exist), the rows of each scope that was asked for, and the markers of a pipeline by unit. `refusal` is the
    DriftError that a load of the schema asked for would raise; None when it could enter, widened where that is exact. `notes` are
    sentences for the plan about how loads would enter the table. `removable` is what there is of the partitions out of
    retention."""

    columns: Mapping[str, str]
    counts: Mapping[str, int]
    markers: Mapping[str, Marker]
    refusal: DriftError | None = None
    notes: tuple[str, ...] = ()
    removable: Removable = Removable()


@dataclass(frozen=True)
class Misfit:
    """A value that lies in the lake and that the warehouse's column cannot hold. `row` is its row: the column and those that name
    the row. `reason` completes "column c holds v, …"."""

    column: str
    row: pa.RecordBatch
    reason: str
    remedy: str


class Warehouse(Protocol):
    """A database that rows are loaded into. Every method may wait for other processes and then raises WarehouseBusy."""

    def opened(self) -> AbstractContextManager[None]:
        """For the block, in this thread: what is asked within finds the warehouse open, and everybody else waits. For a load and
        the looks that belong to it; opening costs as much as loading a small unit."""

    def load(self, request: LoadRequest) -> Loaded:
        """Bring files in, in one transaction with the marker. Raises what `check_names` raises, DriftError,
        Fenced (a later writer was here), WarehouseBusy, DiskFull, NotWritable or WarehouseError: after each the warehouse has the
        rows and markers of before; a table that it did not have may be there without rows. Files that are merged by a key hold
        every key once and none with NULL: `warehouse.duckdb.keys.check_keys` was asked before they became visible."""

    def load_group(self, requests: Sequence[LoadRequest]) -> Sequence[Loaded]:
        """Several loads in one transaction, each with its marker: all of them, or none. Loads of one table come in in the order
        given. What each brought in; the seconds are shared out evenly. Raises what `load` raises."""

    def confirm(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """These loads of a pipeline (their ids by unit) were validated: what they replaced is dropped. Nothing where nothing was
        kept. Raises WarehouseError when another run has taken one of them out again, and what `load` raises."""

    def undo(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> bool:
        """These loads did not pass validation: the rows and markers of before are there again, for readers at one moment. False:
        the rows of before are not there any longer, and nothing was changed. A load of a unit undoes by itself what an
        earlier one left unconfirmed, and `cleanup` what dead runs left. Raises what `load` raises."""

    def release(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """This process will neither confirm nor undo these loads: another run may do so from now on. Raises nothing."""

    def inspect(self, tables: Mapping[Target, TableInspection]) -> Mapping[Target, WarehouseTable]:
        """All that a plan asks of these tables, in one opening. Writes nothing."""

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """What a pipeline's loads said of a table, by unit; empty when the warehouse knows nothing of it."""

    def cleanup(self) -> None:
        """Remove what stopped loads left behind. Every load does so by itself; this is for
        when none follows. Cheap where there is nothing. Raises what `load` raises for a warehouse that cannot be opened."""

    def count(self, target: Target, scope: ReplaceScope | None = None) -> int:
        """Rows of a table or of some partitions of it; 0 when the table does not exist."""

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """What each scope's rows (None: those of the whole table) come to. Scopes exclude each other. A table that
        does not exist has no rows; columns it lacks are not in the answer."""

    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> AbstractContextManager[Iterator[pa.RecordBatch]]:
        """The rows of a scope (None: of the whole table), these columns of them, while the block lasts; nothing when the table
        does not exist. `columns` have the lake's types: a warehouse whose own types differ answers in them. Raises
        WarehouseError for a column that is not there."""

    def columns(self, target: Target) -> dict[str, str]:
        """Column names and the warehouse's own type names, in order; empty when the table does not exist."""

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """Whether the warehouse can have a table and columns of these names. Looks at nothing. Raises ConfigError for a target
        that is reserved, UnsupportedColumn for a column that is, or that the warehouse would take for another one."""

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """The rows of these ranges of the partition column. Looks at nothing. Raises CatalogError when the column's type sorts
        differently in the warehouse, or a boundary is not a value of it."""

    def declared(self, schema: pa.Schema) -> Mapping[str, str]:
        """What the warehouse refuses or does not preserve of the values of a column, in a sentence, by column: part of the
        fidelity contract. Columns of which every value is held exactly are not in it. Looks at nothing."""

    def first_misfit(
        self,
        target: Target,
        schema: pa.Schema,
        files: Sequence[Path],
        beside: Sequence[str],
        turn: AbstractContextManager[object],
    ) -> Misfit | None:
        """The first value of the files that the table's column cannot hold, with the columns `beside` of its row; None when all
        fit. Asked before the files become visible. Opens the warehouse only where the files may have such a value, and holds
        `turn` meanwhile: other units are read and checked while one is loaded."""

    def remove_partitions(self, target: Target, pipeline: str, scopes: Mapping[str, ReplaceScope]) -> Removed:
        """The rows of these partitions (neighbours, by unit, in order) leave the table, and the markers of these units with
        them, in one transaction; then boundaries between them that nothing else uses are merged. The caller has leased the
        units. What a stopped call left undone is done by the next. Raises WarehouseError where the warehouse cannot do that,
        and what `load` raises."""

    def drop_table(self, target: Target) -> None:
        """Remove the table if it exists."""


class LoadsGroups(ABC):
    """Part of a warehouse: one load is a group of one, and one count is the statistics of one scope."""

    def load(self, request: LoadRequest) -> Loaded:
        """See `Warehouse.load`."""
        return self.load_group([request])[0]

    @abstractmethod
    def load_group(self, requests: Sequence[LoadRequest]) -> Sequence[Loaded]:
        """See `Warehouse.load_group`."""

    def count(self, target: Target, scope: ReplaceScope | None = None) -> int:
        """See `Warehouse.count`."""
        return self.column_stats(target, {"all": scope}, ())["all"].rows

    @abstractmethod
    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """See `Warehouse.column_stats`."""


class HoldsEveryPartition:
    """Part of a warehouse that removes no partitions. A config with a retention is refused for it."""

    def remove_partitions(self, target: Target, pipeline: str, scopes: Mapping[str, ReplaceScope]) -> Removed:
        """Raises WarehouseError. See `Warehouse.remove_partitions`."""
        raise WarehouseError(
            f"{dotted(*target)}: this warehouse removes no partitions, so a retention cannot be kept to",
            remedy="leave out retention of the table, or load it into SQL Server (destination.type: sqlserver)",
            table=dotted(*target),
        )


class ReplacesAtOnce:
    """Part of a warehouse in which the rows of before are gone as soon as a load is there."""

    def confirm(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """Nothing was kept. See `Warehouse.confirm`."""

    def undo(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> bool:
        """Nothing was kept, so nothing can be undone. See `Warehouse.undo`."""
        return False

    def release(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """Nothing was kept. See `Warehouse.release`."""


SIGN_OF_ZERO = "the warehouse may not keep 0.0 and -0.0 apart"


def signs_of_zeros(schema: pa.Schema) -> dict[str, str]:
    """What a warehouse declares of its floats where it is not known to keep 0.0 and -0.0 apart."""
    return {field.name: SIGN_OF_ZERO for field in schema if pa.types.is_floating(field.type)}


class HoldsEveryValue:
    """Part of a warehouse in which a new column has a type that holds every value of the lake's. An older column that does not is
    refused by its type, before a row is read, or by `first_misfit`."""

    def declared(self, schema: pa.Schema) -> Mapping[str, str]:
        """Nothing is refused. See `Warehouse.declared`."""
        return {}

    def first_misfit(
        self,
        target: Target,
        schema: pa.Schema,
        files: Sequence[Path],
        beside: Sequence[str],
        turn: AbstractContextManager[object],
    ) -> Misfit | None:
        """Every value fits. See `Warehouse.first_misfit`."""
        return None

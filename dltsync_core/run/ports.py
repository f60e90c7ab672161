"""The doors of the rooms a run walks through, as protocols: what `extract.source` gives, and what stands in for it in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import DatabaseFacts, ListedTable, TableFacts
from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.extract.buckets import BucketedUnit
from dltsync_core.extract.probes import Probed, ProbedTable
from dltsync_core.extract.unit import Extracted, UnitFilter
from dltsync_core.history.repair import VersionStore
from dltsync_core.identity import TableName
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.tsql.collations import TextPair
from dltsync_core.tsql.digest import HashAlgorithm
from dltsync_core.typemap import TableMapping
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn
from dltsync_core.typemap.mapping import ColumnMapping
from dltsync_core.warehouse.port import Warehouse


class View(Protocol):
    """One look at the source database, used from one thread at a time. See `extract.source.ReadView`."""

    @property
    def consistency(self) -> str: ...

    def probe_partitions(
        self, facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
    ) -> Mapping[int, Probe]: ...

    def probe_scd(
        self, facts: TableFacts, mapping: TableMapping, table: SCDTableConfig, committed_watermark: str | None
    ) -> Probe: ...

    def probe_static(self, facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Probe: ...

    def probe_together(self, tables: Sequence[ProbedTable]) -> Sequence[Probed]:
        """The probes of several tables, in order, or the first error of any of them."""

    def count(self, facts: TableFacts, unit: UnitFilter) -> int: ...

    def column_stats(
        self, facts: TableFacts, columns: Sequence[StatsColumn], units: Mapping[str, UnitFilter]
    ) -> Mapping[str, ColumnStats]: ...

    def fingerprints(
        self,
        facts: TableFacts,
        columns: Sequence[ColumnMapping],
        units: Mapping[str, UnitFilter],
        algorithm: HashAlgorithm,
    ) -> Mapping[str, str]: ...

    def bucket_digests(
        self, bucketed: BucketedUnit, length: int, within: Buckets | None
    ) -> Mapping[int, tuple[int, int, int]]: ...

    def rows_of_buckets(
        self, bucketed: BucketedUnit, within: Buckets | None, write: Callable[[pa.RecordBatch], None]
    ) -> None: ...

    def extract(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        on_rows: Callable[[int], None] | None = None,
    ) -> Extracted: ...


class Source(Protocol):
    """The source database. See `extract.source.SqlServerSource`."""

    def kept_open(self) -> AbstractContextManager[None]:
        """For the block connections stay open between uses, one user at a time, and are closed with it."""

    def check(self) -> DatabaseFacts: ...

    def list_tables(self, *, with_columns: bool = False) -> Sequence[ListedTable]: ...

    def read_tables(self, tables: Sequence[TableConfig]) -> Mapping[TableName, TableFacts]: ...

    def map_columns(self, facts: TableFacts, table: TableConfig) -> TableMapping: ...

    def read_view(self, *, ceiling: bool = False) -> AbstractContextManager[View]: ...

    def compare_texts(self, pairs: Sequence[TextPair]) -> Mapping[TextPair, bool]: ...

    def close(self) -> None: ...


class VersionedWarehouse(Warehouse, VersionStore, Protocol):
    """A warehouse whose scd tables can be checked and repaired."""

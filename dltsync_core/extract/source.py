"""The source database as the rest of the house sees it: check, facts, mapping, read views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import pyarrow as pa
from typing_extensions import Self

from dltsync_core.catalog.facts import DatabaseFacts, TableFacts
from dltsync_core.config import (
    DatabaseConfig,
    PartitionTableConfig,
    ProcessingConfig,
    SCDTableConfig,
    StaticTableConfig,
    TableConfig,
)
from dltsync_core.extract.unit import Extracted, UnitFilter
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Probe
from dltsync_core.typemap import TableMapping, map_columns


class SqlServerSource:
    """A thread-safe way to one SQL Server database. Connections are opened when needed and closed after use."""

    def __init__(self, database: DatabaseConfig, processing: ProcessingConfig) -> None:
        self.database = database
        self.processing = processing

    def check(self) -> DatabaseFacts:
        """Log in and say what database this is."""
        raise NotImplementedError

    def read_tables(self, tables: Sequence[TableConfig]) -> dict[TableName, TableFacts]:
        """Facts of every table, keyed by the config's own name."""
        raise NotImplementedError

    def map_columns(self, facts: TableFacts, table: TableConfig) -> TableMapping:
        """What the table's columns become (pure)."""
        return map_columns(facts, table)

    @contextmanager
    def read_view(self) -> Iterator[ReadView]:
        """One consistent look at the database on a connection of its own."""
        raise NotImplementedError
        yield

    def close(self) -> None:
        """Close what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ReadView:
    """One look at the database. Use from one thread at a time."""

    consistency: str

    def probe_partitions(
        self, facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
    ) -> dict[int, Probe]:
        """The probe of every slot, by slot number."""
        raise NotImplementedError

    def probe_scd(
        self, facts: TableFacts, mapping: TableMapping, table: SCDTableConfig, committed_watermark: str | None
    ) -> Probe:
        """Count, highest change position and a digest of the lag window."""
        raise NotImplementedError

    def probe_static(self, facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Probe:
        """Digest of the whole content."""
        raise NotImplementedError

    def count(self, facts: TableFacts, unit: UnitFilter) -> int:
        """Rows of a unit, by COUNT_BIG."""
        raise NotImplementedError

    def extract(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        on_rows: Callable[[int], None] | None = None,
    ) -> Extracted:
        """Every row of a unit, in batches handed to `write` in the caller's thread."""
        raise NotImplementedError

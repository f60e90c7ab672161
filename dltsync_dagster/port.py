"""The interface that the location uses of the core's `IncrementalSQLServerParquetPipeline`. Fakes implement it too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
from duckdb import DuckDBPyRelation

from dltsync_core.committed import CommittedUnit, Probe
from dltsync_core.config import PipelineConfig
from dltsync_core.run.events import EventSink, ignore
from dltsync_core.run.planning.timed_probes import TimedProbes
from dltsync_core.run.read_lake import ReadFrom
from dltsync_core.run.result import RunResult


class VersionRepair(Protocol):
    """Integrity of the versions of scd tables."""

    def repair_scd_integrity(self, table: Any, dry_run: bool = True) -> dict[str, Any]:
        """Findings and the planned changes; see the core."""
        ...


class Pipeline(Protocol):
    """The methods of the core's pipeline that the location calls. The core documents them."""

    def run(
        self,
        *,
        table_names: Sequence[str] | None = None,
        partition_keys: Sequence[str] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        on_event: EventSink = ignore,
        run_id: str | None = None,
    ) -> RunResult:
        """Bring tables or partitions up to date."""
        ...

    def partition_keys(self, table_name: str) -> list[str]:
        """The partitions of a table now, in catalogue order."""
        ...

    def probe(self, table_name: str) -> Mapping[str, Probe]:
        """The probe of each unit of the source."""
        ...

    def probe_within(
        self,
        table_names: Sequence[str],
        seconds: float,
        *,
        alone: Collection[str] = (),
        units_only: Collection[str] = (),
    ) -> TimedProbes:
        """The probes of many tables, as many as fit into the time."""
        ...

    def committed_of(self, table_names: Sequence[str]) -> Mapping[str, Mapping[str, CommittedUnit]]:
        """The committed units of many tables, from the ledger only."""
        ...

    def committed(self, table_name: str) -> Mapping[str, CommittedUnit]:
        """The committed units, from the ledger only."""
        ...

    def validate_all_tables(
        self,
        table_names: Sequence[str] | None = None,
        *,
        partition_keys: Sequence[str] | None = None,
        fingerprint: str | None = None,
        row_diff: bool = False,
    ) -> dict[str, Any]:
        """A report that compares source, lake and warehouse as they are now."""
        ...

    def read(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """The synced rows of a table or of some partitions of it."""
        ...

    def relation(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> DuckDBPyRelation:
        """The same rows as a relation of a DuckDB of its own."""
        ...

    @property
    def scd_handler(self) -> VersionRepair:
        """Integrity of the versions of scd tables."""
        ...


OpenPipeline: TypeAlias = Callable[[PipelineConfig], AbstractContextManager[Pipeline]]
"""Opens a pipeline for a config; the end of the context closes its connections."""

"""One unit on its way through a run, and the result it becomes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dltsync_core.clock import utc_now
from dltsync_core.errors import StateError
from dltsync_core.identity import new_load_id
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.steps import Step
from dltsync_core.run.failures import Failure
from dltsync_core.run.load.from_lake import InLake
from dltsync_core.run.load.stage import Staged
from dltsync_core.run.result import Status, UnitResult
from dltsync_core.state.records import LoadEvent
from dltsync_core.typemap.column_stats import ColumnStats
from dltsync_core.validate.column_stats import LoadedFigure
from dltsync_core.validate.counts import RowCounts
from dltsync_core.warehouse.port import Loaded


@dataclass(frozen=True)
class InWarehouse:
    """What the warehouse holds of a unit right after its load. `columns` are those that were summed up: none of a merge, which
    adds to rows that stay, so that the warehouse holds more than the files. `stamps` is then the digest of keys and stamps of all
    rows (None where it was not asked for)."""

    summary: ColumnStats
    columns: tuple[str, ...]
    stamps: str | None = None


@dataclass(eq=False)
class UnitWork:
    """What is known so far. Belongs to one thread; everything else in a run is a value."""

    step: Step
    load_id: str = field(default_factory=new_load_id)
    reason: str = ""
    staged: Staged | None = None
    in_lake: InLake | None = None
    manifest: Manifest | None = None
    lake_rows: int | None = None
    """Rows of the unit in the lake as they were counted before its load became visible; None: those of its manifest."""
    files: tuple[str, ...] = ()
    contracts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    found: InWarehouse | None = None
    counts: RowCounts | None = None
    compared: tuple[LoadedFigure, ...] = ()
    entered: Loaded | None = None
    """How its last load entered the warehouse."""
    is_undone: bool = False
    """The load did not pass validation, and the warehouse has the rows of before again."""
    rows_read: int = 0
    bytes_written: int = 0
    extract_seconds: float = 0.0
    load_seconds: float = 0.0
    validate_seconds: float = 0.0
    lines: list[LoadEvent] = field(default_factory=list)
    """What the ledger is to say of it beside its commit or its failure, and is written with that."""
    started_at: datetime = field(default_factory=utc_now)
    _started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.reason = self.reason or self.step.reason

    def began(self) -> None:
        """The clock of this unit starts now, not when its table was planned."""
        self.started_at, self._started = utc_now(), time.perf_counter()

    @property
    def read(self) -> Staged:
        """What was read from the source. Raises StateError before anything was."""
        if self.staged is None:
            raise StateError(f"{self.step.table} {self.step.unit}: nothing was read yet")
        return self.staged

    @property
    def looked_at(self) -> InWarehouse:
        """What the warehouse was found to hold. Raises StateError before anybody looked."""
        if self.found is None:
            raise StateError(f"{self.step.table} {self.step.unit}: nobody looked into the warehouse yet")
        return self.found

    @property
    def known(self) -> Staged | InLake:
        """Where the unit's rows are known from: the lake, when they are loaded from there, else what was read."""
        return self.in_lake if self.in_lake is not None else self.read

    @property
    def rows_to_load(self) -> int:
        """The rows on their way to the warehouse."""
        return self.in_lake.rows if self.in_lake is not None else self.read.rows_read

    def result(self, status: Status, failure: Failure | None = None) -> UnitResult:
        """The outcome as a value."""
        known = self.staged or self.in_lake
        probe = known.probe if known is not None else self.step.probe
        return UnitResult(
            table=self.step.table,
            kind=self.step.kind,
            unit=self.step.unit,
            status=status,
            reason=self.reason,
            load_id=self.load_id,
            rows_read=self.rows_read,
            bytes_written=self.bytes_written,
            files=self.files,
            contracts=self.contracts,
            counts=self.counts,
            compared=self.compared,
            load_method=self.entered.method if self.entered is not None else None,
            load_method_reasons=self.entered.reasons if self.entered is not None else (),
            load_undone=self.is_undone,
            watermark=probe.watermark_high if probe is not None and status == "committed" else None,
            probe_signature=probe.signature if probe is not None else None,
            consistency=known.consistency if known is not None else None,
            started_at=self.started_at,
            duration_seconds=time.perf_counter() - self._started,
            extract_seconds=self.extract_seconds,
            load_seconds=self.load_seconds,
            validate_seconds=self.validate_seconds,
            warnings=known.warnings if known is not None else (),
            error=failure.message if failure is not None else None,
            error_type=failure.type if failure is not None else None,
            exit_code=failure.exit_code if failure is not None else 0,
        )

"""What a run did, as values. `RunResult` also answers like the mapping that callers of the public API expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.committed import TableKind
from dltsync_core.display import number_of
from dltsync_core.identity import TableName
from dltsync_core.validate.column_stats import LoadedFigure
from dltsync_core.validate.counts import RowCounts

__all__ = ["RemovedPartitions", "RowCounts", "RunResult", "Status", "UnitResult"]

Status = Literal["committed", "skipped", "failed"]


@dataclass(frozen=True)
class UnitResult:
    """One unit's outcome. `rows_read` counts rows that crossed the wire (0 when skipped); durations in seconds.

    `watermark` is the committed position as server text (None for kinds without one). `error` is the message of a
    failed unit, with its remedy; `warnings` are quality rules of severity warn that did not hold. `contracts` are those of the
    columns of the `files`, in column order (see `typemap.ColumnMapping`); not in the JSON, where every unit would repeat them.
    `compared` is what the load compared column by column, equal or not (nothing for an increment that was merged); the JSON has
    those that differ, as `differences`. `load_method` is how the rows entered a warehouse that has several ways (a SQL Server
    one: `switch`, `delete and insert`, `truncate and insert`, `update and insert`), and `load_method_reasons` why not by a
    better one. `load_undone`: the load did not pass validation, and the warehouse has the rows of before again (a SQL Server one,
    where they were switched).
    """

    table: TableName
    kind: TableKind
    unit: str
    status: Status
    reason: str
    load_id: str | None = None
    rows_read: int = 0
    bytes_written: int = 0
    files: tuple[str, ...] = ()
    contracts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False, repr=False)
    counts: RowCounts | None = None
    compared: tuple[LoadedFigure, ...] = field(default=(), repr=False)
    load_method: str | None = None
    load_method_reasons: tuple[str, ...] = ()
    load_undone: bool = False
    watermark: str | None = None
    probe_signature: str | None = None
    consistency: str | None = None
    started_at: datetime | None = None
    duration_seconds: float = 0.0
    extract_seconds: float = 0.0
    load_seconds: float = 0.0
    validate_seconds: float = 0.0
    error: str | None = None
    error_type: str | None = None
    warnings: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True)
class RemovedPartitions:
    """Partitions out of retention that left the warehouse: each with its rows there. `method` is how (`switch`, `truncate`,
    `delete`; None where only records of loads were left) and `reasons` why not by a better way; `boundaries` were merged."""

    table: TableName
    partitions: Mapping[str, int] = field(hash=False)
    method: str | None = None
    reasons: tuple[str, ...] = ()
    boundaries: int = 0

    @property
    def rows(self) -> int:
        return sum(self.partitions.values())

    @property
    def sentence(self) -> str:
        """For notes."""
        how = f" by {self.method}" if self.method is not None else ""
        merged = (
            f"; {number_of(self.boundaries, 'boundary', 'boundaries')} between empty partitions merged"
            if self.boundaries
            else ""
        )
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return (
            f"{self.table}: {number_of(len(self.partitions), 'partition')} out of retention with "
            f"{number_of(self.rows, 'row')} left the "
            f"warehouse{how}{why}{merged}"
        )


@dataclass(frozen=True)
class RunResult(Mapping[str, Any]):
    """The whole run. Mapping keys: run_id, tables_processed, total_records, total_duration_seconds, tables_skipped,
    tables_failed, success, peak_memory_mb, units (list of dicts), errors (list of str), notes, drift (list of dicts), removed
    (list of dicts: table, partitions with their rows, rows, method, reasons, boundaries).

    `drift` is what changed in the columns of its tables, also where that stopped one. `tables_processed` counts tables with at
    least one committed unit; `total_records` counts rows read.
    """

    run_id: str
    units: tuple[UnitResult, ...]
    total_duration_seconds: float
    peak_memory_mb: float | None = None
    notes: tuple[str, ...] = field(default=())
    drift: tuple[ColumnChange, ...] = ()
    removed: tuple[RemovedPartitions, ...] = ()

    @property
    def failed(self) -> tuple[UnitResult, ...]:
        return tuple(u for u in self.units if u.status == "failed")

    @property
    def success(self) -> bool:
        return not self.failed

    def _tables(self, status: Status) -> set[TableName]:
        return {u.table for u in self.units if u.status == status}

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        processed, failed = self._tables("committed"), self._tables("failed")
        return {
            "run_id": self.run_id,
            "success": self.success,
            "tables_processed": len(processed),
            "tables_skipped": len(self._tables("skipped") - processed - failed),
            "tables_failed": len(failed),
            "total_records": sum(u.rows_read for u in self.units),
            "total_duration_seconds": self.total_duration_seconds,
            "peak_memory_mb": self.peak_memory_mb,
            "units": [_unit_dict(u) for u in self.units],
            "errors": [f"{u.table} {u.unit}: {u.error}" for u in self.failed],
            "notes": list(self.notes),
            "drift": [asdict(finding) for finding in self.drift],
            "removed": [
                {**asdict(one), "table": str(one.table), "rows": one.rows, "reasons": list(one.reasons)}
                for one in self.removed
            ],
        }

    def __getitem__(self, key: str) -> Any:
        return self.as_dict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())


def _unit_dict(unit: UnitResult) -> dict[str, Any]:
    values = asdict(unit)
    values["table"] = str(unit.table)
    values["started_at"] = unit.started_at.isoformat() if unit.started_at else None
    values["files"] = list(unit.files)
    del values["contracts"], values["compared"]
    values["differences"] = [asdict(figure) for figure in unit.compared if not figure.equal]
    values["warnings"] = list(unit.warnings)
    values["load_method_reasons"] = list(unit.load_method_reasons)
    return values

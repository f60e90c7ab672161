"""The report of a comparison over many tables: what `dltsync validate` prints and Dagster shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dltsync_core.committed import TableKind
from dltsync_core.identity import TableName
from dltsync_core.validate.column_stats import ColumnDifference, as_json
from dltsync_core.validate.counts import RowCounts, difference
from dltsync_core.validate.row_diff import RowDiff


@dataclass(frozen=True)
class UnitComparison:
    """One unit as it stands now in the three places. `columns` are the figures of its columns that differ, `problems` sentences
    about its files in the lake that are not whole, `row_diff` its rows that differ, when they were asked for."""

    unit: str
    counts: RowCounts
    columns: tuple[ColumnDifference, ...] = ()
    problems: tuple[str, ...] = ()
    row_diff: RowDiff | None = None

    @property
    def equal(self) -> bool:
        return self.same_rows and not self.problems

    @property
    def same_rows(self) -> bool:
        """Whether the sides that could be compared are equal."""
        return self.counts.equal and not self.columns

    @property
    def messages(self) -> tuple[str, ...]:
        """The differences as sentences. When counts differ only the counts are reported, because the sums then differ too."""
        differing = [difference(self.counts)] if not self.counts.equal else [str(column) for column in self.columns]
        return tuple(f"{self.unit}: {said}" for said in (*self.problems, *differing))


@dataclass(frozen=True)
class TableComparison:
    """One table. `problems` are sentences about differences outside of units and failed comparisons; any of them makes it
    invalid. `notes` are about intended omissions."""

    table: TableName
    kind: TableKind
    units: tuple[UnitComparison, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.problems and all(unit.equal for unit in self.units)

    @property
    def messages(self) -> tuple[str, ...]:
        """Every problem and every difference, as sentences."""
        return (*self.problems, *(message for unit in self.units for message in unit.messages))


def as_report(tables: Sequence[TableComparison]) -> dict[str, Any]:
    """JSON-ready: {"valid", "valid_tables", "total_tables", "tables": [{table, kind, valid, units, problems, messages,
    notes}]}."""
    return {
        "valid": all(table.valid for table in tables),
        "valid_tables": sum(table.valid for table in tables),
        "total_tables": len(tables),
        "tables": [_table(table) for table in tables],
    }


def _table(table: TableComparison) -> dict[str, Any]:
    return {
        "table": str(table.table),
        "kind": table.kind,
        "valid": table.valid,
        "units": [_unit(unit) for unit in table.units],
        "problems": list(table.problems),
        "messages": list(table.messages),
        "notes": list(table.notes),
    }


def _unit(unit: UnitComparison) -> dict[str, Any]:
    counts = unit.counts
    return {
        "unit": unit.unit,
        "source": counts.source,
        "lake": counts.lake,
        "warehouse": counts.warehouse,
        "retained": counts.retained,
        "equal": unit.equal,
        "columns": as_json(unit.columns),
        "messages": list(unit.messages),
        "row_diff": unit.row_diff.as_dict() if unit.row_diff is not None else None,
    }

"""The report of a comparison over many tables: what `dltsync validate` prints and Dagster shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dltsync_core.identity import TableName
from dltsync_core.plan.steps import TableKind
from dltsync_core.validate.counts import ThreeCounts, difference


@dataclass(frozen=True)
class UnitComparison:
    """One unit as it stands now in the three places."""

    unit: str
    counts: ThreeCounts


@dataclass(frozen=True)
class TableComparison:
    """One table. `problems` are sentences about what could not be compared or is missing; any of them makes it invalid."""

    table: TableName
    kind: TableKind
    units: tuple[UnitComparison, ...]
    problems: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.problems and all(unit.counts.equal for unit in self.units)

    @property
    def messages(self) -> tuple[str, ...]:
        """Every problem and every difference, as sentences."""
        different = [u for u in self.units if not u.counts.equal]
        return (*self.problems, *(f"{u.unit}: {difference(u.counts)}" for u in different))


def as_report(tables: Sequence[TableComparison]) -> dict[str, Any]:
    """JSON-ready: {"valid", "valid_tables", "total_tables", "tables": [{table, kind, valid, units, messages}]}."""
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
        "messages": list(table.messages),
    }


def _unit(unit: UnitComparison) -> dict[str, Any]:
    counts = unit.counts
    return {
        "unit": unit.unit,
        "source": counts.source,
        "lake": counts.lake,
        "warehouse": counts.warehouse,
        "kept": counts.kept,
        "equal": counts.equal,
    }

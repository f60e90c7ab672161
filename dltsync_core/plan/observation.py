"""What the lake and the warehouse hold of a table when a plan is made, as values to plan from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class UnitObservation:
    """One unit: the live loads of the lake (oldest first), what is wrong with their files, the rows of the warehouse.
    `fill` says why the warehouse must be filled again although the lake holds what the committed unit says; empty when it
    need not be."""

    lake_loads: tuple[str, ...] = ()
    lake_problems: tuple[str, ...] = ()
    warehouse_rows: int = 0
    fill: str = ""


@dataclass(frozen=True)
class TableObservation:
    """One table, by unit. A unit that is not listed is nowhere."""

    warehouse_table_exists: bool = False
    units: Mapping[str, UnitObservation] = field(default_factory=dict)

    def unit(self, unit: str) -> UnitObservation:
        return self.units.get(unit, UnitObservation())

    def left_behind(self, known: Collection[str]) -> tuple[str, ...]:
        """Units the lake shows beside the `known` ones: published by a run that was killed before its commit, and gone since.
        Readers of the lake see their rows a second time until a load retires them."""
        return tuple(sorted(unit for unit, found in self.units.items() if found.lake_loads and unit not in known))

"""Steps of a plan, and how their rows enter the warehouse.

Plain values: `dltsync plan` prints them, Dagster shows them, `run` carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.committed import Probe, TableKind
from dltsync_core.identity import TableName
from dltsync_core.ranges import PartitionRange


@dataclass(frozen=True)
class ReplaceScope:
    """The rows of some partitions: they are deleted and the load's rows take their place, in one transaction.

    Made by the warehouse's `scope_for`, which refuses columns whose order differs in the warehouse. `arrow_type` is the
    type the partition column has in the lake, hence in the warehouse.
    """

    column: ColumnFacts
    arrow_type: pa.DataType
    ranges: tuple[PartitionRange, ...]


@dataclass(frozen=True)
class MergeKeys:
    """Rows with the same key are replaced, others stay (scd: business keys and effective date)."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class ReplaceTable:
    """The load becomes the whole table."""


@dataclass(frozen=True)
class UpsertKeys:
    """Rows with the same key are updated, new ones inserted, others stay (static, load_strategy upsert)."""

    columns: tuple[str, ...]


Disposition: TypeAlias = "ReplaceScope | MergeKeys | ReplaceTable | UpsertKeys"


class Action(str, Enum):
    """What happens to one unit (a partition, or a whole scd or static table)."""

    SKIP = "skip"
    """Nothing changed since the last commit: no row is read."""
    LOAD = "load"
    """Read the unit, publish it, load it, validate it, commit it."""
    LOAD_INCREMENT = "load_increment"
    """scd: read only the versions changed since the watermark (less the lag)."""
    RELOAD = "reload"
    """The lake holds the unit whole, as the source has it: only the warehouse is filled again, no row of the source is read."""


@dataclass(frozen=True)
class Step:
    """One unit and what to do with it. `unit` is a partition key, or identity.WHOLE_TABLE.

    `window_low` (exclusive) and `window_high` (inclusive) bound a LOAD_INCREMENT in the column's own type, as server text.
    `reason` is a sentence a person reads. `replaces` names committed units whose rows this step takes over.
    """

    table: TableName
    kind: TableKind
    unit: str
    action: Action
    reason: str
    probe: Probe | None = None
    slot_number: int | None = None
    approx_rows: int | None = None
    window_low: str | None = None
    window_high: str | None = None
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutOfRetention:
    """A partition before the table's window (`plan.retention`). `rows` are those that the warehouse has of it; with `is_removed`
    they, and the record of their load, are removed after the next successful load. `reason` is a sentence a person reads."""

    table: TableName
    unit: str
    slot_number: int
    rows: int
    is_removed: bool
    reason: str


@dataclass(frozen=True)
class TablePlan:
    """What a run would do with one table.

    `groups` are the steps that are committed together, all or none: one step alone, or the replacements of removed units.
    `contracts` says for every column that is brought over what is promised about its values (see `typemap.ColumnMapping`),
    `left_out` for every other column why it is not; `drift` is what changed in the columns since the last commit. They follow
    from catalogue and config, not from what is to be done. `out_of_retention` are the partitions before the window: one of them
    is a step only if it takes over rows of a unit that reached into the window, nothing of the others is read.
    `boundaries_to_merge` are those of the warehouse table between empty partitions before the window.
    """

    table: TableName
    kind: TableKind
    groups: tuple[tuple[Step, ...], ...]
    change_detection: str
    notes: tuple[str, ...] = ()
    contracts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    left_out: Mapping[str, str] = field(default_factory=dict, hash=False)
    drift: tuple[ColumnChange, ...] = ()
    out_of_retention: tuple[OutOfRetention, ...] = ()
    boundaries_to_merge: int = 0

    @property
    def is_to_be_trimmed(self) -> bool:
        """Whether anything out of retention is left in the warehouse."""
        return bool(self.removals or self.boundaries_to_merge)

    @property
    def not_read(self) -> tuple[OutOfRetention, ...]:
        """The partitions out of retention that are no steps."""
        steps = {step.unit for group in self.groups for step in group}
        return tuple(one for one in self.out_of_retention if one.unit not in steps)

    @property
    def removals(self) -> tuple[OutOfRetention, ...]:
        """The partitions of which something is removed from the warehouse."""
        return tuple(one for one in self.out_of_retention if one.is_removed)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in partition order."""
        return tuple(sorted((step for group in self.groups for step in group), key=lambda step: step.slot_number or 0))

    @property
    def groups_to_load(self) -> tuple[tuple[Step, ...], ...]:
        """The groups that do something. The members of a group of several are all loaded."""
        return tuple(group for group in self.groups if any(step.action is not Action.SKIP for step in group))

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action is not Action.SKIP)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON has it, with a flat list of steps."""
        facts = asdict(replace(self, groups=()))
        del facts["groups"]
        return {**facts, "steps": [asdict(step) for step in self.steps]}

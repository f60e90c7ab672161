"""Partition tables: which slots to load, and which of them take over the rows of slots that are gone.

SPLIT and MERGE remove committed units. Their rows belong to slots that were never loaded; those are found without
comparing values (only the server knows its order), by walking along boundaries that both sides know. The slots that take
over are one group: all of them are loaded, and only together do they replace what vanished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot, TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import PartitionTableConfig
from dltsync_core.display import number_of
from dltsync_core.errors import NotPartitioned
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.judgement import UnitJudgement, decide, units_only_in_lake
from dltsync_core.plan.keys import row_key
from dltsync_core.plan.repartition import RepartitionGroup, repartition_groups
from dltsync_core.plan.retention import out_of_retention, reading_also
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, Step, TablePlan


def with_partitions_taking_over(
    facts: TableFacts,
    table: PartitionTableConfig,
    *,
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    published: Collection[str] = (),
    options: RunOptions,
) -> TableFacts:
    """The facts with the partitions out of retention that a run has to read: those that take over rows of a removed unit that
    reached into the table's window. All others are left unread. `published` are units that the lake has and the ledger does not
    know."""
    partitioning = facts.partitioning
    if partitioning is None or not partitioning.before_window:
        return facts
    groups = _groups(partitioning, table, committed_units, judgements, published)
    asked = options.partition_keys
    wanted = [group for group in groups if asked is None or asked.intersection(group.replacements)]
    return reading_also(facts, {unit for group in wanted for unit in group.replacements})


def plan_partition_table(
    facts: TableFacts,
    table: PartitionTableConfig,
    *,
    definition: TableDefinition,
    probes: Mapping[int, Probe],
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    options: RunOptions,
) -> TablePlan:
    """The steps of one partition table. Replacements of removed units are one group of steps and name them in `replaces`.

    `probes` are by slot number. With `options.partition_keys` only those units are planned, and every member of a group
    that one of them belongs to. Raises LakeError or WarehouseError (healing off),
    NotPartitioned.
    """
    partitioning = facts.partitioning
    if partitioning is None:
        raise NotPartitioned(f"{facts.name} does not lie on a partition scheme", remedy="configure it as static")
    live = _live(table, committed_units)
    found = _groups(partitioning, table, committed_units, judgements)
    removed_again = {one.unit: one.reason for one in out_of_retention(facts, table, {})}
    group_of = {unit: group for group in found for unit in group.replacements}
    wanted = _wanted(partitioning, found, options)
    groups: dict[str, list[Step]] = {}  # by the first unit of each group
    method: str = table.change_detection
    for slot in partitioning.slots:
        unit = slot.range.key
        if unit not in wanted:
            continue
        group, method = group_of.get(unit), probes[slot.number].method
        step = _step(facts.name, slot, live.get(unit), definition, probes[slot.number], judgements.get(unit), options)
        step = _inherit(step, group)
        if unit in removed_again:
            step = replace(step, reason=f"{step.reason}; {removed_again[unit]}")
        groups.setdefault(group.replacements[0] if group else unit, []).append(step)
    return TablePlan(facts.name, "partition", tuple(map(tuple, groups.values())), method, _notes(facts, table, method))


def _live(table: PartitionTableConfig, committed_units: CommittedUnits) -> dict[str, CommittedUnit]:
    return {unit: committed for unit, committed in committed_units.live.items() if committed.kind == table.kind}


def _groups(
    partitioning: PartitioningFacts,
    table: PartitionTableConfig,
    committed_units: CommittedUnits,
    judgements: Mapping[str, UnitJudgement],
    published: Collection[str] = (),
) -> list[RepartitionGroup]:
    live = _live(table, committed_units)
    current = {slot.range.key for slot in partitioning.all_slots}
    left_behind = units_only_in_lake(judgements, {*committed_units.live, *current})
    whole = [unit for unit in left_behind if unit == WHOLE_TABLE]
    strangers = tuple(sorted({*committed_units.live, *whole} - set(live)))
    return repartition_groups(partitioning, {*live, *left_behind} - set(strangers), strangers, published=published)


def _step(
    name: TableName,
    slot: Slot,
    committed_unit: CommittedUnit | None,
    definition: TableDefinition,
    probe: Probe,
    judgement: UnitJudgement | None,
    options: RunOptions,
) -> Step:
    decision = decide(judgement, committed_unit, probe, definition, options)
    return Step(
        table=name,
        kind="partition",
        unit=slot.range.key,
        action=decision.action,
        reason=decision.reason,
        probe=probe,
        slot_number=slot.number,
        approx_rows=slot.approx_rows,
    )


def _wanted(partitioning: PartitioningFacts, found: Sequence[RepartitionGroup], options: RunOptions) -> set[str]:
    units = {slot.range.key for slot in partitioning.slots}
    if options.partition_keys is None:
        return units
    wanted = units & options.partition_keys
    for group in found:
        if wanted.intersection(group.replacements):
            wanted.update(group.replacements)
    return wanted


def _inherit(step: Step, group: RepartitionGroup | None) -> Step:
    if group is None:
        return step
    removed = _listed(group.removed)
    others = len(group.replacements) - 1
    together = f", together with {number_of(others, 'other partition')}" if others else ""
    reason = f"new boundaries: takes over {removed}{together}"
    return replace(step, action=Action.LOAD, replaces=group.removed, reason=reason)


def _listed(units: Iterable[str]) -> str:
    first, *more = units
    return first if not more else f"{first} and {len(more)} more"


def _notes(facts: TableFacts, table: PartitionTableConfig, method: str) -> tuple[str, ...]:
    """What the way of looking cannot judge."""
    if method == "row_count":
        return ("row_count is weak: an update, or an insert with a delete, goes unseen",)
    if method != "last_modified":
        return ()
    notes = []
    if not row_key(facts):
        notes.append(
            "without a primary or unique key only the stamps are compared: a row that takes the place of another with the same "
            "stamp goes unseen; add a key, or set change_detection to fingerprint"
        )
    modified = facts.column(table.last_modified_column or "")
    tick = _tick(modified) if modified is not None else None
    if tick is not None:
        notes.append(
            f"{table.last_modified_column} counts in steps of a {tick}: a row that is changed again within the {tick} of its "
            "stamp, after it was loaded, goes unseen; stamp it more finely, or set change_detection to fingerprint"
        )
    return tuple(notes)


def _tick(stamp: ColumnFacts) -> str | None:
    """The step of a stamp that is too coarse to be a new one with every change."""
    if stamp.type_name in {"datetime2", "datetimeoffset"}:
        return "second" if stamp.scale == 0 else None
    return {"date": "day", "smalldatetime": "minute"}.get(stamp.type_name)

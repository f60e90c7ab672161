"""The evidence of ledger, lake and warehouse for each unit of a table, judged; and repairs that need no row of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dltsync_core import checkpoints
from dltsync_core.clock import parse_iso, utc_now
from dltsync_core.committed import (
    CommitChange,
    CommittedUnit,
    CommittedUnits,
    TableKind,
    lake_digest,
    prefix_digests,
)
from dltsync_core.display import number_of
from dltsync_core.errors import LakeError, LeaseHeld, NeedsAnswer, StateConflict, StateError
from dltsync_core.identity import WHOLE_TABLE, TableName, in_shell
from dltsync_core.lake.inspect import LakeInspection
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.judgement import RecoveryVerdict, UnitEvidence, UnitJudgement, judge, judge_all
from dltsync_core.plan.retention import units_out_of_retention
from dltsync_core.plan.selection import RunOptions
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.orphan_files import quarantine_unlisted, with_orphans
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.planning.warehouse import WarehouseInspection
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.warehouse.port import WarehouseTable

REPAIRS = 2
"""How often a table is inspected and repaired: a manifest that is set aside leaves files that no manifest names."""


@dataclass(frozen=True)
class ReconciledTable:
    """One table: what lies in the lake, and the judgement of each unit."""

    table: TableName
    inspection: LakeInspection
    committed_units: CommittedUnits
    judgements: Mapping[str, UnitJudgement]

    @property
    def believed(self) -> CommittedUnits:
        """The committed units to plan from: the ledger's, or what the evidence puts in their place. Units out of retention are
        not judged, and are the ledger's."""
        live = {unit: known for unit, known in self.committed_units.live.items() if unit not in self.judgements}
        live |= {unit: each.committed_unit for unit, each in self.judgements.items() if each.committed_unit is not None}
        return CommittedUnits(live, self.committed_units.generations)

    @property
    def only_in_lake(self) -> frozenset[str]:
        """Units that the lake has and the ledger does not know."""
        return frozenset(self.inspection.units) - frozenset(self.committed_units.live)

    @property
    def question(self) -> UnitJudgement | None:
        """The first question that only a person can answer."""
        return next((each for each in self.judgements.values() if each.verdict is RecoveryVerdict.ASK), None)

    @property
    def adopted(self) -> tuple[UnitJudgement, ...]:
        """Units that lake and warehouse agree on, for the ledger to take over."""
        return tuple(each for each in self.judgements.values() if each.verdict is RecoveryVerdict.ADOPT)


def inspect_table(
    context: RunContext,
    resolved: ResolvedTable,
    committed_units: CommittedUnits,
    warehouse: WarehouseInspection,
    *,
    deep: bool = False,
) -> ReconciledTable:
    """Judge every unit that ledger or lake know, but for those out of retention. Writes nothing. `deep` reads every live
    file and compares its checksum."""
    inspection = context.lake.inspect(resolved.name, deep=deep)
    if inspection.problems:  # another run may have published between two of its listings
        inspection = context.lake.inspect(resolved.name, deep=deep)
    inspection = with_orphans(context, inspection)
    known = {*committed_units.live, *inspection.units}
    beyond = units_out_of_retention(
        resolved.facts.partitioning, committed_units.live, set(inspection.units) - set(committed_units.live)
    )
    units = sorted(known - beyond)
    if inspection.questions and not inspection.units:  # nothing but manifests that a person must judge
        units = sorted({*units, WHOLE_TABLE})
    if not units:
        return ReconciledTable(resolved.name, inspection, committed_units, {})
    found = warehouse.table(resolved)
    missing = _missing_columns(resolved, found)
    gone = bool(set(committed_units.live) - set(resolved.units) - beyond)
    questions = tuple(str(finding) for finding in inspection.questions)
    evidence = []
    for unit in units:
        manifests, ledger = inspection.units.get(unit, ()), committed_units.live.get(unit)
        evidence.append(
            UnitEvidence(
                unit=unit,
                source=resolved.definition.source,
                ledger=ledger,
                lake=committed_unit_of(manifests, resolved.config.kind),
                lake_loads=tuple(manifest.load_id for manifest in manifests),
                problems=inspection.problems_of(unit),
                marker=found.markers.get(unit),
                warehouse_rows=found.counts.get(unit, 0),
                missing_columns=missing if ledger is not None and resolved.definition.fits(ledger) else (),
                questions=questions,
                gone_units=gone,
            )
        )
    judgements = _counted_in_lake(context, resolved, judge_all(evidence))
    return ReconciledTable(resolved.name, inspection, committed_units, judgements)


def reconcile(
    context: RunContext,
    resolved: ResolvedTable,
    committed_units: CommittedUnits,
    warehouse: WarehouseInspection,
    options: RunOptions,
) -> ReconciledTable:
    """What a plan may build upon. With `options.repair_state` damaged and unknown files are set aside first, and committed
    units that lake and warehouse agree on are adopted. Raises NeedsAnswer, StateError (self healing off and the ledger is
    not right)."""
    found = inspect_table(context, resolved, committed_units, warehouse)
    if not options.heal:
        _check_ledger_knows_all(found)
        return found
    if found.question is not None and not options.full_refresh:
        raise _asked(found, found.question)
    for _ in range(REPAIRS):
        if options.repair_state and (found.inspection.movable or found.adopted):
            repair_state(context, resolved, found)
            found = inspect_table(context, resolved, context.ledger.committed_units(resolved.name), warehouse)
    return found


def repair_state(context: RunContext, resolved: ResolvedTable, found: ReconciledTable) -> None:
    """Set aside what is no part of the table in the lake, then adopt committed units by compare-and-set, each under its lease."""
    quarantine_unlisted(context, found.inspection)
    highest = context.lake.highest_sequence(resolved.name) if found.adopted else 0
    for judgement in found.adopted:
        _adopt(context, resolved, found, judgement, highest)


def _adopt(
    context: RunContext, resolved: ResolvedTable, found: ReconciledTable, judgement: UnitJudgement, highest: int
) -> None:
    """Commit what lake and warehouse agree on, unless another run holds the unit: then that run commits it. `highest` is
    the highest fence that the lake knew a moment ago."""
    committed_unit, generation = judgement.committed_unit, found.committed_units.generation(judgement.unit)
    if committed_unit is None:
        return
    event = LoadEvent(
        resolved.name,
        resolved.config.kind,
        judgement.unit,
        committed_unit.load_id,
        context.run_id,
        LoadStatus.COMMITTED,
        utc_now(),
        committed_unit.rows,
        f"recovered: {judgement.reason}",
    )
    change = CommitChange(judgement.unit, generation, replace(committed_unit, generation=generation + 1))
    try:
        with context.leases.held(
            resolved.name,
            [judgement.unit],
            at_least=max(highest, context.lake.highest_sequence_of(resolved.name, [judgement.unit])),
            wait_seconds=0,
            on_wait=log.debug,
            raise_if_stopped=context.raise_if_stopped,
        ) as held:
            checkpoints.reached(checkpoints.ADOPTING)
            # What the killed load left besides goes at the end of the run: cleaning up now would undo loads of other units that
            # are about to be adopted.
            context.warehouse.confirm(
                resolved.target, context.config.pipeline_name, {judgement.unit: committed_unit.load_id}
            )
            context.ledger.commit(resolved.name, [change], [event], lease=held.lease)
    except (LeaseHeld, StateConflict) as busy:
        log.info("left to the run that holds it: %s", busy.problem)
        return
    log.warning("%s %s: %s", resolved.name, judgement.unit, judgement.reason)


def committed_unit_of(manifests: Sequence[Manifest], kind: TableKind) -> CommittedUnit | None:
    """The committed unit that the live loads of a unit amount to; None when there are none, or not all of them are there."""
    if not manifests or any(manifest.kind != kind for manifest in manifests):
        return None
    first, last = manifests[0], manifests[-1]
    loads = [m.load_id for m in manifests]
    chained = all(m.builds_on == before for m, before in zip(manifests[1:], prefix_digests(loads), strict=False))
    if not first.replaces_unit or not chained:
        return None
    rows = last.probe.rows if kind == "scd" else last.rows
    return CommittedUnit(
        identity=last.identity,
        generation=0,
        probe=last.probe,
        rows=rows,
        warehouse_rows=rows,
        lake=lake_digest(loads),
        committed_at=parse_iso(last.created_at),
        watermark=last.probe.watermark_high,
    )


def _missing_columns(resolved: ResolvedTable, found: WarehouseTable) -> tuple[str, ...]:
    """Columns that were dropped or renamed in the warehouse; none when the whole table is gone."""
    there = {name.casefold() for name in found.columns}
    return tuple(column.name for column in resolved.mapping.columns if there and column.name.casefold() not in there)


def _counted_in_lake(
    context: RunContext, resolved: ResolvedTable, judgements: Mapping[str, UnitJudgement]
) -> dict[str, UnitJudgement]:
    """What is to be adopted is counted in the lake first: files that were never committed are not believed uncounted."""
    counted = dict(judgements)
    keys = resolved.keys if resolved.config.kind == "scd" else None
    for unit, judgement in judgements.items():
        if judgement.verdict is not RecoveryVerdict.ADOPT or judgement.committed_unit is None:
            continue
        rows = judgement.committed_unit.rows
        try:
            held = (
                context.lake.count(resolved.name, unit)
                if keys is None
                else context.lake.count(resolved.name, unit, keys)
            )
            problem = "" if held == rows else f"the files hold {number_of(held, 'row')} of {rows:,}"
        except LakeError as error:
            problem = error.problem
        if problem:
            counted[unit] = judge(replace(judgement.evidence, problems=(problem,)))
    return counted


def _asked(found: ReconciledTable, question: UnitJudgement) -> NeedsAnswer:
    return NeedsAnswer(
        f"{found.table} {question.unit}: {question.reason}",
        remedy=f"look with `dltsync recover --tables {in_shell(found.table)} --dry-run`; when that is right, answer with "
        f"`dltsync recover --tables {in_shell(found.table)} --answer {question.answer}`",
        table=str(found.table),
        unit=question.unit,
    )


def _check_ledger_knows_all(found: ReconciledTable) -> None:
    """Without self healing a unit of the lake that the ledger does not know is an error, not a reason to read."""
    for unit, judgement in found.judgements.items():
        if judgement.verdict is RecoveryVerdict.ASK:
            raise _asked(found, judgement)
        if unit not in found.committed_units.live:
            raise StateError(
                f"{found.table} {unit}: {judgement.reason}",
                remedy=f"`dltsync recover --tables {in_shell(found.table)}` shows and repairs it, or switch on "
                "state.enable_self_healing",
                table=str(found.table),
                unit=unit,
            )

"""What ledger, lake and warehouse know of a table, laid side by side; and what can be put right without reading the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dltsync_core import checkpoints
from dltsync_core.clock import parse_iso, utc_now
from dltsync_core.committed import (
    CommitChange,
    CommittedUnit,
    CommittedUnits,
    Probe,
    TableKind,
    lake_digest,
    prefix_digests,
)
from dltsync_core.errors import LakeError, LeaseHeld, NeedsAnswer, StateConflict, StateError
from dltsync_core.identity import WHOLE_TABLE, TableName, in_shell
from dltsync_core.lake.inspect import LakeInspection
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.observation import TableObservation, UnitObservation
from dltsync_core.plan.recovery import MarkedUnit, RecoveryDecision, RecoveryVerdict, UnitEvidence, decide_all
from dltsync_core.plan.run_options import RunOptions
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.orphan_files import clear_strays, with_orphans
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.state.records import LoadEvent, LoadStatus

MENDINGS = 2
"""How often it is looked and mended: a manifest that is set aside leaves files that no manifest names."""


@dataclass(frozen=True)
class ReconciledTable:
    """One table: what lies in the lake, what is decided of each unit, and what the plan sees of it."""

    table: TableName
    survey: LakeInspection
    committed_units: CommittedUnits
    decisions: Mapping[str, RecoveryDecision]
    observed: TableObservation

    @property
    def believed(self) -> CommittedUnits:
        """The committed units to plan from: the ledger's, or what the evidence puts in their place."""
        live = {
            unit: decision.committed_unit
            for unit, decision in self.decisions.items()
            if decision.committed_unit is not None
        }
        return CommittedUnits(live, self.committed_units.generations)

    @property
    def question(self) -> RecoveryDecision | None:
        """The first thing only a person can tell."""
        return next((d for d in self.decisions.values() if d.verdict is RecoveryVerdict.ASK), None)


def inspect_table(
    context: RunContext, resolved: ResolvedTable, committed_units: CommittedUnits, *, deep: bool = False
) -> ReconciledTable:
    """Lay the three places side by side. Writes nothing. `deep` reads every live file and compares its checksum."""
    survey = context.lake.survey(resolved.name, deep=deep)
    if survey.problems:  # another run may have published between two of its listings
        survey = context.lake.survey(resolved.name, deep=deep)
    survey = with_orphans(context, survey)
    units = sorted({*committed_units.live, *survey.units, *_asked_about(survey)})
    if not units:
        return ReconciledTable(resolved.name, survey, committed_units, {}, TableObservation())
    rows, marks = _warehouse(context, resolved, units)
    gone = bool(set(committed_units.live) - set(resolved.units))
    questions = tuple(str(finding) for finding in survey.questions)
    evidence, seen = [], {}
    for unit in units:
        manifests = survey.units.get(unit, ())
        problems = survey.problems_of(unit)
        found = UnitEvidence(
            unit=unit,
            source=resolved.definition.source,
            ledger=committed_units.live.get(unit),
            lake=committed_unit_of(manifests, resolved.config.kind),
            lake_loads=lake_digest(m.load_id for m in manifests) if manifests else None,
            problems=problems,
            mark=marks.get(unit),
            warehouse_rows=rows.get(unit, 0),
            questions=questions,
            gone_units=gone,
        )
        evidence.append(found)
        seen[unit] = UnitObservation(tuple(m.load_id for m in manifests), problems, rows.get(unit, 0))
    decisions = _with_columns(context, resolved, _proven(context, resolved, decide_all(evidence)))
    observed = {
        unit: replace(each, fill=decisions[unit].reason if decisions[unit].fill else "") for unit, each in seen.items()
    }
    return ReconciledTable(
        resolved.name, survey, committed_units, decisions, TableObservation(any(rows.values()), observed)
    )


def reconcile(
    context: RunContext, resolved: ResolvedTable, committed_units: CommittedUnits, options: RunOptions
) -> ReconciledTable:
    """What a plan may build upon. With `intent.mend` damaged and strange files are set aside first, and committed units that
    lake and warehouse agree upon are adopted. Raises NeedsAnswer, StateError (healing off and the ledger is not right)."""
    found = inspect_table(context, resolved, committed_units)
    if not options.heal:
        _refuse_to_heal(found)
        return found
    if found.question is not None and not options.full_refresh:
        raise _asked(found, found.question)
    for _ in range(MENDINGS):
        if options.repair_state and (found.survey.strays or _adopted(found)):
            repair_state(context, resolved, found)
            found = inspect_table(context, resolved, context.ledger.committed_units(resolved.name))
    return found


def repair_state(context: RunContext, resolved: ResolvedTable, found: ReconciledTable) -> None:
    """Set aside what lies wrong in the lake, then adopt committed units by compare-and-set, each under the unit's lease."""
    clear_strays(context, found.survey)
    adopted = _adopted(found)
    highest = context.lake.highest_sequence(resolved.name) if adopted else 0
    for decision in adopted:
        _adopt(context, resolved, found, decision, highest)


def _adopt(
    context: RunContext, resolved: ResolvedTable, found: ReconciledTable, decision: RecoveryDecision, highest: int
) -> None:
    """Commit what lake and warehouse agree on, unless somebody is at work on the unit: then it is theirs to commit. `highest`
    is the highest fence that the lake knew a moment ago."""
    committed_unit, generation = decision.committed_unit, found.committed_units.generation(decision.unit)
    if committed_unit is None:
        return
    event = LoadEvent(
        resolved.name,
        resolved.config.kind,
        decision.unit,
        committed_unit.load_id,
        context.run_id,
        LoadStatus.COMMITTED,
        utc_now(),
        committed_unit.rows,
        f"recovered: {decision.reason}",
    )
    change = CommitChange(decision.unit, generation, replace(committed_unit, generation=generation + 1))
    try:
        with context.leases.held(
            resolved.name,
            [decision.unit],
            at_least=max(highest, context.lake.highest_sequence_of(resolved.name, [decision.unit])),
            wait_seconds=0,
            on_wait=log.debug,
            raise_if_stopped=context.raise_if_stopped,
        ) as held:
            checkpoints.reached(checkpoints.ADOPTING)
            with context.warehouse_turn:
                context.warehouse.tidy()  # the load that got there may have been killed before it could, and none follows
            context.ledger.commit(resolved.name, [change], [event], lease=held.lease)
    except (LeaseHeld, StateConflict) as busy:
        log.info("left to the run that is at it: %s", busy.problem)
        return
    log.warning("%s %s: %s", resolved.name, decision.unit, decision.reason)


def committed_unit_of(manifests: Sequence[Manifest], kind: TableKind) -> CommittedUnit | None:
    """The committed unit that the live loads of a unit amount to; None when they do not say enough, or not all of them are
    there."""
    if not manifests or any(m.probe_rows is None or m.kind != kind for m in manifests):
        return None
    first, last = manifests[0], manifests[-1]
    loads = [m.load_id for m in manifests]
    chained = all(m.builds_on == before for m, before in zip(manifests[1:], prefix_digests(loads), strict=False))
    if not first.replaces_unit or not chained or last.probe_rows is None:
        return None
    return CommittedUnit(
        table=last.table,
        unit=last.unit,
        kind=last.kind,
        generation=0,
        load_id=last.load_id,
        run_id=last.run_id,
        probe=Probe(last.probe_method, last.probe_rows, last.probe_signature, last.watermark_high),
        rows=last.probe_rows if kind == "scd" else last.rows,
        warehouse_rows=last.probe_rows if kind == "scd" else last.rows,
        shape=last.shape,
        source=last.source,
        lake=lake_digest(loads),
        committed_at=parse_iso(last.created_at),
        watermark=last.watermark_high,
    )


def _asked_about(survey: LakeInspection) -> list[str]:
    """A table of which nothing but strange manifests is there still has a question."""
    return [WHOLE_TABLE] if survey.questions and not survey.units else []


def _warehouse(
    context: RunContext, resolved: ResolvedTable, units: Sequence[str]
) -> tuple[dict[str, int], dict[str, MarkedUnit]]:
    """Rows and marks of the units that the table has now."""
    known = [unit for unit in resolved.units if unit in units]
    scopes = {unit: scope for unit in known if (scope := resolved.scope_of(unit)) is not None}
    warehouse = context.warehouse
    with context.warehouse_turn:
        if resolved.units == [WHOLE_TABLE]:
            rows = {WHOLE_TABLE: warehouse.count(resolved.target)}
        else:
            rows = dict(warehouse.counts(resolved.target, scopes)) if scopes else {}
        found = warehouse.markers(resolved.target, context.config.pipeline_name)
    return rows, {unit: MarkedUnit(m.load_id, m.lake, m.rows, m.watermark) for unit, m in found.items()}


def _proven(
    context: RunContext, resolved: ResolvedTable, decisions: Mapping[str, RecoveryDecision]
) -> dict[str, RecoveryDecision]:
    """What is to be adopted is counted in the lake first: a committed unit that was not committed is not believed."""
    proven = dict(decisions)
    for unit, decision in decisions.items():
        if decision.verdict is not RecoveryVerdict.ADOPT or decision.committed_unit is None:
            continue
        try:
            if resolved.config.kind == "scd":
                held = context.lake.count(resolved.name, unit, resolved.keys)
            else:
                held = context.lake.count(resolved.name, unit)
            why = (
                None
                if held == decision.committed_unit.rows
                else f"the lake holds {held:,} rows of {decision.committed_unit.rows:,}"
            )
        except LakeError as error:
            why = error.problem
        if why is not None:
            proven[unit] = RecoveryDecision(unit, RecoveryVerdict.REDO, f"the lake is damaged: {why}")
    return proven


def _with_columns(
    context: RunContext, resolved: ResolvedTable, decisions: Mapping[str, RecoveryDecision]
) -> Mapping[str, RecoveryDecision]:
    """A column that somebody dropped or renamed in the warehouse is missing for every unit, although its rows are there: the
    next load of one unit would bring the column back, and leave it empty in all others."""
    kept = [
        d
        for d in decisions.values()
        if d.verdict is RecoveryVerdict.KEEP and d.committed_unit and resolved.definition.fits(d.committed_unit)
    ]
    if not kept:
        return decisions
    with context.warehouse_turn:
        there = {name.casefold() for name in context.warehouse.columns(resolved.target)}
    lost = [column.name for column in resolved.mapping.columns if column.name.casefold() not in there]
    if not there or not lost:
        return decisions
    reason = f"the warehouse table has no column {lost[0]} any more" + (
        f" (and {len(lost) - 1} more)" if lost[1:] else ""
    )
    return {
        **decisions,
        **{
            d.unit: RecoveryDecision(
                d.unit, RecoveryVerdict.RELOAD, reason, _of_no_version(d.committed_unit), fill=True
            )
            for d in kept
            if d.committed_unit
        },
    }


def _of_no_version(committed_unit: CommittedUnit) -> CommittedUnit:
    """The committed unit when the warehouse has no version whole: an increment could begin nowhere."""
    return replace(committed_unit, watermark=None) if committed_unit.kind == "scd" else committed_unit


def _adopted(found: ReconciledTable) -> list[RecoveryDecision]:
    return [d for d in found.decisions.values() if d.verdict is RecoveryVerdict.ADOPT]


def _asked(found: ReconciledTable, question: RecoveryDecision) -> NeedsAnswer:
    return NeedsAnswer(
        f"{found.table} {question.unit}: {question.reason}",
        remedy=f"look with `dltsync recover --tables {in_shell(found.table)} --dry-run`; when that is right, answer with "
        f"`dltsync recover --tables {in_shell(found.table)} --answer {question.answer}`",
        table=str(found.table),
        unit=question.unit,
    )


def _refuse_to_heal(found: ReconciledTable) -> None:
    """With healing off the ledger is all there is: a lake that it does not know is an error, not a reason to read."""
    for unit, decision in found.decisions.items():
        if decision.verdict is RecoveryVerdict.ASK:
            raise _asked(found, decision)
        if unit not in found.committed_units.live:
            raise StateError(
                f"{found.table} {unit}: {decision.reason}",
                remedy=f"`dltsync recover --tables {in_shell(found.table)}` shows and mends it, or switch on "
                "state.enable_self_healing",
                table=str(found.table),
                unit=unit,
            )

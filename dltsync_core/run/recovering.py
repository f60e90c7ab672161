"""What ledger, lake and warehouse know of a table, laid side by side; and what can be put right without reading the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dltsync_core import checkpoints
from dltsync_core.clock import parse_iso, utc_now
from dltsync_core.errors import LakeError, LeaseHeld, NeedsAnswer, StateConflict, StateError
from dltsync_core.identity import WHOLE_TABLE, TableName, in_shell
from dltsync_core.lake.manifest import Manifest
from dltsync_core.lake.survey import Survey
from dltsync_core.plan.heads import Head, HeadChange, TableHeads, growing_digests, lake_digest
from dltsync_core.plan.intent import Intent
from dltsync_core.plan.observed import TableObservation, UnitObservation
from dltsync_core.plan.steps import Probe, TableKind
from dltsync_core.run.orphans import clear_strays, with_orphans
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services, log
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.state.recovery import Decision, Evidence, Mark, Verdict, decide_all

MENDINGS = 2
"""How often it is looked and mended: a manifest that is set aside leaves files that no manifest names."""


@dataclass(frozen=True)
class Findings:
    """One table: what lies in the lake, what is decided of each unit, and what the plan sees of it."""

    table: TableName
    survey: Survey
    heads: TableHeads
    decisions: Mapping[str, Decision]
    observed: TableObservation

    @property
    def believed(self) -> TableHeads:
        """The heads to plan from: the ledger's, or what the evidence puts in their place."""
        live = {unit: decision.head for unit, decision in self.decisions.items() if decision.head is not None}
        return TableHeads(live, self.heads.generations)

    @property
    def question(self) -> Decision | None:
        """The first thing only a person can tell."""
        return next((d for d in self.decisions.values() if d.verdict is Verdict.ASK), None)


def look(services: Services, shape: TableShape, heads: TableHeads, *, deep: bool = False) -> Findings:
    """Lay the three places side by side. Writes nothing. `deep` reads every live file and compares its checksum."""
    survey = services.lake.survey(shape.name, deep=deep)
    if survey.problems:  # another run may have published between two of its listings
        survey = services.lake.survey(shape.name, deep=deep)
    survey = with_orphans(services, survey)
    units = sorted({*heads.live, *survey.units, *_asked_about(survey)})
    if not units:
        return Findings(shape.name, survey, heads, {}, TableObservation())
    rows, marks = _warehouse(services, shape, units)
    gone = bool(set(heads.live) - set(shape.units))
    questions = tuple(str(finding) for finding in survey.questions)
    evidence, seen = [], {}
    for unit in units:
        manifests = survey.units.get(unit, ())
        problems = survey.problems_of(unit)
        found = Evidence(
            unit=unit,
            source=shape.basis.source,
            ledger=heads.live.get(unit),
            lake=head_of(manifests, shape.config.kind),
            lake_loads=lake_digest(m.load_id for m in manifests) if manifests else None,
            problems=problems,
            mark=marks.get(unit),
            warehouse_rows=rows.get(unit, 0),
            questions=questions,
            gone_units=gone,
        )
        evidence.append(found)
        seen[unit] = UnitObservation(tuple(m.load_id for m in manifests), problems, rows.get(unit, 0))
    decisions = _with_columns(services, shape, _proven(services, shape, decide_all(evidence)))
    observed = {
        unit: replace(each, fill=decisions[unit].reason if decisions[unit].fill else "") for unit, each in seen.items()
    }
    return Findings(shape.name, survey, heads, decisions, TableObservation(any(rows.values()), observed))


def settle(services: Services, shape: TableShape, heads: TableHeads, intent: Intent) -> Findings:
    """What a plan may build upon. With `intent.mend` damaged and strange files are set aside first, and heads that lake and
    warehouse agree upon are adopted. Raises NeedsAnswer, StateError (healing off and the ledger is not right)."""
    found = look(services, shape, heads)
    if not intent.heal:
        _refuse_to_heal(found)
        return found
    if found.question is not None and not intent.full_refresh:
        raise _asked(found, found.question)
    for _ in range(MENDINGS):
        if intent.mend and (found.survey.strays or _adopted(found)):
            mend(services, shape, found)
            found = look(services, shape, services.ledger.heads(shape.name))
    return found


def mend(services: Services, shape: TableShape, found: Findings) -> None:
    """Set aside what lies wrong in the lake, then adopt heads by compare-and-set, each under the unit's lease."""
    clear_strays(services, found.survey)
    adopted = _adopted(found)
    highest = services.lake.highest_sequence(shape.name) if adopted else 0
    for decision in adopted:
        _adopt(services, shape, found, decision, highest)


def _adopt(services: Services, shape: TableShape, found: Findings, decision: Decision, highest: int) -> None:
    """Commit what lake and warehouse agree on, unless somebody is at work on the unit: then it is theirs to commit. `highest`
    is the highest fence that the lake knew a moment ago."""
    head, generation = decision.head, found.heads.generation(decision.unit)
    if head is None:
        return
    event = LoadEvent(
        shape.name,
        shape.config.kind,
        decision.unit,
        head.load_id,
        services.run_id,
        LoadStatus.COMMITTED,
        utc_now(),
        head.rows,
        f"recovered: {decision.reason}",
    )
    change = HeadChange(decision.unit, generation, replace(head, generation=generation + 1))
    try:
        with services.leases.held(
            shape.name,
            [decision.unit],
            at_least=max(highest, services.lake.highest_sequence_of(shape.name, [decision.unit])),
            wait_seconds=0,
            on_wait=log.debug,
            keep_going=services.keep_going,
        ) as held:
            checkpoints.reached(checkpoints.ADOPTING)
            with services.warehouse_turn:
                services.warehouse.tidy()  # the load that got there may have been killed before it could, and none follows
            services.ledger.commit(shape.name, [change], [event], lease=held.lease)
    except (LeaseHeld, StateConflict) as busy:
        log.info("left to the run that is at it: %s", busy.problem)
        return
    log.warning("%s %s: %s", shape.name, decision.unit, decision.reason)


def head_of(manifests: Sequence[Manifest], kind: TableKind) -> Head | None:
    """The head that the live loads of a unit amount to; None when they do not say enough, or not all of them are there."""
    if not manifests or any(m.probe_rows is None or m.kind != kind for m in manifests):
        return None
    first, last = manifests[0], manifests[-1]
    loads = [m.load_id for m in manifests]
    chained = all(m.builds_on == before for m, before in zip(manifests[1:], growing_digests(loads), strict=False))
    if not first.replaces_unit or not chained or last.probe_rows is None:
        return None
    return Head(
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


def _asked_about(survey: Survey) -> list[str]:
    """A table of which nothing but strange manifests is there still has a question."""
    return [WHOLE_TABLE] if survey.questions and not survey.units else []


def _warehouse(services: Services, shape: TableShape, units: Sequence[str]) -> tuple[dict[str, int], dict[str, Mark]]:
    """Rows and marks of the units that the table has now."""
    known = [unit for unit in shape.units if unit in units]
    scopes = {unit: scope for unit in known if (scope := shape.scope_of(unit)) is not None}
    warehouse = services.warehouse
    with services.warehouse_turn:
        if shape.units == [WHOLE_TABLE]:
            rows = {WHOLE_TABLE: warehouse.count(shape.target)}
        else:
            rows = dict(warehouse.counts(shape.target, scopes)) if scopes else {}
        found = warehouse.markers(shape.target, services.config.pipeline_name)
    return rows, {unit: Mark(m.load_id, m.lake, m.rows, m.watermark) for unit, m in found.items()}


def _proven(services: Services, shape: TableShape, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """What is to be adopted is counted in the lake first: a head that was not committed is not believed."""
    proven = dict(decisions)
    for unit, decision in decisions.items():
        if decision.verdict is not Verdict.ADOPT or decision.head is None:
            continue
        try:
            if shape.config.kind == "scd":
                held = services.lake.count(shape.name, unit, shape.keys)
            else:
                held = services.lake.count(shape.name, unit)
            why = None if held == decision.head.rows else f"the lake holds {held:,} rows of {decision.head.rows:,}"
        except LakeError as error:
            why = error.problem
        if why is not None:
            proven[unit] = Decision(unit, Verdict.REDO, f"the lake is damaged: {why}")
    return proven


def _with_columns(services: Services, shape: TableShape, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """A column that somebody dropped or renamed in the warehouse is missing for every unit, although its rows are there: the
    next load of one unit would bring the column back, and leave it empty in all others."""
    kept = [d for d in decisions.values() if d.verdict is Verdict.KEEP and d.head and shape.basis.fits(d.head)]
    if not kept:
        return decisions
    with services.warehouse_turn:
        there = {name.casefold() for name in services.warehouse.columns(shape.target)}
    lost = [column.name for column in shape.mapping.columns if column.name.casefold() not in there]
    if not there or not lost:
        return decisions
    reason = f"the warehouse table has no column {lost[0]} any more" + (
        f" (and {len(lost) - 1} more)" if lost[1:] else ""
    )
    return {
        **decisions,
        **{d.unit: Decision(d.unit, Verdict.RELOAD, reason, _of_no_version(d.head), fill=True) for d in kept if d.head},
    }


def _of_no_version(head: Head) -> Head:
    """The head when the warehouse has no version whole: an increment could begin nowhere."""
    return replace(head, watermark=None) if head.kind == "scd" else head


def _adopted(found: Findings) -> list[Decision]:
    return [d for d in found.decisions.values() if d.verdict is Verdict.ADOPT]


def _asked(found: Findings, question: Decision) -> NeedsAnswer:
    return NeedsAnswer(
        f"{found.table} {question.unit}: {question.reason}",
        remedy=f"look with `dltsync recover --tables {in_shell(found.table)} --dry-run`; when that is right, answer with "
        f"`dltsync recover --tables {in_shell(found.table)} --answer {question.answer}`",
        table=str(found.table),
        unit=question.unit,
    )


def _refuse_to_heal(found: Findings) -> None:
    """With healing off the ledger is all there is: a lake that it does not know is an error, not a reason to read."""
    for unit, decision in found.decisions.items():
        if decision.verdict is Verdict.ASK:
            raise _asked(found, decision)
        if unit not in found.heads.live:
            raise StateError(
                f"{found.table} {unit}: {decision.reason}",
                remedy=f"`dltsync recover --tables {in_shell(found.table)}` shows and mends it, or switch on "
                "state.enable_self_healing",
                table=str(found.table),
                unit=unit,
            )

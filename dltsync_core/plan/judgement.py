"""One judgement per unit: what ledger, lake and warehouse amount to, and what is to be done once the source was probed. Pure.

`judge` compares the three places and says what to believe; `decide` adds the probe and says what a run does. Whatever a plan or
`dltsync recover` says of a unit is the reason of one of the two.

Conservative always. The lake is believed when its files are whole, because every file was counted against the source before
it was published; the warehouse is believed when its marker names the very loads that the lake holds and its rows were
counted; the ledger when both agree with it. Where they differ the oldest of them says how far the unit has come, so that a
mistake costs reading again and never a row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from dltsync_core.clock import iso
from dltsync_core.committed import CommittedUnit, Marker, Probe, lake_digest
from dltsync_core.display import number_of
from dltsync_core.errors import LakeError, WarehouseError
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.evidence import why_changed
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action
from dltsync_core.watermark import oldest

NEVER_LOADED = "never loaded before"

Answer = Literal["quarantine", "accept-loss"]
"""`quarantine`: what is asked about is put beside the table's data and no longer belongs to it. `accept-loss`: the rows that only
the warehouse had are given up."""


class RecoveryVerdict(str, Enum):
    """What becomes of one unit, from the least work to the most."""

    KEEP = "keep"
    """All that is known agrees."""
    ADOPT = "adopt"
    """Lake and warehouse agree on a load that the ledger does not know: the ledger is put right, nothing is moved."""
    RESUME = "resume"
    """A load reached the lake and was never committed: go on from there, when the source still is what it was."""
    RELOAD = "reload"
    """The lake is whole, the warehouse is not what it should be: fill it from the lake, when the source has not moved."""
    RE_EXTRACT = "re_extract"
    """Read the unit from the source again."""
    ASK = "ask"
    """Only a person can tell."""


EFFORT = tuple(RecoveryVerdict)
"""From the boldest to the most careful: more damage never makes a decision bolder."""


@dataclass(frozen=True)
class UnitEvidence:
    """All that is known of one unit besides what the source says now.

    `ledger` is the committed unit. `lake` is what the live, whole loads say of themselves, in the form of a committed unit
    (None: no load, or not all of them are there), `lake_loads` their ids, oldest first, `problems` what is wrong with their
    files. `marker` is None where the warehouse has no marker; `missing_columns` are those that its table lacks although the
    ledger says they were loaded. `source` is the server and database the config names; `questions` are findings in the lake
    that only a person can judge. `gone_units` says that the ledger knows units which the table has no longer: their rows
    are in doubt together.
    """

    unit: str
    source: str
    ledger: CommittedUnit | None = None
    lake: CommittedUnit | None = None
    lake_loads: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    marker: Marker | None = None
    warehouse_rows: int = 0
    missing_columns: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    gone_units: bool = False


@dataclass(frozen=True)
class UnitJudgement:
    """What to believe of a unit, and why: `reason` is a sentence.

    `committed_unit` is what the source is compared with (None: nothing to build upon); its watermark is the lowest of all
    witnesses. `answer` is what a person can say to a question.
    """

    evidence: UnitEvidence
    verdict: RecoveryVerdict
    reason: str
    committed_unit: CommittedUnit | None = None
    answer: Answer | None = None

    @property
    def unit(self) -> str:
        return self.evidence.unit


class Cause(Enum):
    """Why a unit is loaded, or is not."""

    NEW = "new"
    """Nothing committed can be compared with: read all of it."""
    LOST = "lost"
    """The lake lost something: read all of it."""
    BEHIND = "behind"
    """The lake is whole, ledger or warehouse are behind it."""
    CHANGED = "changed"
    FORCED = "forced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class UnitDecision:
    """What a run does with a unit, and why. An scd table may replace the LOAD of a whole unit by an increment."""

    action: Action
    cause: Cause
    reason: str


def judge(evidence: UnitEvidence) -> UnitJudgement:
    """What ledger, lake and warehouse amount to."""
    ledger, lake = evidence.ledger, evidence.lake
    question = _question(evidence)
    if question is not None:
        return UnitJudgement(evidence, RecoveryVerdict.ASK, question[0], answer=question[1])
    if evidence.problems:
        return _re_extract(evidence, f"the lake is damaged: {_first_of(sorted(evidence.problems))}")
    if not evidence.lake_loads:
        return _re_extract(evidence, _why_nothing_in_lake(evidence))
    if ledger is not None and ledger.lake == lake_digest(evidence.lake_loads):
        return _committed(evidence, ledger)
    if lake is None:
        return _re_extract(evidence, _why_not_whole(evidence))
    if evidence.gone_units:
        return _re_extract(evidence, "boundaries moved since the last commit, and the lake is not what it was then")
    return _from_lake(evidence, lake)


def judge_all(evidence: Sequence[UnitEvidence]) -> dict[str, UnitJudgement]:
    """Every unit, in the order of the units whatever the order of the evidence."""
    return {each.unit: judge(each) for each in sorted(evidence, key=lambda each: each.unit)}


def units_only_in_lake(judgements: Mapping[str, UnitJudgement], known: Collection[str]) -> tuple[str, ...]:
    """Units the lake shows beside the `known` ones: published by a run that was killed before its commit, and gone since.
    Readers of the lake see their rows a second time until a load retires them."""
    return tuple(sorted(unit for unit, each in judgements.items() if each.evidence.lake_loads and unit not in known))


def decide(
    judgement: UnitJudgement | None,
    committed_unit: CommittedUnit | None,
    now: Probe,
    definition: TableDefinition,
    options: RunOptions,
) -> UnitDecision:
    """What a run does with a unit, given the source's probe of now. `committed_unit` is what the run may build upon; without a
    `judgement` lake and warehouse were not looked at. Raises LakeError or WarehouseError for what they lost when
    `options.heal` is off."""
    if committed_unit is None:
        known = judgement is not None and judgement.verdict is RecoveryVerdict.RE_EXTRACT
        return UnitDecision(Action.LOAD, Cause.NEW, judgement.reason if judgement and known else NEVER_LOADED)
    reason = _why_not_comparable(committed_unit, definition, options)
    if reason is not None:
        return UnitDecision(Action.LOAD, Cause.NEW, reason)
    change = why_changed(committed_unit.probe, now)
    verdict = RecoveryVerdict.KEEP if judgement is None else judgement.verdict
    if judgement is not None and verdict is not RecoveryVerdict.KEEP:
        if not options.heal:
            raise _loss(judgement, committed_unit)
        if verdict in (RecoveryVerdict.RE_EXTRACT, RecoveryVerdict.ASK):
            return UnitDecision(Action.LOAD, Cause.LOST, judgement.reason)
        if verdict in (RecoveryVerdict.RESUME, RecoveryVerdict.RELOAD):
            if committed_unit.definition_digest != definition.definition_digest or options.force or change is not None:
                return UnitDecision(Action.LOAD, Cause.BEHIND, judgement.reason)
            reason = f"{judgement.reason}; the source has not moved since, so the rows are taken from the lake"
            return UnitDecision(Action.RELOAD, Cause.BEHIND, reason)
    if change is not None:
        return UnitDecision(Action.LOAD, Cause.CHANGED, change)
    if options.force:
        return UnitDecision(Action.LOAD, Cause.FORCED, "unchanged, but the load was asked for")
    since = f"{iso(committed_unit.committed_at)[:19]}Z"
    reason = f"unchanged since {since}: {number_of(committed_unit.rows, 'row')}, {committed_unit.probe.method} equal"
    return UnitDecision(Action.SKIP, Cause.UNCHANGED, reason)


def _why_not_comparable(committed_unit: CommittedUnit, definition: TableDefinition, options: RunOptions) -> str | None:
    if options.full_refresh:
        return "a full refresh was asked for"
    if committed_unit.source != definition.source:
        return f"the source is another one now: was {committed_unit.source}, is {definition.source}"
    if not definition.fits(committed_unit):
        return "columns, types, keys or target changed since the last load"
    return None


def _loss(judgement: UnitJudgement, committed_unit: CommittedUnit) -> LakeError | WarehouseError:
    error = WarehouseError if judgement.verdict is RecoveryVerdict.RELOAD else LakeError
    return error(
        f"{committed_unit.table} {committed_unit.unit}: {judgement.reason}",
        remedy="look at it with `dltsync recover --dry-run`; switch on state.enable_self_healing, or run with "
        "--full-refresh, to read it from the source again",
        table=str(committed_unit.table),
        unit=committed_unit.unit,
    )


def _question(evidence: UnitEvidence) -> tuple[str, Answer] | None:
    if evidence.questions:
        return _first_of(sorted(evidence.questions)), "quarantine"
    lake, ledger = evidence.lake, evidence.ledger
    if ledger is None and lake is not None and lake.source != evidence.source:
        sentence = (
            f"the lake holds load {lake.load_id} of {lake.source}, the config names {evidence.source}, and the ledger knows "
            "nothing of either"
        )
        return sentence, "quarantine"
    if ledger is not None and ledger.warehouse_rows > ledger.rows and evidence.warehouse_rows < ledger.warehouse_rows:
        kept = ledger.warehouse_rows - ledger.rows
        sentence = (
            f"the warehouse kept {number_of(kept, 'row')} that the source no longer has, and holds "
            f"{number_of(evidence.warehouse_rows, 'row')} now "
            f"where {ledger.warehouse_rows:,} were committed: rows are lost that neither lake nor source has"
        )
        return sentence, "accept-loss"
    return None


def _first_of(sentences: Sequence[str]) -> str:
    first, *more = sentences
    return first + (f" (and {len(more)} more)" if more else "")


def _re_extract(evidence: UnitEvidence, reason: str) -> UnitJudgement:
    return UnitJudgement(evidence, RecoveryVerdict.RE_EXTRACT, reason, evidence.ledger)


def _why_nothing_in_lake(evidence: UnitEvidence) -> str:
    if evidence.ledger is not None:
        return f"the lake holds nothing of load {evidence.ledger.load_id}"
    if evidence.marker is not None or evidence.warehouse_rows:
        return f"only the warehouse knows it ({number_of(evidence.warehouse_rows, 'row')}): ledger and lake do not"
    return NEVER_LOADED


def _why_not_whole(evidence: UnitEvidence) -> str:
    ledger, loads = evidence.ledger, evidence.lake_loads
    if ledger is not None and ledger.load_id in loads:
        until = loads[: loads.index(ledger.load_id) + 1]
        if lake_digest(until) != ledger.lake:
            return f"the lake no longer holds all of what load {ledger.load_id} committed"
    return "the lake holds loads that the ledger does not know, and not all of them are there"


def _committed(evidence: UnitEvidence, ledger: CommittedUnit) -> UnitJudgement:
    """Ledger and lake agree; the warehouse may not."""
    marker, watermarks = evidence.marker, _watermarks(evidence, ledger)
    if marker is not None and marker.lake != ledger.lake:
        reason = f"the warehouse stands at load {marker.load_id}, load {ledger.load_id} was committed"
    elif evidence.warehouse_rows != ledger.warehouse_rows:
        reason = (
            f"the warehouse holds {number_of(evidence.warehouse_rows, 'row')}, {ledger.warehouse_rows:,} were committed "
            f"by load {ledger.load_id}"
        )
    elif evidence.missing_columns:
        # Missing for every row: the next increment would bring the column back, and leave it empty in all others.
        reason = f"the warehouse table has no column {_first_of(evidence.missing_columns)} any more"
        watermarks = (None,) if ledger.kind == "scd" else watermarks
    else:
        reason = f"load {ledger.load_id} is in all three places"
        return UnitJudgement(evidence, RecoveryVerdict.KEEP, reason, ledger)
    return UnitJudgement(evidence, RecoveryVerdict.RELOAD, reason, replace(ledger, watermark=oldest(watermarks)))


def _from_lake(evidence: UnitEvidence, lake: CommittedUnit) -> UnitJudgement:
    """The lake is whole and is not what the ledger says, or the ledger says nothing."""
    marker, ledger = evidence.marker, evidence.ledger
    if marker is not None and marker.lake == lake.lake and _counted(evidence, lake, marker):
        known = "knew nothing of it" if ledger is None else f"stood at load {ledger.load_id}"
        reason = f"lake and warehouse agree on load {lake.load_id} ({number_of(lake.rows, 'row')}); the ledger {known}"
        adopted = replace(lake, warehouse_rows=evidence.warehouse_rows)
        return UnitJudgement(evidence, RecoveryVerdict.ADOPT, reason, adopted)
    committed_unit = replace(lake, watermark=oldest(_watermarks(evidence, lake)))
    if ledger is not None:
        reason = f"load {lake.load_id} reached the lake but was never committed"
        return UnitJudgement(evidence, RecoveryVerdict.RESUME, reason, committed_unit)
    reason = f"the ledger knows nothing of it, the lake holds load {lake.load_id} whole ({number_of(lake.rows, 'row')})"
    return UnitJudgement(evidence, RecoveryVerdict.RELOAD, reason, committed_unit)


def _counted(evidence: UnitEvidence, lake: CommittedUnit, marker: Marker) -> bool:
    """Whether the rows that are there are those the marker speaks of, and enough for what the lake holds."""
    return marker.rows == evidence.warehouse_rows and evidence.warehouse_rows == lake.rows


def _watermarks(evidence: UnitEvidence, known: CommittedUnit) -> tuple[str | None, ...]:
    """What each witness has. A warehouse that keeps no marks is known to have what was committed, unless it is empty."""
    ledger = evidence.ledger
    if known.kind != "scd":  # nothing is read from a watermark on: it is part of the probe
        return (known.watermark,)
    if evidence.warehouse_rows == 0 and known.rows:
        return (None,)
    warehouse = evidence.marker.watermark if evidence.marker is not None else ledger.watermark if ledger else None
    return (known.watermark, warehouse) if ledger is None else (known.watermark, warehouse, ledger.watermark)

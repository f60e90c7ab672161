"""What to believe when ledger, lake and warehouse do not say the same. Pure: evidence in, one decision per unit out.

Conservative always. The lake is believed when its files are whole, because every file was counted against the source before
it was published; the warehouse is believed when its marker names the very loads that the lake holds and its rows were
counted; the ledger when both agree with it. Where they differ the oldest of them says how far the unit has come, so that a
mistake costs reading again and never a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from dltsync_core.committed import CommittedUnit
from dltsync_core.watermark import oldest

Answer = Literal["set-aside", "accept-loss"]
"""`set-aside`: what is asked about is put beside the table's data and no longer belongs to it. `accept-loss`: the rows that only
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
    REDO = "re_extract"
    """Read the unit from the source again."""
    ASK = "ask"
    """Only a person can tell."""


EFFORT = tuple(RecoveryVerdict)
"""From the boldest to the most careful: more damage never makes a decision bolder."""


@dataclass(frozen=True)
class MarkedUnit:
    """What the warehouse says of a unit, written with its rows. `lake` is the digest of the loads the unit was made of."""

    load_id: str
    lake: str
    rows: int
    watermark: str | None = None


@dataclass(frozen=True)
class UnitEvidence:
    """All that is known of one unit. `ledger` is the committed unit. `lake` is what the live, whole loads say of themselves,
    in the form of a committed unit (None: no load, or one too old to say it), `lake_loads` the digest of those loads,
    `problems` what is wrong with their files. `mark` is None where the warehouse keeps none. `source` is
    the server and database the config names; `questions` are findings in the lake that only a person can judge.
    `gone_units` says that the ledger knows units which the table has no longer: their rows are in doubt together."""

    unit: str
    source: str
    ledger: CommittedUnit | None = None
    lake: CommittedUnit | None = None
    lake_loads: str | None = None
    problems: tuple[str, ...] = ()
    mark: MarkedUnit | None = None
    warehouse_rows: int = 0
    questions: tuple[str, ...] = ()
    gone_units: bool = False


@dataclass(frozen=True)
class RecoveryDecision:
    """`committed_unit` is what the plan compares the source with (None: nothing to build upon); its watermark is the lowest
    of all
    witnesses. `fill` tells that the warehouse has to be filled from the lake, or by what is read again. `answer` is what a person
    can say to a question."""

    unit: str
    verdict: RecoveryVerdict
    reason: str
    committed_unit: CommittedUnit | None = None
    fill: bool = False
    answer: Answer | None = None


def decide(evidence: UnitEvidence) -> RecoveryDecision:
    """One unit. The reason is a sentence."""
    unit, ledger, lake = evidence.unit, evidence.ledger, evidence.lake
    question = _question(evidence)
    if question is not None:
        return RecoveryDecision(unit, RecoveryVerdict.ASK, question[0], answer=question[1])
    if evidence.problems:
        first, *more = sorted(evidence.problems)
        others = f" (and {len(more)} more)" if more else ""
        return RecoveryDecision(unit, RecoveryVerdict.REDO, f"the lake is damaged: {first}{others}", ledger)
    if evidence.lake_loads is None:
        return _without_lake(evidence)
    if ledger is not None and ledger.lake == evidence.lake_loads:
        return _committed(evidence, ledger)
    if lake is None:
        return RecoveryDecision(
            unit,
            RecoveryVerdict.REDO,
            "the lake holds loads that the ledger does not know, and not all of them are there",
            ledger,
        )
    if evidence.gone_units:
        return RecoveryDecision(
            unit,
            RecoveryVerdict.REDO,
            "boundaries moved since the last commit, and the lake is not what it was then",
            ledger,
        )
    return _from_lake(evidence, lake)


def decide_all(evidence: Sequence[UnitEvidence]) -> dict[str, RecoveryDecision]:
    """Every unit, in the order of the units whatever the order of the evidence."""
    return {each.unit: decide(each) for each in sorted(evidence, key=lambda each: each.unit)}


def _question(evidence: UnitEvidence) -> tuple[str, Answer] | None:
    if evidence.questions:
        first, *more = sorted(evidence.questions)
        return first + (f" (and {len(more)} more)" if more else ""), "set-aside"
    lake, ledger = evidence.lake, evidence.ledger
    if ledger is None and lake is not None and lake.source != evidence.source:
        sentence = (
            f"the lake holds load {lake.load_id} of {lake.source}, the config names {evidence.source}, and the ledger knows "
            "nothing of either"
        )
        return sentence, "set-aside"
    if ledger is not None and ledger.warehouse_rows > ledger.rows and evidence.warehouse_rows < ledger.warehouse_rows:
        kept = ledger.warehouse_rows - ledger.rows
        sentence = (
            f"the warehouse kept {kept:,} rows that the source no longer has, and holds {evidence.warehouse_rows:,} rows now "
            f"where {ledger.warehouse_rows:,} were committed: rows are lost that nobody else has"
        )
        return sentence, "accept-loss"
    return None


def _without_lake(evidence: UnitEvidence) -> RecoveryDecision:
    if evidence.ledger is not None:
        reason = f"the lake holds nothing of load {evidence.ledger.load_id}"
        return RecoveryDecision(evidence.unit, RecoveryVerdict.REDO, reason, evidence.ledger)
    if evidence.mark is not None or evidence.warehouse_rows:
        reason = f"only the warehouse knows it ({evidence.warehouse_rows:,} rows): ledger and lake do not"
        return RecoveryDecision(evidence.unit, RecoveryVerdict.REDO, reason)
    return RecoveryDecision(evidence.unit, RecoveryVerdict.REDO, "never loaded before")


def _committed(evidence: UnitEvidence, ledger: CommittedUnit) -> RecoveryDecision:
    """Ledger and lake agree; the warehouse may not."""
    mark = evidence.mark
    if mark is not None and mark.lake != ledger.lake:
        reason = f"the warehouse stands at load {mark.load_id}, load {ledger.load_id} was committed"
    elif evidence.warehouse_rows != ledger.warehouse_rows:
        reason = (
            f"the warehouse holds {evidence.warehouse_rows:,} rows, {ledger.warehouse_rows:,} were committed "
            f"by load {ledger.load_id}"
        )
    else:
        return RecoveryDecision(
            evidence.unit, RecoveryVerdict.KEEP, f"load {ledger.load_id} is in all three places", ledger
        )
    committed_unit = replace(ledger, watermark=oldest(_watermarks(evidence, ledger)))
    return RecoveryDecision(evidence.unit, RecoveryVerdict.RELOAD, reason, committed_unit, fill=True)


def _from_lake(evidence: UnitEvidence, lake: CommittedUnit) -> RecoveryDecision:
    """The lake is whole and is not what the ledger says, or the ledger says nothing."""
    mark, ledger = evidence.mark, evidence.ledger
    if mark is not None and mark.lake == lake.lake and _counted(evidence, lake, mark):
        known = "knew nothing of it" if ledger is None else f"stood at load {ledger.load_id}"
        reason = f"lake and warehouse agree on load {lake.load_id} ({lake.rows:,} rows); the ledger {known}"
        adopted = replace(lake, warehouse_rows=evidence.warehouse_rows)
        return RecoveryDecision(evidence.unit, RecoveryVerdict.ADOPT, reason, adopted)
    committed_unit = replace(lake, watermark=oldest(_watermarks(evidence, lake)))
    if ledger is not None:
        reason = f"load {lake.load_id} reached the lake but was never committed"
        return RecoveryDecision(evidence.unit, RecoveryVerdict.RESUME, reason, committed_unit, fill=True)
    reason = f"the ledger knows nothing of it, the lake holds load {lake.load_id} whole ({lake.rows:,} rows)"
    return RecoveryDecision(evidence.unit, RecoveryVerdict.RELOAD, reason, committed_unit, fill=True)


def _counted(evidence: UnitEvidence, lake: CommittedUnit, mark: MarkedUnit) -> bool:
    """Whether the rows that are there are those the marker speaks of, and enough for what the lake holds."""
    return mark.rows == evidence.warehouse_rows and evidence.warehouse_rows == lake.rows


def _watermarks(evidence: UnitEvidence, known: CommittedUnit) -> tuple[str | None, ...]:
    """What each witness has. A warehouse that keeps no marks is known to have what was committed, unless it is empty."""
    ledger = evidence.ledger
    if known.kind != "scd":  # nothing is read from a watermark on: it is part of the probe
        return (known.watermark,)
    if evidence.warehouse_rows == 0 and known.rows:
        return (None,)
    warehouse = evidence.mark.watermark if evidence.mark is not None else ledger.watermark if ledger else None
    return (known.watermark, warehouse) if ledger is None else (known.watermark, warehouse, ledger.watermark)

"""What is believed when the three places do not agree: never more than the least of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.committed import CommittedUnit, LoadIdentity, Marker, Probe, lake_digest
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.judgement import EFFORT, RecoveryVerdict, UnitEvidence, judge, judge_all
from dltsync_core.watermark import position
from tests.core.plan.cases import marker_of

SOURCE = "server/db"


def committed_unit(loads: int, *, rows: int = 3, kept: int = 0, source: str = SOURCE) -> CommittedUnit:
    """A table of versions after so many loads, each a day later."""
    watermark = f"2026-01-{loads:02d} 08:00:00.0000000"
    return CommittedUnit(
        identity=LoadIdentity(
            "p", source, TableName("dbo", "Customers"), "scd", WHOLE_TABLE, f"load-{loads}", "run", "definition"
        ),
        generation=loads,
        probe=Probe("last_modified", rows, f"{rows}:{loads}", watermark),
        rows=rows,
        warehouse_rows=rows + kept,
        lake=digest(loads),
        committed_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        watermark=watermark,
    )


def loads(count: int) -> tuple[str, ...]:
    return tuple(f"load-{n}" for n in range(1, count + 1))


def digest(count: int) -> str:
    return lake_digest(loads(count))


def marker(count: int) -> Marker:
    return marker_of(committed_unit(count))


def evidence(
    ledger: int | None, lake: int | None, warehouse: int | None, *, rows: int = 3, unit: str = WHOLE_TABLE
) -> UnitEvidence:
    """Each place after so many loads; None: it knows nothing."""
    return UnitEvidence(
        unit=unit,
        source=SOURCE,
        ledger=committed_unit(ledger) if ledger else None,
        lake=committed_unit(lake) if lake else None,
        lake_loads=loads(lake) if lake else (),
        marker=marker(warehouse) if warehouse else None,
        warehouse_rows=rows if warehouse else 0,
    )


def test_what_all_three_know_is_kept() -> None:
    assert judge(evidence(2, 2, 2)).verdict is RecoveryVerdict.KEEP


def test_a_lost_or_old_ledger_adopts_what_lake_and_warehouse_agree_upon() -> None:
    for ledger in (None, 1):
        found = judge(evidence(ledger, 3, 3))
        assert found.verdict is RecoveryVerdict.ADOPT
        assert found.committed_unit == committed_unit(3)


def test_a_marker_whose_rows_are_not_there_is_not_believed() -> None:
    found = judge(evidence(None, 3, 3, rows=2))
    assert found.verdict is RecoveryVerdict.RELOAD


def test_a_lost_or_old_warehouse_is_filled_from_the_lake() -> None:
    for warehouse in (None, 1):
        found = judge(evidence(3, 3, warehouse))
        assert found.verdict is RecoveryVerdict.RELOAD


def test_an_old_warehouse_holds_the_watermark_back() -> None:
    found = judge(evidence(3, 3, 1))
    assert found.committed_unit is not None
    assert found.committed_unit.watermark == committed_unit(1).watermark


def test_an_empty_warehouse_has_no_watermark() -> None:
    found = judge(evidence(3, 3, None))
    assert found.committed_unit is not None
    assert found.committed_unit.watermark is None


def test_a_load_that_was_published_and_not_committed_is_resumed() -> None:
    assert judge(evidence(2, 3, 2)).verdict is RecoveryVerdict.RESUME


def test_a_lake_that_is_gone_or_damaged_is_read_again() -> None:
    assert judge(evidence(2, None, 2)).verdict is RecoveryVerdict.RE_EXTRACT
    assert judge(replace(evidence(2, 2, 2), problems=("f.parquet is missing",))).verdict is RecoveryVerdict.RE_EXTRACT


def test_loads_that_do_not_say_enough_are_not_built_upon() -> None:
    assert judge(replace(evidence(None, 2, 2), lake=None)).verdict is RecoveryVerdict.RE_EXTRACT


def test_a_lake_of_another_server_is_a_question_when_no_ledger_explains_it() -> None:
    strange = replace(evidence(None, 2, 2), lake=committed_unit(2, source="elsewhere/db"))
    found = judge(strange)
    assert (found.verdict, found.answer) == (RecoveryVerdict.ASK, "quarantine")
    assert "elsewhere/db" in found.reason


def test_rows_that_only_a_lost_warehouse_had_are_a_question() -> None:
    found = judge(replace(evidence(2, 2, None), ledger=committed_unit(2, kept=4)))
    assert (found.verdict, found.answer) == (RecoveryVerdict.ASK, "accept-loss")
    assert "4 rows" in found.reason


places = st.one_of(st.none(), st.integers(1, 5))
any_evidence = st.builds(evidence, places, places, places, rows=st.integers(0, 4))


@given(any_evidence)
def test_nothing_built_upon_is_ahead_of_any_witness(found: UnitEvidence) -> None:
    """But for the ledger when the two others agree against it: that is how a stale ledger is known."""
    decision = judge(found)
    if (
        decision.committed_unit is None
        or decision.committed_unit.watermark is None
        or decision.verdict is RecoveryVerdict.RE_EXTRACT
    ):
        return
    witnesses = [found.marker.watermark if found.marker else None, found.lake.watermark if found.lake else None]
    if decision.verdict is not RecoveryVerdict.ADOPT:
        witnesses.append(found.ledger.watermark if found.ledger else None)
    assert all(position(decision.committed_unit.watermark) <= position(w) for w in witnesses if w is not None)


@given(any_evidence)
def test_recovering_twice_is_recovering_once(found: UnitEvidence) -> None:
    """What was adopted is kept by the next look."""
    decision = judge(found)
    after = replace(found, ledger=decision.committed_unit) if decision.verdict is RecoveryVerdict.ADOPT else found
    again = judge(after)
    assert again.verdict is (RecoveryVerdict.KEEP if decision.verdict is RecoveryVerdict.ADOPT else decision.verdict)


@given(any_evidence, st.sampled_from(["file", "rows", "marker", "columns", "lake facts", "question"]))
def test_more_damage_never_makes_a_decision_bolder(found: UnitEvidence, damage: str) -> None:
    before = judge(found)
    if damage == "file":
        worse = replace(found, problems=("f.parquet is missing",))
    elif damage == "rows":
        worse = replace(found, warehouse_rows=max(found.warehouse_rows - 1, 0) if found.warehouse_rows == 3 else 0)
        if found.warehouse_rows != 3:
            return
    elif damage == "marker":
        worse = replace(found, marker=None, warehouse_rows=0)
    elif damage == "columns":
        worse = replace(found, missing_columns=("Name",))
    elif damage == "lake facts":
        worse = replace(found, lake=None)
    else:
        worse = replace(found, questions=("a manifest of another pipeline",))
    assert EFFORT.index(judge(worse).verdict) >= EFFORT.index(before.verdict)


@given(st.permutations([evidence(2, 2, 2, unit="a"), evidence(None, 2, 2, unit="b"), evidence(2, 1, None, unit="c")]))
def test_the_order_of_the_evidence_does_not_matter(found: list[UnitEvidence]) -> None:
    assert judge_all(found) == judge_all(sorted(found, key=lambda e: e.unit))
    assert list(judge_all(found)) == ["a", "b", "c"]


@given(any_evidence)
def test_every_verdict_says_why(found: UnitEvidence) -> None:
    assert len(judge(found).reason.split()) >= 3

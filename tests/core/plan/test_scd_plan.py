"""Tables of versions: an increment only where an increment can be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import SCDTableConfig
from dltsync_core.errors import LakeError
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.judgement import UnitEvidence, UnitJudgement
from dltsync_core.plan.scd import Window, plan_scd_table
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, Step
from tests.core.plan.cases import BASIS, PLAIN, committed_units, evidence, intact, judged, marker_of, probe, table_facts
from tests.core.plan.cases import committed_unit as make_head

TABLE = SCDTableConfig(table_name="Orders", schema_name="sales", last_modified_column="LastModified")
NOON, LATER, LOW = "2026-01-15 12:00:00", "2026-01-15 13:00:00", "2026-01-15 11:55:00"
SEEN = probe(method="last_modified", high=NOON)
MORE = probe(rows=5, signature="5", method="last_modified", high=LATER)
ABOVE = Window(LOW)
COMMITTED = make_head(kind="scd", seen=SEEN, watermark=NOON)


def planned(
    committed_unit: CommittedUnit | None = COMMITTED,
    now: Probe = SEEN,
    *,
    table: SCDTableConfig = TABLE,
    window: Window = ABOVE,
    definition: TableDefinition = BASIS,
    judgements: Mapping[str, UnitJudgement] | None = None,
    options: RunOptions = PLAIN,
) -> Step:
    plan = plan_scd_table(
        table_facts(),
        table,
        definition=definition,
        probe=now,
        window=window,
        committed_units=committed_units(committed_unit) if committed_unit else CommittedUnits(),
        judgements=judgements or (intact(committed_unit) if committed_unit else {}),
        options=options,
    )
    (step,) = plan.steps
    return step


def test_the_first_time_everything_is_read() -> None:
    step = planned(None, MORE)
    assert (step.action, step.window_low, step.window_high) == (Action.LOAD, None, None)


def test_nothing_new_reads_nothing() -> None:
    assert planned().action is Action.SKIP


def test_new_versions_are_read_from_below_the_watermark_to_the_highest_seen() -> None:
    step = planned(now=MORE)
    assert (step.action, step.window_low, step.window_high) == (Action.LOAD_INCREMENT, LOW, LATER)
    assert step.reason == f"rows went from 3 to 5; versions after {LOW} are read"


def test_a_change_inside_the_lag_window_is_seen_by_its_digest() -> None:
    assert planned(now=replace(SEEN, signature="late commit")).action is Action.LOAD_INCREMENT


def test_fewer_versions_need_the_whole_table() -> None:
    step = planned(now=replace(SEEN, rows=2))
    assert step.action is Action.LOAD
    assert step.reason == "rows went from 3 to 2: versions were deleted, and an increment cannot tell which"


def test_fewer_versions_are_left_to_the_validation_when_a_mismatch_shall_fail() -> None:
    strict = TABLE.model_copy(update={"on_count_mismatch": "fail"})
    assert planned(now=replace(SEEN, rows=2), table=strict).action is Action.LOAD_INCREMENT


def test_a_watermark_ahead_of_the_source_needs_the_whole_table() -> None:
    step = planned(now=replace(SEEN, watermark_high="2026-01-14 00:00:00"), window=Window(LOW, regressed=True))
    assert step.action is Action.LOAD
    assert "ahead of everything at the source (2026-01-14 00:00:00)" in step.reason


def test_a_committed_empty_table_has_no_watermark_to_start_from() -> None:
    empty = make_head(kind="scd", seen=probe(rows=0, method="last_modified"))
    step = planned(empty, MORE, window=Window(None))
    assert (step.action, step.reason) == (Action.LOAD, "rows went from 0 to 5; there is no watermark to start from")


def test_force_reads_the_lag_window_again() -> None:
    assert planned(options=replace(PLAIN, force=True)).action is Action.LOAD_INCREMENT


def test_full_refresh_forgets_the_watermark() -> None:
    assert planned(options=replace(PLAIN, full_refresh=True)).action is Action.LOAD


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (evidence(COMMITTED, lake_loads=(), lake=None), "the lake holds nothing of load load-1"),
        (evidence(COMMITTED, problems=("x is missing",)), "the lake is damaged: x is missing"),
        (
            evidence(COMMITTED, "load-0", lake=None),
            "the lake holds loads that the ledger does not know, and not all of them are there",
        ),
    ],
)
def test_what_the_lake_lost_needs_the_whole_table(found: UnitEvidence, reason: str) -> None:
    step = planned(judgements=judged(found))
    assert (step.action, step.reason) == (Action.LOAD, reason)


def test_what_an_older_warehouse_lacks_is_read_from_its_watermark_on() -> None:
    older = replace(COMMITTED, watermark="2026-01-14 00:00:00")
    marker = marker_of(make_head(kind="scd", load_id="load-0", watermark=older.watermark))
    found = judged(evidence(COMMITTED, marker=marker, warehouse_rows=2))
    assert found["all"].committed_unit == older
    step = planned(older, MORE, judgements=found)
    assert (step.action, step.window_low) == (Action.LOAD_INCREMENT, LOW)
    assert (
        step.reason == f"the warehouse stands at load load-0, load load-1 was committed; versions after {LOW} are read"
    )
    assert planned(older, replace(MORE, rows=2), judgements=found).action is Action.LOAD


def test_a_lost_change_file_of_an_older_load_is_noticed() -> None:
    loads = ("load-1", "load-2", "load-3")
    grown = make_head(kind="scd", seen=SEEN, watermark=NOON, load_id="load-3", lake_loads=loads)
    assert planned(grown, judgements=judged(evidence(grown, *loads))).action is Action.SKIP
    step = planned(grown, judgements=judged(evidence(grown, "load-1", "load-3", lake=None)))
    assert (step.action, step.reason) == (Action.LOAD, "the lake no longer holds all of what load load-3 committed")


def test_a_load_that_stopped_before_its_commit_is_caught_up_by_an_increment() -> None:
    """It may have reached the warehouse already, so the warehouse's count is no sign of a loss."""
    later = make_head(kind="scd", seen=MORE, watermark=LATER, load_id="load-2", lake_loads=["load-1", "load-2"])
    found = judged(evidence(COMMITTED, "load-1", "load-2", lake=later, warehouse_rows=5))
    step = planned(found["all"].committed_unit, now=replace(MORE, rows=6), judgements=found)
    assert step.action is Action.LOAD_INCREMENT
    assert step.reason == f"load load-2 reached the lake but was never committed; versions after {LOW} are read"
    assert found["all"].committed_unit == replace(later, watermark=NOON)


def test_without_self_healing_an_unfinished_load_is_an_error() -> None:
    with pytest.raises(LakeError, match="nothing of load load-1"):
        planned(judgements=judged(evidence(COMMITTED, lake_loads=(), lake=None)), options=replace(PLAIN, heal=False))


@pytest.mark.parametrize(
    ("high", "told"),
    [
        ("2026-01-16 01:59:59.9999999", False),
        ("2026-01-16 02:00:00.0000001", True),
        ("2090-12-31", True),
        ("2026-01-16 02:00:01 +14:00", False),
        ("0x7FFFFFFFFFFFFFFF", False),
    ],
)
def test_a_stamp_that_is_yet_to_come_is_told(high: str, told: bool) -> None:
    """What is stamped by the clock lies below it, so that an update looks as if it had been read long ago."""
    seen = probe(method="last_modified", high=high)
    plan = plan_scd_table(
        table_facts(),
        TABLE,
        definition=BASIS,
        probe=seen,
        window=ABOVE,
        committed_units=CommittedUnits(),
        judgements={},
        options=replace(PLAIN, now=datetime(2026, 1, 15, 12, tzinfo=timezone.utc)),
    )
    assert [note for note in plan.notes if f"LastModified reaches {high}, which is yet to come" in note] == list(
        plan.notes
    )
    assert bool(plan.notes) is told

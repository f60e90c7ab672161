"""Static tables are read when something says so, and the plan says what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import LakeError, WarehouseError
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.judgement import UnitEvidence, UnitJudgement
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.static import plan_static_table
from dltsync_core.plan.steps import Action, Step
from tests.core.plan.cases import BASIS, PLAIN, committed_units, evidence, intact, judged, probe, table_facts
from tests.core.plan.cases import committed_unit as make_head

TABLE = StaticTableConfig(table_name="Orders", schema_name="sales")


def planned(
    committed_unit: CommittedUnit | None = None,
    *,
    table: StaticTableConfig = TABLE,
    now: Probe | None = None,
    definition: TableDefinition = BASIS,
    judgements: Mapping[str, UnitJudgement] | None = None,
    options: RunOptions = PLAIN,
) -> Step:
    known = committed_units(committed_unit) if committed_unit else CommittedUnits()
    plan = plan_static_table(
        table_facts(),
        table,
        definition=definition,
        probe=now or probe(),
        committed_units=known,
        judgements=judgements or (intact(committed_unit) if committed_unit else {}),
        options=options,
    )
    (step,) = plan.steps
    return step


def test_the_first_time_the_table_is_loaded() -> None:
    step = planned()
    assert (step.action, step.unit, step.reason) == (Action.LOAD, "all", "never loaded before")


def test_an_equal_hash_reads_nothing() -> None:
    step = planned(make_head())
    assert step.action is Action.SKIP
    assert step.reason == "unchanged since 2026-01-15T11:00:00Z: 3 rows, fingerprint equal"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (probe(rows=4), "rows went from 3 to 4"),
        (probe(signature="3:18:4"), "the fingerprint of 3 rows is another one"),
        (probe(method="checksum"), "changes are detected by checksum now, by fingerprint at the last load"),
        (probe(high="0x08"), "fingerprint moved from NULL to 0x08"),
    ],
)
def test_another_hash_loads_and_says_what_differs(now: Probe, reason: str) -> None:
    step = planned(make_head(), now=now)
    assert (step.action, step.reason) == (Action.LOAD, reason)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (
            replace(BASIS, definition_digest="definition-2"),
            "columns, types, keys or target changed since the last load",
        ),
        (replace(BASIS, source="other/db"), "the source is another one now: was server/db, is other/db"),
    ],
)
def test_what_cannot_be_compared_is_loaded(definition: TableDefinition, reason: str) -> None:
    step = planned(make_head(), definition=definition)
    assert (step.action, step.reason) == (Action.LOAD, reason)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (replace(PLAIN, force=True), "unchanged, but the load was asked for"),
        (replace(PLAIN, full_refresh=True), "a full refresh was asked for"),
    ],
)
def test_what_was_asked_for_is_loaded(options: RunOptions, reason: str) -> None:
    step = planned(make_head(), options=options)
    assert (step.action, step.reason) == (Action.LOAD, reason)


@pytest.mark.parametrize(
    ("age", "action"),
    [
        (timedelta(days=7) - timedelta(microseconds=1), Action.SKIP),
        (timedelta(days=7), Action.LOAD),
        (timedelta(days=8), Action.LOAD),
    ],
)
def test_age_overrules_an_equal_hash(age: timedelta, action: Action) -> None:
    weekly = TABLE.model_copy(update={"force_reload_after": timedelta(days=7)})
    step = planned(make_head(age=age), table=weekly)
    assert step.action is action
    if action is Action.LOAD:
        assert step.reason == "unchanged, but older than 7 days"


OF_LATER_LOAD = make_head(load_id="load-2", seen=probe(rows=4))
LOST = [
    (evidence(make_head(), lake_loads=(), lake=None), LakeError, "the lake holds nothing of load load-1"),
    (
        evidence(make_head(), problems=("a.parquet is missing",)),
        LakeError,
        "the lake is damaged: a.parquet is missing",
    ),
    (
        evidence(make_head(), "load-0", lake=None),
        LakeError,
        "the lake holds loads that the ledger does not know, and not all of them are there",
    ),
    (
        evidence(make_head(), "load-2", lake=OF_LATER_LOAD),
        LakeError,
        "load load-2 reached the lake but was never committed",
    ),
    (
        evidence(make_head(), warehouse_rows=2),
        WarehouseError,
        "the warehouse holds 2 rows, 3 were committed by load load-1",
    ),
    (
        evidence(make_head(), missing_columns=("Note", "Amount")),
        WarehouseError,
        "the warehouse table has no column Note (and 1 more) any more",
    ),
]


@pytest.mark.parametrize(("found", "error", "reason"), LOST)
def test_what_lake_or_warehouse_lost_is_loaded_again(found: UnitEvidence, error: type[Exception], reason: str) -> None:
    committed_unit = judged(found)["all"].committed_unit
    step = planned(committed_unit, judgements=judged(found), now=probe(signature="moved"))
    assert (step.action, step.reason) == (Action.LOAD, reason)


@pytest.mark.parametrize(("found", "error", "reason"), LOST[3:])
def test_rows_that_a_whole_lake_holds_are_taken_from_it_when_the_source_has_not_moved(
    found: UnitEvidence, error: type[Exception], reason: str
) -> None:
    committed_unit = judged(found)["all"].committed_unit
    assert committed_unit is not None
    step = planned(committed_unit, judgements=judged(found), now=committed_unit.probe)
    assert step.action is Action.RELOAD
    assert step.reason == f"{reason}; the source has not moved since, so the rows are taken from the lake"
    for asked in (replace(PLAIN, force=True), replace(PLAIN, full_refresh=True)):
        assert (
            planned(committed_unit, judgements=judged(found), now=committed_unit.probe, options=asked).action
            is Action.LOAD
        )


@pytest.mark.parametrize(("found", "error", "reason"), LOST)
def test_without_self_healing_a_loss_is_an_error(found: UnitEvidence, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=r"enable_self_healing") as caught:
        planned(make_head(), judgements=judged(found), options=replace(PLAIN, heal=False))
    assert f"sales.Orders all: {reason}" in str(caught.value)


def test_a_unit_that_only_the_warehouse_knows_says_so() -> None:
    found = UnitEvidence("all", BASIS.source, warehouse_rows=7)
    step = planned(None, judgements=judged(found))
    assert (step.action, step.reason) == (Action.LOAD, "only the warehouse knows it (7 rows): ledger and lake do not")


def test_without_comparing_only_the_source_decides() -> None:
    step = planned(make_head(), judgements={}, options=replace(PLAIN, compare=False))
    assert step.action is Action.SKIP


def test_rows_that_an_upsert_keeps_in_the_warehouse_are_no_loss() -> None:
    assert planned(make_head(warehouse_rows=5)).action is Action.SKIP


def test_a_table_that_was_loaded_by_partitions_before_takes_their_rows_over() -> None:
    before = committed_units(make_head("[10,20)", "partition"), make_head("(-inf,10)", "partition"))
    plan = plan_static_table(
        table_facts(),
        TABLE,
        definition=BASIS,
        probe=probe(),
        committed_units=before,
        judgements={},
        options=PLAIN,
    )
    assert plan.steps[0].action is Action.LOAD
    assert plan.steps[0].replaces == ("(-inf,10)", "[10,20)")


def test_a_weak_hash_is_told() -> None:
    plan = plan_static_table(
        table_facts(),
        TABLE,
        definition=BASIS,
        probe=probe(method="checksum"),
        committed_units=CommittedUnits(),
        judgements={},
        options=PLAIN,
    )
    assert plan.notes == ("checksum is weak: some changes go unseen; set force_reload_after",)

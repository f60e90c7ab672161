"""Partition tables: only what changed is read, and new boundaries lose and double nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import PartitionTableConfig
from dltsync_core.errors import NotPartitioned
from dltsync_core.plan.judgement import UnitJudgement
from dltsync_core.plan.partitions import plan_partition_table
from dltsync_core.plan.repartition import RepartitionGroup, repartition_groups
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, TablePlan
from dltsync_core.ranges import PartitionRange, Side, parse_key
from tests.core.plan.cases import (
    BASIS,
    PLAIN,
    column,
    committed_units,
    evidence,
    intact,
    judged,
    partitioning,
    probe,
    table_facts,
)
from tests.core.plan.cases import committed_unit as make_head

TABLE = PartitionTableConfig(table_name="Orders", schema_name="sales")


def plan(
    facts: TableFacts,
    *committed: CommittedUnit,
    probes: Mapping[int, Probe] | None = None,
    judgements: Mapping[str, UnitJudgement] | None = None,
    options: RunOptions = PLAIN,
) -> TablePlan:
    slots = facts.partitioning.slots if facts.partitioning else ()
    return plan_partition_table(
        facts,
        TABLE,
        definition=BASIS,
        probes=probes or {slot.number: probe() for slot in slots},
        committed_units=committed_units(*committed),
        judgements=judgements or intact(*committed),
        options=options,
    )


def units(*keys: str) -> list[CommittedUnit]:
    return [make_head(key, "partition", load_id=f"load-{key}") for key in keys]


def test_the_first_time_every_slot_is_loaded_in_order() -> None:
    steps = plan(table_facts([10, 20])).steps
    assert [(s.unit, s.slot_number, s.action) for s in steps] == [
        ("(-inf,10)", 1, Action.LOAD),
        ("[10,20)", 2, Action.LOAD),
        ("[20,+inf)", 3, Action.LOAD),
    ]
    assert {s.reason for s in steps} == {"never loaded before"}


def test_only_the_changed_slot_is_loaded() -> None:
    committed = units("(-inf,10)", "[10,20)", "[20,+inf)")
    changed = {1: probe(), 2: probe(signature="new"), 3: probe()}
    work = plan(table_facts([10, 20]), *committed, probes=changed).work
    assert [(s.unit, s.reason) for s in work] == [("[10,20)", "the fingerprint of 3 rows is another one")]


def test_a_split_loads_both_halves_and_each_takes_the_old_unit_over() -> None:
    committed = units("(-inf,10)", "[10,30)", "[30,+inf)")
    work = plan(table_facts([10, 20, 30]), *committed).work
    assert [(s.unit, s.replaces) for s in work] == [("[10,20)", ("[10,30)",)), ("[20,30)", ("[10,30)",))]
    assert work[0].reason == "new boundaries: takes over [10,30), together with 1 other partition"


def test_steps_are_grouped_as_they_are_committed_together() -> None:
    committed = units("(-inf,10)", "[30,40)", "[10,30)", "[40,50)", "[50,+inf)")
    found = plan(table_facts([10, 20, 30, 40]), *committed)
    assert [[step.unit for step in group] for group in found.groups] == [
        ["(-inf,10)"],
        ["[10,20)", "[20,30)"],
        ["[30,40)"],
        ["[40,+inf)"],
    ]
    assert [[step.unit for step in group] for group in found.groups_to_load] == [["[10,20)", "[20,30)"], ["[40,+inf)"]]
    assert [step["unit"] for step in found.to_dict()["steps"]] == [step.unit for step in found.steps]


def test_the_steps_of_a_group_with_others_between_them_stay_in_partition_order() -> None:
    committed = units("[-99,-98)", "[10,20)")
    found = plan(table_facts([10, 20]), *committed)
    assert [[step.unit for step in group] for group in found.groups] == [["(-inf,10)", "[20,+inf)"], ["[10,20)"]]
    assert [step.slot_number for step in found.steps] == [1, 2, 3]


def test_a_merge_loads_the_union_and_takes_both_over() -> None:
    committed = units("(-inf,10)", "[10,20)", "[20,+inf)")
    work = plan(table_facts([10]), *committed).work
    assert [(s.unit, s.replaces) for s in work] == [("[10,+inf)", ("[10,20)", "[20,+inf)"))]
    assert work[0].reason == "new boundaries: takes over [10,20) and 1 more"


def test_asking_for_one_half_of_a_split_loads_the_other_too() -> None:
    """Alone it would leave the rows of the other half without an owner."""
    committed = units("(-inf,10)", "[10,30)", "[30,+inf)")
    only = replace(PLAIN, partition_keys=frozenset({"[20,30)"}))
    assert [s.unit for s in plan(table_facts([10, 20, 30]), *committed, options=only).steps] == ["[10,20)", "[20,30)"]


def test_partition_keys_limit_the_plan() -> None:
    only = replace(PLAIN, partition_keys=frozenset({"[20,+inf)"}))
    assert [s.unit for s in plan(table_facts([10, 20]), options=only).steps] == ["[20,+inf)"]


def test_force_loads_what_did_not_change() -> None:
    committed = units("(-inf,10)", "[10,+inf)")
    options = replace(PLAIN, force=True, partition_keys=frozenset({"[10,+inf)"}))
    (step,) = plan(table_facts([10]), *committed, options=options).steps
    assert (step.action, step.reason) == (Action.LOAD, "unchanged, but the load was asked for")


def test_a_warehouse_that_lost_a_partition_gets_it_back() -> None:
    committed = units("(-inf,10)", "[10,+inf)")
    lost = {**intact(*committed), **judged(evidence(committed[1], warehouse_rows=0))}
    changed = {1: probe(), 2: probe(signature="new")}
    work = plan(table_facts([10]), *committed, judgements=lost, probes=changed).work
    assert [(s.unit, s.reason) for s in work] == [
        ("[10,+inf)", "the warehouse holds 0 rows, 3 were committed by load load-[10,+inf)")
    ]


def test_a_table_that_was_loaded_whole_before_is_taken_over_by_all_slots() -> None:
    work = plan(table_facts([10]), make_head("all", "static")).work
    assert [(s.unit, s.replaces) for s in work] == [("(-inf,10)", ("all",)), ("[10,+inf)", ("all",))]


def test_row_count_is_told_to_be_weak() -> None:
    found = plan(table_facts([10]), probes={1: probe(method="row_count"), 2: probe(method="row_count")})
    assert found.notes == ("row_count is weak: an update, or an insert with a delete, goes unseen",)


@pytest.mark.parametrize(
    ("stamp", "scale", "told"),
    [
        ("date", 0, ["steps of a day"]),
        ("smalldatetime", 0, ["steps of a minute"]),
        ("datetime2", 0, ["steps of a second"]),
        ("datetime2", 7, []),
        ("datetime", 3, []),
    ],
)
def test_stamps_too_coarse_to_be_new_with_every_change_are_told(stamp: str, scale: int, told: list[str]) -> None:
    facts = table_facts([10])
    facts = replace(facts, columns=(*facts.columns, replace(column("Changed", stamp), scale=scale)))
    found = plan_partition_table(
        facts,
        PartitionTableConfig(table_name="Orders", schema_name="sales", last_modified_column="Changed"),
        definition=BASIS,
        probes={1: probe(method="last_modified"), 2: probe(method="last_modified")},
        committed_units=CommittedUnits(),
        judgements={},
        options=PLAIN,
    )
    assert [sentence in note for sentence, note in zip(told, found.notes, strict=True)] == [True] * len(told)


def test_a_table_without_partitions_is_refused() -> None:
    with pytest.raises(NotPartitioned, match=r"sales.Orders"):
        plan(table_facts(None))


def test_the_null_boundary_is_a_place_like_any_other() -> None:
    committed = units("(-inf,null)", "[null,20)", "[20,+inf)")
    work = plan(table_facts([None, 10, 20]), *committed).work
    assert [(s.unit, s.replaces) for s in work] == [("[null,10)", ("[null,20)",)), ("[10,20)", ("[null,20)",))]


def test_another_side_makes_one_family_of_everything() -> None:
    """(a,b] touches [a,b) and [b,c): no old unit can be replaced without its neighbour."""
    (family,) = repartition_groups(partitioning([10, 20], "right"), {"(-inf,10]", "(10,20]", "(20,+inf)"})
    assert family.replacements == ("(-inf,10)", "[10,20)", "[20,+inf)")


def test_a_broken_chain_takes_over_too_much_rather_than_too_little() -> None:
    """[12,17) has no neighbour in the ledger and no boundary of today: it may lie anywhere."""
    found = repartition_groups(partitioning([10, 20]), {"[12,17)", "[20,+inf)"})
    assert found == [RepartitionGroup(("[12,17)",), ("(-inf,10)", "[10,20)"))]


@pytest.mark.parametrize(
    ("side", "gone", "heir"), [("right", "[-inf,10)", "(-inf,10)"), ("left", "(20,+inf]", "(20,+inf)")]
)
def test_a_unit_whose_key_cannot_be_read_is_taken_over_by_what_is_not_loaded(side: Side, gone: str, heir: str) -> None:
    """Its rows may lie in any slot: those not loaded yet are read again and take its place."""
    now = keys_of([10, 20], side)
    found = repartition_groups(partitioning([10, 20], side), {*now, gone} - {heir})
    assert found == [RepartitionGroup((gone,), (heir,))]
    (step,) = plan(table_facts([10, 20], side), *units(*sorted({*now, gone} - {heir}))).work
    assert (step.unit, step.replaces) == (heir, (gone,))


def test_a_ledger_that_contradicts_itself_loads_the_place_again() -> None:
    found = repartition_groups(partitioning([10, 20]), {"(-inf,10)", "[10,20)", "[20,+inf)", "[10,+inf)"})
    assert found == [RepartitionGroup(("[10,+inf)",), ("[10,20)", "[20,+inf)"))]


# ---- any boundaries before and after, any of the old units committed, any order -----------------------------------

BOUNDARIES = st.lists(st.integers(0, 12), unique=True, max_size=6).map(sorted)
VALUES = [v / 2 for v in range(-2, 28)]


def holds(range_: PartitionRange, value: float) -> bool:
    lower = float("-inf") if range_.lower is None else float(range_.lower.text or 0)
    upper = float("inf") if range_.upper is None else float(range_.upper.text or 0)
    return lower <= value < upper if range_.side == "right" else lower < value <= upper


def keys_of(boundaries: Sequence[int], side: Side) -> list[str]:
    return [slot.range.key for slot in partitioning(boundaries, side).slots]


@given(data=st.data(), before=BOUNDARIES, after=BOUNDARIES, old_side=st.sampled_from(["left", "right"]))
def test_after_any_change_of_boundaries_every_value_has_exactly_one_owner(
    data: st.DataObject, before: list[int], after: list[int], old_side: Side
) -> None:
    side: Side = data.draw(st.sampled_from([old_side, old_side, "left", "right"]))
    old = data.draw(st.sets(st.sampled_from(keys_of(before, old_side))))
    facts = table_facts(after, side)
    work = plan(facts, *units(*sorted(old))).work

    live = set(old)
    replaced: set[str] = set()
    for step in data.draw(st.permutations(work)):
        live.add(step.unit)
        replaced |= set(step.replaces)
    live -= replaced

    assert not replaced & set(keys_of(after, side))
    for value in VALUES:
        owners = [key for key in live if holds(parse_key(key), value)]
        assert len(owners) == 1, (value, owners)


@given(data=st.data(), before=BOUNDARIES, after=BOUNDARIES, side=st.sampled_from(["left", "right"]))
def test_asking_for_any_partitions_leaves_no_value_without_owner_that_had_one(
    data: st.DataObject, before: list[int], after: list[int], side: Side
) -> None:
    old = set(keys_of(before, side))
    facts = table_facts(after, side)
    asked = data.draw(st.sets(st.sampled_from(keys_of(after, side)), min_size=1))
    work = plan(facts, *units(*sorted(old)), options=replace(PLAIN, partition_keys=frozenset(asked))).work

    live = (old | {s.unit for s in work}) - {gone for s in work for gone in s.replaces}
    for value in VALUES:
        owners = [key for key in live if holds(parse_key(key), value)]
        assert len(owners) == 1, (value, owners)


@given(data=st.data(), before=BOUNDARIES, after=BOUNDARIES, side=st.sampled_from(["left", "right"]))
def test_families_share_neither_vanished_units_nor_heirs(
    data: st.DataObject, before: list[int], after: list[int], side: Side
) -> None:
    old = data.draw(st.sets(st.sampled_from(keys_of(before, side))))
    found = repartition_groups(partitioning(after, side), old)
    removed = [unit for family in found for unit in family.removed]
    replacements = [unit for family in found for unit in family.replacements]
    assert sorted(removed) == sorted(old - set(keys_of(after, side)))
    assert len(set(replacements)) == len(replacements)


def test_no_heads_means_no_families() -> None:
    assert repartition_groups(partitioning([1, 2]), set()) == []
    assert plan(table_facts([1, 2]), options=PLAIN).steps[0].replaces == ()
    assert CommittedUnits().generation("[1,2)") == 0

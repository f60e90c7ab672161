"""SPLIT and MERGE at the edge of a table's window: what takes over the rows of units that are gone. Pure decisions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import PartitioningFacts, TableFacts
from dltsync_core.committed import CommittedUnits
from dltsync_core.config import PartitionTableConfig
from dltsync_core.config.retention import Retention
from dltsync_core.plan.explain import explain, summary
from dltsync_core.plan.partitions import plan_partition_table, with_partitions_taking_over
from dltsync_core.plan.repartition import RepartitionGroup, repartition_groups
from dltsync_core.plan.retention import out_of_retention, reading_also, units_out_of_retention
from dltsync_core.plan.selection import RunOptions
from dltsync_core.plan.steps import Action, TablePlan
from dltsync_core.ranges import Side, are_apart, parse_key
from tests.core.plan.cases import BASIS, PLAIN, committed_unit, probe
from tests.support.table_facts import column, partitioned, table

NUMBER = column("No", "int", is_nullable=False)
CODE = column("Code", "nvarchar", is_nullable=False)
TABLE = PartitionTableConfig(table_name="Orders", schema_name="sales", retention=Retention(partitions=2))


def windowed(boundaries: Sequence[int], first: int, *, start: int = 0, side: Side = "right") -> PartitioningFacts:
    """The slots before `start` and those from `first` on are within the window."""
    found = partitioned(NUMBER, [str(boundary) for boundary in boundaries], side)
    return replace(found, slots=(*found.slots[:start], *found.slots[first:]), out_of_retention=found.slots[start:first])


def facts(partitioning: PartitioningFacts) -> TableFacts:
    return table(partitioning.column, partitioning=partitioning)


def units(*keys: str) -> CommittedUnits:
    return CommittedUnits({unit: committed_unit(unit, "static" if unit == "all" else "partition") for unit in keys}, {})


def taking_over(found: PartitioningFacts, *keys: str, options: RunOptions = PLAIN) -> TableFacts:
    return with_partitions_taking_over(
        facts(found), TABLE, committed_units=units(*keys), judgements={}, options=options
    )


def plan(found: PartitioningFacts, *keys: str, options: RunOptions = PLAIN) -> TablePlan:
    """As a run makes it."""
    read = taking_over(found, *keys, options=options)
    assert read.partitioning is not None
    made = plan_partition_table(
        read,
        TABLE,
        definition=BASIS,
        probes={slot.number: probe() for slot in read.partitioning.slots},
        committed_units=units(*keys),
        judgements={},
        options=options,
    )
    return replace(made, out_of_retention=out_of_retention(read, TABLE, {}))


def test_the_part_before_the_window_takes_over_beside_the_part_within_it() -> None:
    found = windowed([20, 30, 40], 2)  # out: (-inf,20), [20,30)
    merged_before = {"(-inf,10)", "[10,20)"}
    assert repartition_groups(found, {*merged_before, "[20,30)", "[30,40)"}) == []
    assert units_out_of_retention(found, merged_before) == {"(-inf,20)", "[20,30)", *merged_before}
    (group,) = repartition_groups(found, {"(-inf,20)", "[20,40)"})
    assert (group.removed, group.replacements) == (("[20,40)",), ("[20,30)", "[30,40)"))
    assert units_out_of_retention(found, {"[20,40)", "[30,40)"}) == {"(-inf,20)", "[20,30)"}


def test_the_plan_says_that_the_part_is_read_and_leaves_the_warehouse_again() -> None:
    made = plan(windowed([20, 30, 40], 2), "(-inf,20)", "[20,40)", "[40,+inf)")
    assert [(step.unit, step.action, step.replaces) for step in made.steps] == [
        ("[20,30)", Action.LOAD, ("[20,40)",)),
        ("[30,40)", Action.LOAD, ("[20,40)",)),
        ("[40,+inf)", Action.SKIP, ()),
    ]
    assert [(line.unit, line.action) for line in explain([made])] == [
        ("(-inf,20)", "skip"),
        ("[20,30)", "load"),
        ("[30,40)", "load"),
        ("[40,+inf)", "skip"),
    ]
    assert explain([made])[1].reason == (
        "new boundaries: takes over [20,40), together with 1 other partition; out of retention (the newest 2 partitions "
        "that hold rows): read for the lake, and removed from the warehouse once the table is loaded"
    )
    assert made.is_to_be_trimmed
    assert summary([made]).endswith("1 unchanged; 1 out of retention to remove from the warehouse")
    again = plan(windowed([20, 30, 40], 2), "(-inf,20)", "[20,30)", "[30,40)", "[40,+inf)")
    assert (again.work, again.is_to_be_trimmed) == ((), False)


def test_only_partitions_that_are_asked_for_and_what_belongs_to_them_are_read() -> None:
    found = windowed([20, 30, 40, 50], 2)
    one = replace(PLAIN, partition_keys=frozenset({"[40,50)"}))
    assert [step.unit for step in plan(found, "[20,40)", options=one).steps] == ["[40,50)"]
    other = replace(PLAIN, partition_keys=frozenset({"[30,40)"}))
    assert [step.unit for step in plan(found, "[20,40)", options=other).steps] == ["[20,30)", "[30,40)"]


def test_the_partition_of_null_rows_and_what_it_gave_away() -> None:
    """(-inf,20) with the NULL rows stayed in the window; after SPLIT (10) only (-inf,10) does."""
    made = plan(windowed([10, 20, 30], 3, start=1), "(-inf,20)", "[20,30)", "[30,+inf)")
    assert [(step.unit, step.replaces) for step in made.work] == [
        ("(-inf,10)", ("(-inf,20)",)),
        ("[10,20)", ("(-inf,20)",)),
    ]
    assert [one.unit for one in made.not_read] == ["[20,30)"]


def test_a_merge_into_the_window_does_not_read_what_was_never_loaded_before_it() -> None:
    """[20,40) is gone, and neither it nor a neighbour says where 20 lay."""
    found = windowed([10, 40, 50], 1)
    assert [step.unit for step in plan(found, "[20,40)", "[40,50)", "[50,+inf)").work] == ["[10,40)"]
    text = replace(found, column=CODE)
    (group,) = repartition_groups(text, {"[20,40)", "[40,50)", "[50,+inf)"})
    assert group.replacements == ("(-inf,10)", "[10,40)"), "the order of text is the server's: rather too much"


def test_a_removed_unit_before_the_window_is_taken_over_with_one_that_shares_a_part() -> None:
    """[10,30) holds rows of [10,20), which would be in the lake twice."""
    made = plan(windowed([10, 30, 40], 2), "(-inf,10)", "[10,20)", "[20,40)", "[40,+inf)")
    assert {step.unit: step.replaces for step in made.work} == dict.fromkeys(
        ["[10,30)", "[30,40)"], ("[10,20)", "[20,40)")
    )


def test_a_table_that_was_loaded_whole_before_is_taken_over_by_all_partitions() -> None:
    made = plan(windowed([10, 20, 30], 2), "all")
    assert [step.unit for step in made.work] == ["(-inf,10)", "[10,20)", "[20,30)", "[30,+inf)"]


# ---- any boundaries, any window, any of the old units committed --------------------------------------------------------

BOUNDARIES = st.lists(st.integers(0, 12), unique=True, max_size=6).map(sorted)
SIDES = st.sampled_from(["left", "right"])
VALUES = [v / 2 for v in range(-2, 28)]


def holds(unit: str, value: float) -> bool:
    range_ = parse_key(unit)
    lower = float("-inf") if range_.lower is None else float(range_.lower.text or 0)
    upper = float("inf") if range_.upper is None else float(range_.upper.text or 0)
    return lower <= value < upper if range_.side == "right" else lower < value <= upper


def keys_of(boundaries: Sequence[int], side: Side) -> list[str]:
    return [slot.range.key for slot in windowed(boundaries, 0, side=side).slots]


def owners(lake: Collection[str], value: float) -> int:
    return sum(holds(unit, value) for unit in lake)


@st.composite
def windows(draw: st.DrawFn, boundaries: Sequence[int], side: Side) -> PartitioningFacts:
    """The last slot is always in it, and those up to the one with the NULL rows may be."""
    first = draw(st.integers(0, len(boundaries)))
    return windowed(boundaries, first, start=draw(st.integers(0, first)), side=side)


def after(lake: Collection[str], groups: Sequence[RepartitionGroup]) -> set[str]:
    removed = {unit for group in groups for unit in group.removed}
    return (set(lake) - removed).union(*(group.replacements for group in groups))


@given(data=st.data(), before=BOUNDARIES, now=BOUNDARIES, old_side=SIDES)
def test_the_lake_has_every_row_of_a_removed_unit_once_whatever_the_window(
    data: st.DataObject, before: list[int], now: list[int], old_side: Side
) -> None:
    side: Side = data.draw(st.sampled_from([old_side, old_side, old_side, "left", "right"]))
    old = data.draw(st.sets(st.sampled_from(keys_of(before, old_side))))
    found = data.draw(windows(now, side))
    groups = repartition_groups(found, old)
    lake = after(old, groups)
    for value in VALUES:
        assert owners(lake, value) <= 1, (value, lake)
        assert owners(lake, value) >= owners(old, value), (value, lake)

    before_window = {slot.range.key for slot in found.before_window}
    for group in groups:
        for unit in before_window.intersection(group.replacements):
            assert side != old_side or any(holds(unit, v) and holds(gone, v) for v in VALUES for gone in group.removed)
    reaches_in = [
        gone
        for gone in old - set(keys_of(now, side))
        if any(holds(gone, v) and owners([slot.range.key for slot in found.slots], v) for v in VALUES)
    ]
    if side == old_side:
        assert set(reaches_in) <= {unit for group in groups for unit in group.removed}
        assert bool(reaches_in) == bool(groups), "nothing before the window is read for its own sake"

    read = taking_over(found, *old).partitioning
    assert read is not None
    assert repartition_groups(read, old) == groups, "what is read because of it changes nothing in it"
    assert read.all_slots == found.all_slots
    assert read.taking_over == before_window.intersection(*[{u for g in groups for u in g.replacements}])
    assert read.before_window == found.before_window
    assert reading_also(facts(read), ()).partitioning == found
    settled = {*old, *(slot.range.key for slot in found.slots)}
    assert repartition_groups(found, after(settled, groups)) == [], "the next run reads nothing"


@given(data=st.data(), before=BOUNDARIES, now=BOUNDARIES, side=SIDES)
def test_a_run_that_was_killed_in_between_is_finished_whatever_the_window_is_then(
    data: st.DataObject, before: list[int], now: list[int], side: Side
) -> None:
    """The members of a group are published one after another, and the last one retires the removed units. The ledger knows of
    none of it."""
    ledger = data.draw(st.sets(st.sampled_from(keys_of(before, side))))
    groups = repartition_groups(data.draw(windows(now, side)), ledger)
    lake = set(ledger)
    for group in groups:
        published = data.draw(st.integers(0, len(group.replacements)))
        lake |= set(group.replacements[:published])
        if published == len(group.replacements):
            lake -= set(group.removed)
    then = data.draw(windows(now, side))
    only_in_lake = lake - ledger
    more = repartition_groups(
        then, ledger, published=only_in_lake.intersection(slot.range.key for slot in then.before_window)
    )
    left = units_out_of_retention(then, ledger, only_in_lake)
    assert not left.intersection(*[{unit for group in more for unit in group.removed}])
    lake = after(lake, more)
    for value in VALUES:
        assert owners(lake, value) <= 1, (value, lake)
        assert owners(lake, value) >= owners(ledger, value), (value, lake)


@pytest.mark.parametrize(
    ("of_type", "one", "other", "apart"),
    [
        ("int", "[9,10)", "[10,11)", True),
        ("int", "[9,11)", "[10,12)", False),
        ("int", "[2,9)", "[10,11)", True),
        ("int", "(2,10]", "[10,11)", False),
        ("int", "(-inf,null)", "[null,3)", True),
        ("decimal", "[-1.5,0)", "[.25,1)", True),
        ("float", "[1E+2,2E+2)", "[3E+1,1E+2)", True),
        ("date", "[2024-01-31,2024-02-01)", "[2024-02-02,+inf)", True),
        ("datetime2", "[2024-01-01,2024-01-01T10:00:00)", "[2024-01-01T10:00:00.0000001,+inf)", True),
        ("datetimeoffset", "[2024-01-01T00:00:00+00:00,2024-01-01T12:00:00+02:00)", "[2024-01-01T09:30:00+00:00,+inf)", False),
        ("datetimeoffset", "[2024-01-01T00:00:00+00:00,2024-01-01T12:00:00+02:00)", "[2024-01-01T10:30:00+00:00,+inf)", True),
        ("nvarchar", "[a,b)", "[c,d)", False),
        ("nvarchar", "[a,b)", "[b,d)", True),
    ],
)  # fmt: skip
def test_ranges_are_apart_only_where_the_order_is_known(of_type: str, one: str, other: str, apart: bool) -> None:
    for first, second in ((one, other), (other, one)):
        assert are_apart(parse_key(first), parse_key(second), of_type) is apart

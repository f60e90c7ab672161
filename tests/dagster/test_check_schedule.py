"""The schedule of a sensor's probes: every table gets its turn, expensive ones rarely, failing ones after pauses."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.config import PartitionTableConfig, StaticTableConfig, TableConfig
from dltsync_dagster.check_schedule import (
    JITTER,
    LONGEST_INTERVAL,
    LONGEST_PAUSE_SECONDS,
    TableState,
    after_change,
    after_failure,
    after_probe,
    due_tables,
    failing_tables,
    interval,
    key_of,
    next_due,
    read_cursor,
    without_loaded,
    write_cursor,
)

NOW = 1_800_000_000.0
HASH = {"hashbytes_sha256"}


def table(name: str = "T", **options: object) -> StaticTableConfig:
    return StaticTableConfig(table_name=name, **options)


def tables(count: int) -> list[TableConfig]:
    return [table(f"T{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("method", "seconds", "expected"),
    [
        ("rowversion", 50.0, 0.0),
        ("row_count", 50.0, 0.0),
        ("fingerprint", 0.5, 0.0),
        ("fingerprint", 1.0, 0.0),
        ("fingerprint", 10.0, 600.0),
        ("last_modified", 2.0, 120.0),
        ("hashbytes_sha256", 5000.0, LONGEST_INTERVAL.total_seconds()),
    ],
)
def test_without_a_setting_the_method_and_the_cost_decide(method: str, seconds: float, expected: float) -> None:
    """A cheap method is for every tick. Of the others at most a sixtieth of the time goes into probes."""
    assert interval(PartitionTableConfig(table_name="T"), {method}, seconds) == expected
    assert interval(PartitionTableConfig(table_name="T", check_every="5m"), {method}, seconds) == 300.0


def test_tables_of_one_interval_do_not_stay_in_one_tick() -> None:
    due = {after_probe(one, TableState(), HASH, 10.0, NOW).due - NOW for one in tables(200)}
    assert len(due) > 30
    assert all(600 * (1 - JITTER) - 1 <= seconds <= 600 for seconds in due)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["cheap", "costly", "failing", "configured"])), min_size=1, max_size=40),
    st.integers(1, 9),
    st.data(),
)
def test_every_table_gets_its_turn(kinds: list[tuple[str]], capacity: int, data: st.DataObject) -> None:
    """A tick reaches the first `capacity` tables that are due, whatever they are; the cursor goes through its text each time. No
    table waits for longer than all others need before it, once it is due."""
    all_tables = [
        table(f"T{n}", **({"check_every": "3m"} if kind == "configured" else {})) for n, (kind,) in enumerate(kinds)
    ]
    kind_of = {one.name: kind for one, (kind,) in zip(all_tables, kinds, strict=True)}
    cursor: str | None = None
    turns: Counter[str] = Counter()
    waited: Counter[str] = Counter()
    most = -(-len(all_tables) // capacity)
    for number in range(6 * most):
        now = NOW + 60 * number
        states = read_cursor(cursor)
        due = due_tables(all_tables, states, now)
        reached = due[: data.draw(st.integers(1, capacity)) if number % 7 == 3 else capacity]
        for one in reached:
            state = states.get(key_of(one), TableState())
            states[key_of(one)] = (
                after_failure(state, now)
                if kind_of[one.name] == "failing"
                else after_probe(one, state, {"row_count"} if kind_of[one.name] == "cheap" else HASH, 4.0, now)
            )
            turns[str(one.name)] += 1
            waited[str(one.name)] = 0
        for one in due[len(reached) :]:
            waited[str(one.name)] += 1
            assert waited[str(one.name)] <= 3 * most + 3
        cursor = write_cursor(states, all_tables)
    assert len(turns) == len(all_tables)


def test_a_cursor_is_bounded_by_the_number_of_tables() -> None:
    many = tables(500)
    states = {key_of(one): TableState(int(NOW), 123_456, 3, "0123abcd", int(NOW)) for one in many}
    states |= {f"gone{number}": TableState(1) for number in range(1000)}
    cursor = write_cursor(states, many)
    assert len(cursor) < 80 * len(many)
    assert read_cursor(cursor) == {key_of(one): states[key_of(one)] for one in many}


@pytest.mark.parametrize(
    "cursor", [None, "", "sales.Orders", "[]", '{"version":0,"tables":{}}', '{"version":1,"tables":[1]}']
)
def test_a_cursor_that_cannot_be_read_makes_every_table_due(cursor: str | None) -> None:
    """Those of earlier versions, too: they named a table."""
    assert due_tables(tables(3), read_cursor(cursor), NOW) == tables(3)


def test_a_failing_table_is_tried_again_after_growing_pauses() -> None:
    state, pauses = TableState(), []
    for _ in range(9):
        state = after_failure(state, NOW)
        pauses.append(state.due - NOW)
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    one, other = tables(2)
    assert failing_tables([one, other], {key_of(other): state}) == [other]
    assert after_probe(other, state, HASH, 1.0, NOW).failures == 0


def test_a_change_that_was_not_loaded_is_asked_for_before_its_table_is_due() -> None:
    """A run that failed, or an automation that missed it: the ledger still has the same loads."""
    one = table(check_every="6h")
    state = after_change(after_probe(one, TableState(), HASH, 0.1, NOW), ["load 1"], NOW + 180)
    assert due_tables([one], {key_of(one): without_loaded(state, ["load 1"])}, NOW + 60) == []
    assert due_tables([one], {key_of(one): without_loaded(state, ["load 1"])}, NOW + 180) == [one]
    loaded = {key_of(one): without_loaded(state, ["load 2"])}
    assert due_tables([one], loaded, NOW + 180) == []
    assert next_due([one], loaded) == pytest.approx(NOW + timedelta(hours=6).total_seconds(), rel=1e-3)

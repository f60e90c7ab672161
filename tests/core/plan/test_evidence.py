"""No change is judged unchanged, whatever is stamped; and what an increment cannot deliver is read whole.

A table in memory, its stamps and its edits at random, is planned by the real decision, round after round; what a load does with
the plan is simulated: an increment merges by key and is held against count and stamps, as the run does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.committed import CommittedUnit, CommittedUnits, Probe
from dltsync_core.config import SCDTableConfig
from dltsync_core.plan.evidence import (
    ABOVE,
    RECENT,
    STAMPS,
    UNSTAMPED,
    PartName,
    figures_of,
    parts_that_differ,
    rows_of,
    signature,
    why_changed,
    why_parts_differ,
)
from dltsync_core.plan.scd import plan_scd_table
from dltsync_core.plan.steps import Action, Step
from dltsync_core.plan.window import window_after
from tests.core.plan.cases import BASIS, PLAIN, committed_unit, committed_units, intact, table_facts

LAG_SECONDS = 120
TABLE = SCDTableConfig(
    table_name="Orders", schema_name="sales", last_modified_column="LastModified", lag_seconds=LAG_SECONDS
)


@dataclass(frozen=True)
class Row:
    """`stamp` in minutes, None for NULL."""

    stamp: int | None
    content: int


Rows = dict[int, Row]


def moment(minutes: int) -> str:
    return f"2026-01-15 {minutes // 60:02}:{minutes % 60:02}:00"


def digested(values: Iterable[object]) -> str:
    """As the server does it: how many, and a sum that does not depend on order."""
    found = [int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8], "big") for value in values]
    return f"{len(found)},{sum(found)}"


def stamps_of(rows: Rows) -> str:
    return digested((key, row.stamp) for key, row in rows.items())


def look(rows: Rows, committed: str | None) -> Probe:
    """What `probe_scd` says of such rows."""
    stamps = [row.stamp for row in rows.values() if row.stamp is not None]
    high = moment(max(stamps)) if stamps else None
    named: dict[PartName, str] = {STAMPS: stamps_of(rows)}
    if committed is not None:
        low = window_after(committed, high, type_name="datetime2", lag_seconds=LAG_SECONDS).low
        assert low is not None
        recent = [i for i in rows.items() if i[1].stamp is not None and low < moment(i[1].stamp) <= committed]
        named[RECENT] = digested(recent)
    unstamped = [item for item in rows.items() if item[1].stamp is None]
    if unstamped:
        named[UNSTAMPED] = digested(unstamped)
    return Probe("last_modified", len(rows), signature(len(rows), high, named=named, schema_digest="d"), high)


def planned(seen: Probe, committed: CommittedUnit | None) -> Step:
    watermark = committed.watermark if committed is not None else None
    window = window_after(watermark, seen.watermark_high, type_name="datetime2", lag_seconds=LAG_SECONDS)
    plan = plan_scd_table(
        table_facts(),
        TABLE,
        definition=BASIS,
        probe=seen,
        window=window,
        committed_units=committed_units(committed) if committed is not None else CommittedUnits(),
        judgements=intact(committed) if committed is not None else {},
        options=PLAIN,
    )
    return plan.steps[0]


def one_run(source: Rows, warehouse: Rows, committed: CommittedUnit | None) -> tuple[Rows, CommittedUnit, Action]:
    """The warehouse and the committed unit after a run, and what the plan was."""
    step = planned(look(source, committed.watermark if committed is not None else None), committed)
    if step.action is Action.SKIP:
        assert committed is not None
        return warehouse, committed, step.action
    loaded = dict(source)
    if step.action is Action.LOAD_INCREMENT:
        low, high = step.window_low or "", step.window_high or "9"
        read = {k: r for k, r in source.items() if r.stamp is None or low < moment(r.stamp) <= high}
        merged = {**warehouse, **read}
        if len(merged) == len(source) and stamps_of(merged) == stamps_of(source):
            loaded = merged
    high_now = look(source, None).watermark_high
    seen = look(source, high_now)
    return loaded, committed_unit(kind="scd", seen=seen, watermark=high_now), step.action


stamps = st.none() | st.integers(0, 20)
rows_of_a_table = st.dictionaries(st.integers(0, 6), st.builds(Row, stamps, st.integers(0, 3)), max_size=6)
Edit = Callable[[Rows, int, int], None]


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[str, int, int | None]]:
    one = st.tuples(st.sampled_from(["insert", "update", "delete", "touch"]), st.integers(0, 8), stamps)
    return draw(st.lists(one, max_size=5))


def edited(source: Rows, changes: list[tuple[str, int, int | None]], fresh: Iterable[int], low: int) -> Rows:
    """The rows after these edits. Every one gives a row a content that no row had before. A row that is stamped is stamped anew
    by an update, early or late, and never as it was stamped before; `touch` leaves the stamp as it is where a coarse clock may:
    above `low`."""
    found = dict(source)
    had = {(key, row.stamp) for key, row in source.items()}
    for (kind, key, stamp), content in zip(changes, fresh, strict=False):
        row = found.get(key)
        if kind in ("insert", "update") and stamp is not None and (key, stamp) in had:
            continue
        if kind == "insert" and row is None:
            found[key] = Row(stamp, content)
        elif row is None:
            continue
        elif kind == "delete":
            del found[key]
        elif kind == "update" and (stamp is None or stamp != row.stamp):
            found[key] = Row(stamp, content)
        elif kind == "touch" and (row.stamp is None or row.stamp > low):
            found[key] = replace(row, content=content)
        if key in found:
            had.add((key, found[key].stamp))
    return found


@settings(max_examples=150, deadline=None)
@given(rows_of_a_table, st.lists(edits(), min_size=1, max_size=4))
def test_no_change_to_any_row_is_judged_unchanged_and_every_load_delivers_it(
    start: Rows, rounds: list[list[tuple[str, int, int | None]]]
) -> None:
    source = dict(start)
    warehouse, committed, _ = one_run(source, {}, None)
    assert warehouse == source
    content = 100
    for changes in rounds:
        highest = max((r.stamp for r in source.values() if r.stamp is not None), default=0)
        source = edited(source, changes, range(content, content + len(changes)), highest - LAG_SECONDS // 60)
        content += len(changes)
        before = warehouse
        warehouse, committed, action = one_run(source, before, committed)
        assert warehouse == source
        assert (action is Action.SKIP) == (before == source)


def in_a_slot(rows: Rows) -> Probe:
    """What `probe_partitions` says by last_modified of such rows in one slot."""
    stamped = [row.stamp for row in rows.values() if row.stamp is not None]
    high = moment(max(stamped)) if stamped else None
    unstamped = [item for item in rows.items() if item[1].stamp is None]
    named: dict[PartName, str] = {UNSTAMPED: digested(unstamped)} if unstamped else {}
    return Probe("last_modified", len(rows), signature(stamps_of(rows), high, named=named, schema_digest="d"), high)


@settings(max_examples=150, deadline=None)
@given(rows_of_a_table, edits())
def test_no_change_to_any_row_of_a_partition_is_judged_unchanged(
    start: Rows, changes: list[tuple[str, int, int | None]]
) -> None:
    after = edited(start, changes, range(100, 100 + len(changes)), low=99)
    assert (why_changed(in_a_slot(start), in_a_slot(after)) is None) == (start == after)


def test_a_part_is_found_among_text_that_looks_like_one() -> None:
    """Moments have colons in them."""
    text = signature(7, "2026-01-15 12:00:00", named={RECENT: "2,1,1", UNSTAMPED: "3,4,5"}, schema_digest="abc")
    assert text == "7|2026-01-15 12:00:00|recent:2,1,1|unstamped:3,4,5|abc"
    assert (figures_of(text, UNSTAMPED), figures_of(text, STAMPS)) == ("3,4,5", None)
    assert (rows_of(text, UNSTAMPED), rows_of(text, ABOVE)) == (3, 0)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        ({STAMPS: "3,1"}, None),
        ({STAMPS: "3,2"}, "further below the watermark"),
        ({STAMPS: "3,2", RECENT: "1,1"}, "within the lag"),
        ({STAMPS: "3,2", RECENT: "1,1", UNSTAMPED: "2,9"}, "NULL are others (0 then, 2 now)"),
        ({STAMPS: "3,1", ABOVE: "1,2001"}, "open transaction are others (0 then, 1 now)"),
    ],
)
def test_the_rows_that_changed_are_named(now: dict[PartName, str], sentence: str | None) -> None:
    committed = signature(3, named={STAMPS: "3,1"}, schema_digest="d")
    found = why_parts_differ(committed, signature(3, named=now, schema_digest="d"))
    assert (found is None) if sentence is None else (found is not None and sentence in found)
    assert bool(parts_that_differ(committed, signature(3, named=now, schema_digest="d"))) == (sentence is not None)


def test_a_load_that_kept_no_digest_of_all_stamps_is_followed_by_all_versions() -> None:
    """What was committed by a dltsync that looked at the window alone says nothing of the rest."""
    old = replace(look({1: Row(5, 1)}, None), signature="1|2026-01-15 00:05:00|1|11|22|d")
    step = planned(
        look({1: Row(5, 1)}, old.watermark_high), committed_unit(kind="scd", seen=old, watermark=old.watermark_high)
    )
    assert step.action is Action.LOAD
    assert "kept no digest of all stamps" in step.reason

"""Whatever differs between three places is named: these rows, no others, in few looks, whatever else the places hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.config import StaticTableConfig
from dltsync_core.digest.buckets import RowKeySpec, digest_by_bucket
from dltsync_core.digest.segment import SegmentDigest, digest_batches
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.typemap.columns import map_columns
from dltsync_core.validate.differing_rows import RowDifference
from dltsync_core.validate.row_diff import Limits, RowDiff, Side, diff_rows
from dltsync_core.validate.row_sample import LONGEST_SHOWN, HeldRows, hold
from tests.support.table_facts import column, table

Row = tuple[str | None, str | None]
NO, NOTE = map_columns(
    table(column("No", "nvarchar", 1), column("Note", "nvarchar", 2, max_length=-1)),
    StaticTableConfig(table_name="Orders", schema_name="sales"),
).columns
BY_KEY, WHOLE = RowKeySpec((NO, NOTE), (NO,)), RowKeySpec((NO, NOTE), (NO, NOTE))
SMALL = Limits(at_once=3, by_value=3, to_part=6, buckets=4)
PARTED = st.sampled_from([Limits(), Limits(at_once=0), Limits(at_once=5)])
"""Not at all, as deep as can be, and in between."""


class InMemory:
    """A place that holds these rows and counts how often it is asked."""

    def __init__(self, rows: list[Row], keyed: RowKeySpec) -> None:
        self.rows, self.keyed, self.asked, self.read = rows, keyed, 0, 0

    def batch(self) -> pa.RecordBatch:
        columns = [pa.array([row[i] for row in self.rows], pa.large_string()) for i in (0, 1)]
        return pa.RecordBatch.from_arrays(columns, names=["No", "Note"])

    def digests(self, length: int, within: Buckets | None) -> Mapping[int, SegmentDigest]:
        self.asked += 1
        return digest_by_bucket([self.batch()], self.keyed, length, within)

    def held(self, within: Buckets | None) -> HeldRows:
        self.asked += 1
        held = hold([self.batch()], self.keyed, within)
        self.read = sum(held.times.values())
        return held


def row_diff(keyed: RowKeySpec, limits: Limits, **rows: list[Row]) -> RowDiff:
    inside = {place: InMemory(some, keyed) for place, some in rows.items()}
    whole = {place: digest_batches([has.batch()], keyed.columns) for place, has in inside.items()}
    places: Mapping[str, Side] = {**inside}
    found = diff_rows(places, keyed, whole, max(len(some) for some in rows.values()), limits)
    assert all(has.asked <= 3 for has in inside.values())
    return found


def key_of(difference: RowDifference) -> str | None:
    cell = difference.key["No"]
    return cell.text if cell is not None else None


KEYS = st.none() | st.sampled_from(["", " ", "a", "A", "a ", "'", "😀", "é", "\u202e", "0", "00"]) | st.text(max_size=3)
NOTES = st.none() | st.sampled_from(["", " ", "x", "X", "x "]) | st.text(max_size=2)
ROWS = st.lists(st.tuples(KEYS, NOTES), max_size=20)
TABLES = st.dictionaries(KEYS, NOTES, max_size=25)


@given(TABLES, TABLES, TABLES, PARTED)
def test_exactly_the_rows_that_differ_are_named(
    source: dict[str | None, str | None],
    lake: dict[str | None, str | None],
    warehouse: dict[str | None, str | None],
    limits: Limits,
) -> None:
    tables = {"source": source, "lake": {**source, **lake}, "warehouse": {**source, **warehouse}}
    for name in list(source)[:5]:
        tables["warehouse"].pop(name)
    rows = {place: list(has.items()) for place, has in tables.items()}
    found = row_diff(BY_KEY, limits, **rows)
    nothing = object()
    expected = {
        key: {
            place: "missing" if key not in has else "beyond the source" if key not in source else "value differs"
            for place, has in tables.items()
            if has.get(key, nothing) != source.get(key, nothing)
        }
        for key in {*tables["lake"], *tables["warehouse"], *source}
    }
    assert {key_of(d): dict(d.status) for d in found.rows} == {key: wrong for key, wrong in expected.items() if wrong}
    assert (found.omitted, found.omitted_is_exact, found.reason) == (0, True, "")
    for difference in found.rows:
        if "value differs" in difference.status.values():
            (cell,) = difference.cells
            assert cell.column == "Note"
            shown = {place: value.text if value is not None else None for place, value in cell.places.items()}
            assert shown == {
                place: has[key_of(difference)] for place, has in tables.items() if key_of(difference) in has
            }


@settings(max_examples=60)
@given(ROWS, ROWS, PARTED)
def test_without_a_key_the_rows_are_told_with_how_often_they_are_there(
    one: list[Row], two: list[Row], limits: Limits
) -> None:
    """Duplicates count. Which rows are there more often in one place than in the other is all that there is to say."""
    found = row_diff(WHOLE, limits, source=one, warehouse=[*one[1:], *two])
    here, there = Counter(one), Counter([*one[1:], *two])
    told = {
        tuple(cell.text if cell is not None else None for cell in d.key.values()): (
            d.counts["source"],
            d.counts["warehouse"],
        )
        for d in found.rows
    }
    assert told == {row: (here[row], there[row]) for row in {*here, *there} if here[row] != there[row]}


@settings(max_examples=40)
@given(TABLES, st.integers(1, 30), PARTED)
def test_a_row_that_is_doubled_is_told_by_its_key(
    source: dict[str | None, str | None], times: int, limits: Limits
) -> None:
    rows = list(source.items())
    found = row_diff(BY_KEY, limits, source=rows, lake=rows, warehouse=rows + rows[:1] * times)
    assert [dict(d.status) for d in found.rows] == ([{"warehouse": "count differs"}] if rows else [])
    if rows:
        assert found.rows[0].counts == {"source": 1, "lake": 1, "warehouse": 1 + times}
        assert found.rows[0].message == f"{1 + times} times in the warehouse, 1 at the source"


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(0, 40))
def test_of_many_differences_some_are_told_and_the_others_counted(changed: int, missing: int) -> None:
    rows: list[Row] = [(str(n), "x") for n in range(100)]
    held = [(no, "y" if n < changed else note) for n, (no, note) in enumerate(rows)][: 100 - missing]
    inside = {"source": InMemory(rows, BY_KEY), "warehouse": InMemory(held, BY_KEY)}
    whole = {place: digest_batches([has.batch()], BY_KEY.columns) for place, has in inside.items()}
    found = diff_rows(dict(inside), BY_KEY, whole, 100, SMALL)
    truth = changed + missing
    told = len(found.rows)
    assert all(has.read <= SMALL.by_value for has in inside.values())
    assert (told > 0) is (truth > 0)
    assert told + found.omitted == truth if found.omitted_is_exact else told + found.omitted <= truth
    assert found.omitted_is_exact or truth > SMALL.by_value


def test_what_is_not_told_is_counted() -> None:
    rows: list[Row] = [(str(n), "x") for n in range(20)]
    found = row_diff(BY_KEY, Limits(rows=7), source=rows, warehouse=[])
    assert (len(found.rows), found.omitted, found.omitted_is_exact) == (7, 13, True)
    assert [key_of(d) for d in found.rows] == [str(n) for n in range(7)]


def test_two_long_values_are_told_apart_beyond_what_is_shown() -> None:
    here, there = "x" * 5_000, "x" * 4_999 + "y"
    (difference,) = row_diff(BY_KEY, SMALL, source=[("1", here)], warehouse=[("1", there)]).rows
    shown = [cell.shown for cell in difference.cells[0].places.values() if cell is not None]
    assert len(set(shown)) == 2
    assert all(text.startswith("x" * LONGEST_SHOWN + "… (5,000 characters, sha256 ") for text in shown)


@pytest.mark.parametrize("rows", [2, 50])
@pytest.mark.parametrize("place", ["source", "lake", "warehouse"])
def test_a_place_that_changes_meanwhile_is_said_to_have_changed(rows: int, place: str) -> None:
    held: list[Row] = [(str(n), "x") for n in range(rows)]
    places = {name: InMemory(list(held), BY_KEY) for name in ("source", "lake", "warehouse")}
    whole = {name: digest_batches([has.batch()], BY_KEY.columns) for name, has in places.items()}
    places[place].rows[0] = ("0", "y")
    found = diff_rows(dict(places), BY_KEY, whole, rows, SMALL)
    assert found.rows == ()
    assert found.reason.startswith(f"the {place} changed during the comparison")


def test_a_key_that_is_none_is_said_to_be_none() -> None:
    rows: list[Row] = [("same", str(n)) for n in range(10_001)]
    found = row_diff(BY_KEY, Limits(), source=rows, warehouse=rows[1:])
    assert "share few keys (No)" in found.reason
    assert row_diff(WHOLE, Limits(), source=rows, warehouse=rows[1:]).rows[0].status == {"warehouse": "missing"}

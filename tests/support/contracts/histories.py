"""What the repair of a history does in every warehouse that has it. Import all of it, and define the fixture `make_history`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dltsync_core.errors import FidelityError
from dltsync_core.history.handler import ScdHandler
from dltsync_core.history.integrity import by_entity, find_violations
from dltsync_core.history.repair import RepairPlan, plan_repair
from dltsync_core.history.versions import Version, VersionColumns

COLUMNS = VersionColumns(("Plane", "handle"), "From", "To", "IsLatest")
TARGET = ("sales", "Carriers")
Row = tuple[str, str | None, str | None, bool | None]
"""Plane (the second key is 1 in every row), start, end, latest; moments as ISO text with as many digits as are needed."""


class History(Protocol):
    """An scd table in a warehouse, with columns of two kinds of moments and a flag: `date`, `seconds`, `micros`, `finest`."""

    @property
    def handler(self) -> ScdHandler: ...

    def put(self, *rows: Row) -> None: ...

    def clear(self) -> None: ...

    def rows(self) -> list[Row]:
        """In order, without fractions of zeros; dates without a time."""

    def revise(self, decide: Callable[[Sequence[Version]], RepairPlan], *, apply: bool) -> RepairPlan: ...


class MakeHistory(Protocol):
    """Makes the table anew."""

    def __call__(self, start: str, end: str, flag: str = "bit") -> History: ...


@pytest.mark.parametrize(
    ("start", "end"), [("date", "finest"), ("finest", "finest"), ("seconds", "date"), ("micros", "seconds")]
)
def test_pairs_of_types_are_repaired(make_history: MakeHistory, start: str, end: str) -> None:
    history = make_history(start, end)
    history.put(("N1", "2020-01-01", None, True), ("N1", "2020-03-01", None, True))
    assert history.handler.repair_scd_integrity("Carriers", dry_run=False)["applied"] == 1
    first, second = history.rows()
    assert str(first[2]).startswith("2020-03-01")
    assert (first[3], second[2], second[3]) == (False, None, True)
    assert history.handler.repair_scd_integrity("Carriers")["valid"] is True


def test_a_dry_run_shows_and_changes_nothing(make_history: MakeHistory) -> None:
    history = make_history("finest", "micros")
    history.put(("N1", "2020-01-01 00:00:00.0000007", None, True), ("N1", "2020-03-01", None, True))
    before = history.rows()
    report = history.handler.repair_scd_integrity("Carriers")
    assert history.rows() == before
    assert json.loads(json.dumps(report)) == report
    assert report["changes"] == [
        {
            "key": {"Plane": "N1", "handle": "1"},
            "valid_from": "2020-01-01 00:00:00.0000007",
            "end_before": None,
            "end_after": "2020-03-01 00:00:00",
            "latest_before": True,
            "latest_after": False,
        }
    ]
    assert report["counts"] == {"several_latest": 1, "superseded_but_latest": 1, "superseded_but_open": 1}


@pytest.mark.parametrize("marker", ["9999-12-31 00:00:00", "9999-12-31 23:59:59.999999"])
def test_the_tables_own_mark_of_an_open_end_is_written(make_history: MakeHistory, marker: str) -> None:
    history = make_history("micros", "micros")
    history.put(
        ("N1", "2020-01-01", marker, True),
        ("N2", "2020-01-01", marker, True),
        ("N3", "2020-02-01", "2020-01-01", True),
    )
    report = history.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert [row[2] for row in history.rows()] == [marker] * 3
    assert any(marker.rstrip("0").rstrip(".") in note for note in report["notes"])


def test_ends_that_belong_to_their_version_are_no_gaps_and_are_written_so(make_history: MakeHistory) -> None:
    history = make_history("date", "date")
    history.put(
        ("N1", "2020-01-01", "2020-01-31", False),
        ("N1", "2020-02-01", "2020-02-29", False),
        ("N1", "2020-03-01", None, True),
        ("N2", "2020-01-01", "2020-01-31", False),
        ("N2", "2020-02-01", None, True),
        ("N2", "2020-03-01", None, True),
    )
    report = history.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert "gap" not in report["counts"]
    assert "ends belong to their version: the next begins 86400 seconds later" in report["notes"]
    assert history.rows()[4] == ("N2", "2020-02-01", "2020-02-29", False)
    assert history.handler.repair_scd_integrity("Carriers")["valid"] is True


def test_flags_may_be_numbers_and_missing(make_history: MakeHistory) -> None:
    history = make_history("date", "date", flag="smallint")
    history.put(("N1", "2020-01-01", None, None))
    history.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert history.rows() == [("N1", "2020-01-01", None, True)]


def test_an_end_that_its_column_cannot_express_stops_everything(make_history: MakeHistory) -> None:
    history = make_history("finest", "micros")
    history.put(
        ("N1", "2020-01-01", None, True),
        ("N1", "2020-03-01", None, True),
        ("N2", "2020-01-01", None, True),
        ("N2", "2020-03-01 00:00:00.0000001", None, True),
    )
    before = history.rows()
    with pytest.raises(FidelityError, match=r"2020-03-01 00:00:00\.0000001"):
        history.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert history.rows() == before


def test_rows_without_an_effective_date_are_counted(make_history: MakeHistory) -> None:
    history = make_history("date", "date")
    history.put(("N1", None, None, True), ("N1", "2020-01-01", None, True))
    report = history.handler.repair_scd_integrity("Carriers")
    assert "1 row without From was not looked at" in report["notes"]
    assert report["valid"] is True


VERSION = st.tuples(st.sampled_from("AB"), st.integers(0, 5), st.none() | st.integers(0, 7), st.booleans())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables=st.lists(st.lists(VERSION, max_size=8), min_size=1, max_size=2))
def test_every_key_that_breaks_a_rule_is_shown_and_what_is_planned_is_written(
    make_history: MakeHistory, tables: list[list[tuple[str, int, int | None, bool]]]
) -> None:
    """The filter in SQL may let too much through, never too little."""
    history = make_history("date", "date")
    day = 86_400_000_000_000

    def text(number: int | None) -> str | None:
        return None if number is None else f"1970-01-{number + 1:02d}"

    for rows in tables:
        history.clear()
        history.put(*((key, text(start), text(end), latest) for key, start, end, latest in rows))
        everything = [
            Version(n, (key, "1"), start * day, None if end is None else end * day, latest)
            for n, (key, start, end, latest) in enumerate(sorted(rows, key=lambda row: row[:2]))
        ]
        seen: list[Version] = []

        def decide(shown: Sequence[Version], seen: list[Version] = seen) -> RepairPlan:
            seen[:] = shown
            return plan_repair(shown)

        plan = history.revise(decide, apply=True)
        step = seen[0].step if seen else 0
        shown_keys = {version.key for version in seen}
        if not step:  # ends that belong to their version are another way of writing
            broken = {versions[0].key for versions in by_entity(everything) if find_violations(versions)}
            assert broken <= shown_keys
        again = history.revise(plan_repair, apply=False)
        assert {change.before.key for change in again.changes} == set()
        written: Any = {(row[0], row[1], row[2], row[3]) for row in history.rows()}
        for change in plan.changes:
            end = change.after.valid_to
            assert any(row[0] == change.after.key[0] and row[3] == change.after.is_latest for row in written), end

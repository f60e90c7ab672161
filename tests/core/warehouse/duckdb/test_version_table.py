"""Histories in DuckDB: shown exactly, mended in one transaction, in the table's own way of writing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dltsync_core.errors import FidelityError, WarehouseError
from dltsync_core.history.collation import CollationRule
from dltsync_core.history.handler import ScdHandler, ScdTarget
from dltsync_core.history.integrity import by_entity, find_violations
from dltsync_core.history.repair import RepairPlan, plan_repair
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.identity import TableName
from dltsync_core.warehouse.duckdb.version_sql import version_table
from dltsync_core.warehouse.duckdb.version_table import revise
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from tests.support.duckdb_memory import empty_database
from tests.support.variants import variants

COLUMNS = VersionColumns(("Plane", "handle"), "From", "To", "IsLatest")
TARGET = ("sales", "Carriers")


class Hangar:
    """An scd table with two key columns, one of which has a name our SQL could have chosen."""

    def __init__(
        self,
        root: Path,
        start: str,
        end: str,
        flag: str = "BOOLEAN",
        spelling: CollationRule | None = None,
        plane: str = "VARCHAR",
    ) -> None:
        self.path = root / "h.duckdb"
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("CREATE SCHEMA sales")
            connection.execute(
                f'CREATE TABLE sales."Carriers" ("Plane" {plane}, handle INTEGER, d_from INTEGER, '
                f'"From" {start}, "To" {end}, "IsLatest" {flag})'
            )
        warehouse = DuckDbWarehouse(self.path, work_directory=root / "work")
        target = ScdTarget(TableName("dbo", "Carriers"), TARGET, replace(COLUMNS, spellings=(spelling, None)))
        self.handler = ScdHandler(lambda _: target, warehouse)

    def put(self, *rows: tuple[str, str | None, str | None, bool | None]) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for plane, start, end, latest in rows:
                connection.execute(
                    'INSERT INTO sales."Carriers" VALUES (?, 1, 7, ?, ?, ?)', [plane, start, end, latest]
                )

    def rows(self) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(
                'SELECT "Plane", CAST("From" AS VARCHAR), CAST("To" AS VARCHAR), "IsLatest" '
                'FROM sales."Carriers" ORDER BY 1, 2'
            ).fetchall()


TYPES = ["DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ"]


Dated = tuple[str, str | None, str | None, bool]


def mended(start: str, end: str, *rows: Dated) -> tuple[RepairPlan, list[Dated], RepairPlan]:
    """What was done to a history with such columns, the rows afterwards, and what is left to do. In memory: a file is opened
    five times for as much."""
    types = {"Plane": "VARCHAR", "handle": "INTEGER", "From": start, "To": end, "IsLatest": "BOOLEAN"}
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        connection.execute(f"CREATE TABLE t ({columns})")
        for plane, since, until, latest in rows:
            connection.execute("INSERT INTO t VALUES (?, 1, ?, ?, ?)", [plane, since, until, latest])
        spelt = dict(connection.execute("SELECT column_name, data_type FROM duckdb_columns()").fetchall())
        table = version_table("memory", ("main", "t"), COLUMNS, {name: spelt[name] for name in types})
        done = revise(connection, table, plan_repair, apply=True)
        shown = 'SELECT "Plane", CAST("From" AS VARCHAR), CAST("To" AS VARCHAR), "IsLatest" FROM t ORDER BY 1, 2'
        return done, connection.execute(shown).fetchall(), revise(connection, table, plan_repair, apply=False)


@pytest.mark.parametrize("start", TYPES)
@pytest.mark.parametrize("end", TYPES)
def test_every_pair_of_types_is_mended(start: str, end: str) -> None:
    done, (first, second), left = mended(start, end, ("N1", "2020-01-01", None, True), ("N1", "2020-03-01", None, True))
    assert len(done.changes) == 1
    assert str(first[2]).startswith("2020-03-01")
    assert (first[3], second[2], second[3]) == (False, None, True)
    assert left.findings == ()


@pytest.mark.parametrize(("start", "end"), [("TIMESTAMPTZ", "DATE"), ("TIMESTAMP_NS", "TIMESTAMPTZ")])
def test_a_history_in_a_file_is_mended(tmp_path: Path, start: str, end: str) -> None:
    hangar = Hangar(tmp_path, start, end)
    hangar.put(("N1", "2020-01-01", None, True), ("N1", "2020-03-01", None, True))
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert report["applied"] == 1
    first, second = hangar.rows()
    assert first[2].startswith("2020-03-01")
    assert (first[3], second[2], second[3]) == (False, None, True)
    assert hangar.handler.repair_scd_integrity("Carriers")["valid"] is True


WRITTEN = {
    "2020-01-01 00:00:00.0000007": ("2020-03-01 00:00:00.0000010", "2020-03-01 00:00:00.0000010"),
    "2020-01-01 00:00:00.0000007+02:00": ("2020-03-01 01:00:00.0000010+01:00", "2020-03-01 00:00:00.0000010+00:00"),
    "2020-01-01 00:00:00-05:30": ("2020-02-29 18:30:00-05:30", "2020-03-01 00:00:00+00:00"),
    "1969-01-01T00:00:00": ("1969-12-31T23:59:59.997", "1969-12-31T23:59:59.997"),
    "1969-01-01T00:00:00.003": ("1969-12-31T23:59:59", "1969-12-31T23:59:59"),
}
"""The start of a version, that of the next one, and how the end between them is written."""


@pytest.mark.parametrize("opened", ["9999-12-31 23:59:59.9999999", None])
@pytest.mark.parametrize("start", WRITTEN)
def test_a_history_kept_as_text_is_mended_to_the_last_digit(start: str, opened: str | None) -> None:
    following, end = WRITTEN[start]
    marker = None
    if opened is not None:
        zone = start[-6:] if start[-6] in "+-" else ""
        marker = "9999-12-31T23:59:59.997" if "T" in start else opened[: len(start) - len(zone)] + zone
    done, rows, left = mended("VARCHAR", "VARCHAR", ("N1", start, marker, True), ("N1", following, marker, True))
    assert (len(done.changes), [f.kind for f in done.findings].count("superseded_but_open")) == (1, 1)
    assert sorted(rows, key=lambda row: row[3]) == [("N1", start, end, False), ("N1", following, marker, True)]
    assert left.findings == ()


def test_text_that_is_no_moment_is_named(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "TIMESTAMP", "VARCHAR")
    hangar.put(("N1", "2020-01-01", "20200301", True))
    with pytest.raises(WarehouseError, match="To holds '20200301', which is no date and time"):
        hangar.handler.repair_scd_integrity("Carriers")


def test_a_history_by_uuid_is_mended(tmp_path: Path) -> None:
    key = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    hangar = Hangar(tmp_path, "TIMESTAMP", "TIMESTAMP", plane="UUID")
    hangar.put((key, "2020-01-01", None, True), (key, "2020-03-01", None, True))
    hangar.put(("00000000-0000-0000-0000-000000000001", "2020-01-01", None, True))
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert report["applied"] == 1
    assert key in str(report)
    assert [str(row[0]) for row in hangar.rows() if row[2] is not None] == [key]


def test_a_dry_run_shows_and_changes_nothing(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "TIMESTAMP_NS", "TIMESTAMP")
    hangar.put(("N1", "2020-01-01 00:00:00.0000007", None, True), ("N1", "2020-03-01", None, True))
    before = hangar.rows()
    report = hangar.handler.repair_scd_integrity("Carriers")
    assert hangar.rows() == before
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
    assert (report["table"], report["target"], report["dry_run"], report["applied"], report["valid"]) == (
        "dbo.Carriers",
        "sales.Carriers",
        True,
        0,
        False,
    )
    assert report["counts"] == {"several_latest": 1, "superseded_but_latest": 1, "superseded_but_open": 1}


@pytest.mark.parametrize("marker", ["9999-12-31 00:00:00", "9999-12-31 23:59:59.999999", "9999-01-01 00:00:00"])
def test_the_tables_own_mark_of_an_open_end_is_kept(tmp_path: Path, marker: str) -> None:
    hangar = Hangar(tmp_path, "TIMESTAMP", "TIMESTAMP")
    hangar.put(
        ("N1", "2020-01-01", marker, True),
        ("N2", "2020-01-01", marker, True),
        ("N3", "2020-02-01", "2020-01-01", True),
    )
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert [row[2] for row in hangar.rows()] == [marker, marker, marker]
    assert f"open versions end in {marker} in To" in report["notes"]


def test_ends_that_belong_to_their_version_are_no_gaps_and_are_written_so(tmp_path: Path) -> None:
    """Many tables write the last valid day as the end. That is a convention, and it is kept."""
    hangar = Hangar(tmp_path, "DATE", "DATE")
    hangar.put(
        ("N1", "2020-01-01", "2020-01-31", False),
        ("N1", "2020-02-01", "2020-02-29", False),
        ("N1", "2020-03-01", None, True),
        ("N2", "2020-01-01", "2020-01-31", False),
        ("N2", "2020-02-01", None, True),
        ("N2", "2020-03-01", None, True),
    )
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert "gap" not in report["counts"]
    assert "ends belong to their version: the next begins 86400 seconds later" in report["notes"]
    assert hangar.rows()[4] == ("N2", "2020-02-01", "2020-02-29", False)
    assert hangar.handler.repair_scd_integrity("Carriers")["valid"] is True


def test_flags_may_be_numbers_and_missing(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "DATE", "DATE", flag="SMALLINT")
    hangar.put(("N1", "2020-01-01", None, None))
    hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert hangar.rows() == [("N1", "2020-01-01", None, 1)]


def test_an_end_that_its_column_cannot_express_stops_everything(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "TIMESTAMP_NS", "TIMESTAMP")
    hangar.put(
        ("N1", "2020-01-01", None, True),
        ("N1", "2020-03-01", None, True),
        ("N2", "2020-01-01", None, True),
        ("N2", "2020-03-01 00:00:00.0000001", None, True),
    )
    before = hangar.rows()
    with pytest.raises(FidelityError, match=r"2020-03-01 00:00:00\.0000001"):
        hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert hangar.rows() == before


def test_rows_without_an_effective_date_are_counted(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "DATE", "DATE")
    hangar.put(("N1", None, None, True), ("N1", "2020-01-01", None, True))
    report = hangar.handler.repair_scd_integrity("Carriers")
    assert "1 row without From was not looked at" in report["notes"]
    assert report["valid"] is True


def test_spellings_of_one_entity_are_one_history(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "DATE", "DATE", spelling=CollationRule("Latin1_General_CI_AS"))
    hangar.put(("n1", "2020-01-01", None, True), ("N1 ", "2020-02-01", None, True), ("Ñ1", "2020-01-01", None, True))
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert [change["key"]["Plane"] for change in report["changes"]] == ["n1"]
    assert "n1" in [row[0] for row in hangar.rows() if row[2] == "2020-02-01"]
    assert hangar.handler.repair_scd_integrity("Carriers")["valid"] is True


def test_keys_that_are_no_text_at_the_source_are_compared_exactly(tmp_path: Path) -> None:
    hangar = Hangar(tmp_path, "DATE", "DATE")
    hangar.put(*((plane, "2020-01-01", None, True) for plane in ("n1", "N1", "N1 ", "Ñ1")))
    assert hangar.handler.repair_scd_integrity("Carriers")["findings"] == []


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"To": "TIME"}, "checked by dates and times"),
        ({"IsLatest": "VARCHAR"}, "a bit or an integer is expected"),
        ({"rowid": "BIGINT"}, "hides DuckDB's own"),
    ],
)
def test_tables_whose_history_cannot_be_told_are_named(types: dict[str, str], message: str) -> None:
    good = {"Plane": "VARCHAR", "handle": "INTEGER", "From": "DATE", "To": "DATE", "IsLatest": "BOOLEAN"}
    with pytest.raises(WarehouseError, match=message):
        version_table("h", TARGET, COLUMNS, {**good, **types})
    with pytest.raises(WarehouseError, match="no column 'handle'"):
        version_table("h", TARGET, COLUMNS, {k: v for k, v in good.items() if k != "handle"})


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    warehouse = DuckDbWarehouse(tmp_path / "none.duckdb", work_directory=tmp_path / "work")
    with pytest.raises(WarehouseError, match=r"sales\.Carriers"):
        warehouse.revise_versions(TARGET, COLUMNS, lambda _: RepairPlan(), apply=False)


VERSION = st.tuples(st.sampled_from("AB"), st.integers(0, 5), st.none() | st.integers(0, 7), st.booleans())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(VERSION, max_size=8))
def test_duckdb_suspects_every_key_that_breaks_a_rule(rows: Sequence[tuple[str, int, int | None, bool]]) -> None:
    """The filter in SQL may let too much through, never too little; and what is applied is what was planned."""
    day = 86_400_000_000_000
    everything = [
        Version(i, (k, "1"), f * day, None if t is None else t * day, latest)
        for i, (k, f, t, latest) in enumerate(rows)
    ]
    seen: list[Version] = []

    def decide(shown: Sequence[Version]) -> RepairPlan:
        seen.extend(shown)
        return plan_repair(shown)

    with empty_database() as connection:
        connection.execute(
            'CREATE TABLE t ("Plane" VARCHAR, handle INTEGER, "From" DATE, "To" DATE, "IsLatest" BOOLEAN)'
        )
        if rows:
            connection.execute(
                "INSERT INTO t VALUES "
                + ", ".join(["(?, 1, DATE '1970-01-01' + ?::INTEGER, DATE '1970-01-01' + ?::INTEGER, ?)"] * len(rows)),
                [value for row in rows for value in row],
            )
        types = {"Plane": "VARCHAR", "handle": "INTEGER", "From": "DATE", "To": "DATE", "IsLatest": "BOOLEAN"}
        table = version_table("memory", ("main", "t"), COLUMNS, types)
        plan = revise(connection, table, decide, apply=True)
        if any("ends belong" in note for note in plan.notes):
            return  # a convention was seen: what is a gap is then another question
        by_plane = sorted(everything, key=lambda v: (v.key, v.valid_from, v.row))
        broken = {group[0].key for group in by_entity(by_plane) if find_violations(group)}
        assert broken <= {version.key for version in seen}
        assert [f for f in plan.findings if f.key in broken] == list(plan_repair(by_plane).findings)
        assert revise(connection, table, plan_repair, apply=False).changes == ()


TEXT = st.text(st.sampled_from("aAiI éÉßæ\u0301\u00adａかカ٣1-\t😀wv"), max_size=4)
PLAIN_TEXT = st.text(st.sampled_from("aAiI -1wv"), max_size=3)


COLLATIONS = {
    "of accents": "Latin1_General_CI_AS",
    "of neither": "SQL_Latin1_General_CP1_CI_AI",
    "of both": "Latin1_General_CS_AS",
    "of bytes": "Latin1_General_BIN2",
    "of Finland": "Finnish_Swedish_CI_AS",
    "of Turkey": "Turkish_CI_AS",
    "none": None,
}


@pytest.mark.parametrize(
    "collation", variants(COLLATIONS, often={"of accents", "of neither", "of bytes", "of Turkey", "none"})
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | PLAIN_TEXT, max_size=8) | st.lists(PLAIN_TEXT | TEXT, max_size=8))
def test_duckdb_tells_entities_apart_as_spelling_does(collation: str | None, texts: Sequence[str | None]) -> None:
    """What SQL folds by itself and what it asks give one answer: that of `CollationRule`."""
    spelling = CollationRule(collation)
    columns = VersionColumns(("spelt", "rowid_"), "d_like", "To", "number", (spelling, None))
    types = {"spelt": "VARCHAR", "rowid_": "INTEGER", "d_like": "DATE", "To": "DATE", "number": "BOOLEAN"}
    seen: list[Version] = []

    def decide(shown: Sequence[Version]) -> RepairPlan:
        seen.extend(shown)
        return plan_repair(shown, columns)

    with empty_database() as connection:
        connection.execute('CREATE TABLE t (spelt VARCHAR, rowid_ INTEGER, d_like DATE, "To" DATE, number BOOLEAN)')
        if texts:
            row = "(?, NULL, '2020-01-01', '2020-01-02', FALSE)"
            connection.execute("INSERT INTO t VALUES " + ", ".join([row] * len(texts)), list(texts))
        plan = revise(connection, version_table("memory", ("main", "t"), columns, types), decide, apply=True)
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchone() == (0,)
    assert [v.row for v in sorted(seen, key=lambda v: v.row)] == list(range(len(texts))), (
        "none is latest: all are suspects"
    )
    for version in seen:
        key = version.key[0]
        assert version.entity == (None if key is None else spelling.same_as(key), None)
        assert version.like == (None if key is None else spelling.like(key), None)
    likenesses = {v.like for v in seen}
    assert sum(f.kind == "possible_same_key" for f in plan.findings) == sum(
        len({v.entity for v in seen if v.like == like}) > 1 for like in likenesses
    )


def test_sound_histories_that_may_be_one_are_told(tmp_path: Path) -> None:
    """Each breaks no rule by itself; together they would."""
    hangar = Hangar(tmp_path, "DATE", "DATE", spelling=CollationRule("French_CI_AI"))
    hangar.put(("Né", "2020-01-01", None, True), ("ne", "2020-02-01", None, True), ("no", "2020-02-01", None, True))
    before = hangar.rows()
    report = hangar.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert (report["counts"], report["applied"], hangar.rows()) == ({"possible_same_key": 1}, 0, before)
    assert report["notes"][-1] == "1 key is reported and left alone"

"""What changed between two declarations of a table, and whether stored values may have changed with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.schema_changes import DeclaredColumn, DriftKind, drift_of
from dltsync_core.catalog.type_changes import relation
from dltsync_core.identity import TableName

TABLE = TableName("sales", "Orders")
FORMS = {
    "int": "int32",
    "bigint": "int64",
    "decimal(10,2)": "decimal128(10, 2)",
    "decimal(18,4)": "decimal128(18, 4)",
    "decimal(18,1)": "decimal128(18, 1)",
    "money": "decimal128(19, 4)",
    "varchar(10)": "string",
    "char(10)": "string",
    "nvarchar(10)": "string",
    "nvarchar(max)": "large_string",
    "datetime": "timestamp[ms]",
    "datetime2(3)": "timestamp[us]",
    "datetime2(7)": "timestamp[ns]",
    "time(3)": "time64[us]",
    "time(7)": "string",
    "datetimeoffset(3)": "string",
    "datetimeoffset(7)": "string",
    "date": "date32[day]",
    "varbinary(10)": "binary",
    "bit": "bool",
    "uniqueidentifier": "uuid",
}
TEXT_FORMS = {"time(7)", "datetimeoffset(3)", "datetimeoffset(7)"}


def column(name: str, sql_type: str, *, nullable: bool = True, collation: str | None = None) -> DeclaredColumn:
    how = "server_text" if sql_type in TEXT_FORMS else "plain"
    return DeclaredColumn(name, sql_type, nullable, collation, FORMS[sql_type], how)


COLUMNS = st.builds(
    column, st.sampled_from("ABCDE"), st.sampled_from(sorted(FORMS)), nullable=st.booleans(), collation=st.none()
)
TABLES = st.lists(COLUMNS, min_size=1, max_size=5, unique_by=lambda c: c.name)


@given(TABLES)
def test_what_did_not_change_is_not_found(columns: list[DeclaredColumn]) -> None:
    assert drift_of(TABLE, columns, columns) == ()


@given(TABLES, TABLES)
def test_every_difference_is_found_and_nothing_else(before: list[DeclaredColumn], now: list[DeclaredColumn]) -> None:
    changed = {f.column for f in drift_of(TABLE, before, now) if f.kind not in ("reordered", "renamed")}
    renamed = {n for f in drift_of(TABLE, before, now) if f.kind == "renamed" for n in (f.before, f.after)}
    old, new = {c.name: c for c in before}, {c.name: c for c in now}
    assert changed | renamed == {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


@given(TABLES, TABLES)
def test_there_and_back_finds_the_opposite(before: list[DeclaredColumn], now: list[DeclaredColumn]) -> None:
    opposite = {"added": "dropped", "dropped": "added"}
    there = drift_of(TABLE, before, now)
    back = {(f.column, f.kind) for f in drift_of(TABLE, now, before)}
    for finding in there:
        if finding.kind in opposite:
            assert (finding.column, opposite[finding.kind]) in back
        if finding.kind == "incompatible":
            assert (finding.column, "incompatible") in back


@given(st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS)))
def test_what_grows_one_way_shrinks_the_other(one: str, other: str) -> None:
    there, back = relation(one, other), relation(other, one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert (there.grows, there.shrinks) == (back.shrinks, back.grows) or {one, other} <= {"char(10)", "varchar(10)"}


CHANGES: list[tuple[str, str, DriftKind, bool]] = [
    ("decimal(10,2)", "decimal(18,4)", "widened", False),
    ("decimal(18,4)", "decimal(10,2)", "narrowed", True),
    ("decimal(10,2)", "decimal(18,1)", "narrowed", True),
    ("int", "bigint", "widened", False),
    ("bigint", "int", "narrowed", False),
    ("int", "decimal(18,4)", "widened", False),
    ("varchar(10)", "nvarchar(10)", "widened", False),
    ("nvarchar(10)", "varchar(10)", "narrowed", True),
    ("nvarchar(10)", "nvarchar(max)", "widened", False),
    ("varchar(10)", "char(10)", "widened", True),
    ("datetime2(3)", "datetime2(7)", "widened", False),
    ("datetime2(7)", "datetime2(3)", "narrowed", True),
    ("datetime", "datetime2(7)", "widened", True),
    ("datetimeoffset(3)", "datetimeoffset(7)", "widened", True),
    ("time(3)", "time(7)", "incompatible", True),
    ("bit", "int", "incompatible", True),
    ("int", "nvarchar(10)", "incompatible", True),
    ("uniqueidentifier", "varchar(10)", "incompatible", True),
    ("varchar(10)", "datetimeoffset(3)", "retyped", True),
    ("date", "datetime2(3)", "widened", True),
    ("date", "datetime2(7)", "widened", True),
    ("datetime2(3)", "date", "narrowed", True),
    ("date", "datetime", "narrowed", True),
    ("datetime2(3)", "datetime", "narrowed", True),
    ("datetime", "datetime2(3)", "widened", True),
    ("datetime2(3)", "datetimeoffset(3)", "incompatible", True),
]


@pytest.mark.parametrize(("before", "after", "kind", "rereads"), CHANGES)
def test_changes_of_a_type(before: str, after: str, kind: DriftKind, rereads: bool) -> None:
    (finding,) = drift_of(TABLE, [column("A", before)], [column("A", after)])
    assert (finding.kind, finding.before, finding.after, finding.rereads) == (kind, before, after, rereads)
    assert finding.sentence.startswith(f"A was {before}, is {after}")


def test_null_is_a_width_of_its_own() -> None:
    strict, lax = column("A", "int", nullable=False), column("A", "int")
    assert [(f.kind, f.rereads) for f in drift_of(TABLE, [strict], [lax])] == [("widened", False)]
    assert [(f.kind, f.rereads) for f in drift_of(TABLE, [lax], [strict])] == [("narrowed", False)]


@pytest.mark.parametrize(("sql_type", "rereads"), [("varchar(10)", True), ("nvarchar(10)", False)])
def test_a_collation_matters_for_bytes_of_a_code_page(sql_type: str, rereads: bool) -> None:
    before = column("A", sql_type, collation="Latin1_General_CI_AS")
    now = column("A", sql_type, collation="Cyrillic_General_CI_AS")
    (finding,) = drift_of(TABLE, [before], [now])
    assert (finding.kind, finding.rereads) == ("collation changed", rereads)


def test_a_new_name_at_the_same_place_looks_renamed_only_with_the_same_declaration() -> None:
    before = [column("A", "int"), column("B", "date")]
    (finding,) = drift_of(TABLE, before, [column("A", "int"), column("C", "date")])
    assert (finding.kind, finding.before, finding.after) == ("renamed", "B", "C")
    kinds = {(f.column, f.kind) for f in drift_of(TABLE, before, [column("A", "int"), column("C", "bit")])}
    assert kinds == {("B", "dropped"), ("C", "added")}


def test_what_the_config_leaves_out_did_not_drift() -> None:
    assert drift_of(TABLE, [column("A", "int"), column("B", "date")], [column("A", "int")], left_out=["b"]) == ()


def test_another_order_is_told_and_is_no_change() -> None:
    (finding,) = drift_of(TABLE, [column("A", "int"), column("B", "date")], [column("B", "date"), column("A", "int")])
    assert (finding.kind, finding.changes_schema, finding.rereads) == ("reordered", False, False)


def test_a_manifest_that_does_not_say_the_declared_type_is_compared_by_form() -> None:
    old = DeclaredColumn("A", "", True, None, "int32")
    assert drift_of(TABLE, [old], [column("A", "int")]) == ()
    assert [f.kind for f in drift_of(TABLE, [old], [column("A", "bigint")])] == ["incompatible"]


def test_a_column_with_another_number_was_made_anew() -> None:
    """The server gives a number once in the life of a table: same name and type, and other values all the same."""
    before = [replace(column(name, "int"), column_id=number) for number, name in ((1, "id"), (2, "x"), (3, "y"))]
    assert drift_of(TABLE, before, before) == ()
    now = [before[0], replace(before[1], column_id=4), before[2]]
    (finding,) = drift_of(TABLE, before, now)
    assert (finding.column, finding.kind, finding.changes_schema, finding.rereads) == ("x", "replaced", False, True)
    (moved,) = drift_of(TABLE, before, [now[0], now[2], now[1]])
    assert (moved.kind, moved.changes_schema, moved.rereads) == ("reordered", False, True)
    assert drift_of(TABLE, [replace(c, column_id=0) for c in before], now) == ()  # noted by nobody

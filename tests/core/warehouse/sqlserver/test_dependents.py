"""What depends on a column of a target whose type is to become wider."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.catalog.targets import (
    CLUSTERED,
    CLUSTERED_COLUMNSTORE,
    NONCLUSTERED,
    CheckFacts,
    DependentFacts,
    IndexFacts,
    TargetFacts,
)
from dltsync_core.errors import DriftError
from dltsync_core.tsql.warehouse.tables import TargetColumn
from dltsync_core.warehouse.sqlserver.dependents import dependents_of
from dltsync_core.warehouse.sqlserver.evolution import Evolution, refused_null, with_dependents
from tests.core.warehouse.sqlserver.targets import target
from tests.support.table_facts import column

KEY = IndexFacts("pk", CLUSTERED, is_unique=True, is_primary_key=True, keys=(("ID", False),))
UNIQUE = IndexFacts("uq", NONCLUSTERED, is_unique=True, is_unique_constraint=True, keys=(("note", False),))
INDEX = IndexFacts("ix", NONCLUSTERED, keys=(("day", False),), included=("note",))
WIDER = Evolution(altered=(TargetColumn("id", "bigint", False),))


def facts(**given: Any) -> TargetFacts:
    return target(column("note", "nvarchar", 3), boundaries=None, **given)


def named(found: TargetFacts, name: str, before: str, after: str) -> list[str]:
    return [str(one) for one in dependents_of(found, name, before, after)]


def test_indexes_and_keys_depend_on_their_columns() -> None:
    found = facts(indexes=(KEY, UNIQUE, INDEX))
    assert named(found, "id", "int", "bigint") == ["primary key pk"]
    assert named(found, "note", "nvarchar(50)", "nvarchar(max)") == ["unique constraint uq", "index ix"]
    assert named(found, "note", "nvarchar(50)", "nvarchar(60)") == [], "text may get longer under an index"
    long_key = IndexFacts("pk", CLUSTERED, is_primary_key=True, keys=(("note", False),))
    assert named(facts(indexes=(long_key,)), "note", "nvarchar(50)", "nvarchar(60)") == ["primary key pk"]


def test_what_names_a_column_in_its_text_depends_on_it() -> None:
    checks = (CheckFacts("ck", "([ID]>(0))"), CheckFacts("other", "([identity]>(0))"), CheckFacts("hidden", None))
    computed = (
        DependentFacts("computed column", "twice", "([id]+[id])"),
        DependentFacts("computed column", "no", "([day])"),
    )
    found = facts(checks=checks, dependents=computed)
    assert named(found, "id", "int", "bigint") == [
        "CHECK constraint ck",
        "CHECK constraint hidden",
        "computed column twice",
    ]


@pytest.mark.parametrize(
    ("kind", "before", "after", "depends"),
    [
        ("statistics", "int", "bigint", True),
        ("statistics", "nvarchar(50)", "nvarchar(60)", False),
        ("default constraint", "int", "bigint", True),
        ("default constraint", "decimal(9,2)", "decimal(18,4)", False),
        ("foreign key", "nvarchar(50)", "nvarchar(60)", True),
        ("referencing foreign key", "int", "bigint", True),
    ],
)
def test_other_objects_depend_on_it_by_name(kind: str, before: str, after: str, depends: bool) -> None:
    found = facts(dependents=(DependentFacts(kind, "x", "ID"), DependentFacts(kind, "y", "day")))
    assert named(found, "id", before, after) == ([f"{kind} x"] if depends else [])


def test_the_load_is_refused_with_all_of_it_and_with_what_to_do() -> None:
    found = facts(indexes=(KEY,), checks=(CheckFacts("ck", "([id]>(0))"),))
    with pytest.raises(DriftError) as caught:
        with_dependents(found, WIDER, may_rebuild=False)
    assert (
        "id is int in the warehouse and bigint in the load, and primary key pk, CHECK constraint ck depend on it (error 5074)"
        in (caught.value.problem)
    )
    assert str(caught.value.remedy).startswith("set destination.changed_types: rebuild")
    evolution = with_dependents(found, WIDER, may_rebuild=True)
    assert [one.name for one in evolution.remade] == ["pk", "ck"]


@pytest.mark.parametrize(
    "given",
    [
        {"dependents": (DependentFacts("foreign key", "fk", "id"),)},
        {"checks": (CheckFacts("ck", "([id]>(0))", is_disabled=True),)},
        {"checks": (CheckFacts("ck", None),)},
        {"indexes": (IndexFacts("ix", NONCLUSTERED, keys=(("id", False),), has_filter=True),)},
        {"indexes": (IndexFacts("ix", NONCLUSTERED, keys=(("id", False),), is_disabled=True),)},
        {"indexes": (IndexFacts("ix", "NONCLUSTERED COLUMNSTORE", included=("id",)),)},
    ],
)
def test_what_cannot_be_made_again_is_refused_whatever_the_config_says(given: dict[str, Any]) -> None:
    for may_rebuild in (False, True):
        with pytest.raises(DriftError, match="depends on it") as caught:
            with_dependents(facts(**given), WIDER, may_rebuild=may_rebuild)
        assert str(caught.value.remedy).startswith("drop them, run, and make them again")


def test_columnstore_needs_nothing() -> None:
    stored = IndexFacts("cci", CLUSTERED_COLUMNSTORE, included=("id", "day", "note"))
    assert with_dependents(facts(indexes=(stored,)), WIDER, may_rebuild=False) == WIDER


def test_what_depends_on_a_column_that_is_to_admit_null_is_in_doubt_and_refuses_nothing_by_itself() -> None:
    given = facts(
        indexes=(UNIQUE, INDEX),
        checks=(CheckFacts("ck", "([day]>'2000')"),),
        dependents=(
            DependentFacts("statistics", "st", "day"),
            DependentFacts("default constraint", "df", "day"),
            DependentFacts("foreign key", "fk", "day"),
        ),
    )
    relaxed = Evolution(altered=(TargetColumn("day", "date", True), TargetColumn("note", "nvarchar(50)", True)))
    for may_rebuild in (False, True):
        found = with_dependents(given, relaxed, may_rebuild=may_rebuild)
        assert found.remade == ()
        assert {name: [str(one) for one in mine] for name, mine in found.in_doubt.items()} == {
            "day": ["index ix", "CHECK constraint ck", "foreign key fk"]
        }


def test_the_refusal_names_what_depends_and_the_setting_that_helps() -> None:
    relaxed = Evolution(altered=(TargetColumn("day", "date", True),))
    found = facts(indexes=(INDEX,), checks=(CheckFacts("ck", "([day]>'2000')"),))
    evolution = with_dependents(found, relaxed, may_rebuild=False)
    error = refused_null(found.name, evolution, "4922", may_rebuild=False)
    assert "day is NOT NULL, and index ix, CHECK constraint ck depend on it" in error.problem
    assert str(error.remedy).startswith("set destination.changed_types: rebuild")
    for given in (facts(dependents=(DependentFacts("foreign key", "fk", "day"),)), found):
        again = refused_null(given.name, with_dependents(given, relaxed, may_rebuild=True), "4922", may_rebuild=True)
        assert str(again.remedy).startswith("drop what depends on the column")

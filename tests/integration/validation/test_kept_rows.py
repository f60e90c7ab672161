"""A warehouse that keeps rows on purpose (static tables merged by key) is held to those that the source has, one by one."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.support.type_tables import TypeTables, errors

KEPT = "all: the warehouse keeps {0} rows that the source no longer has: they were not compared"


def merged(house: TypeTables) -> None:
    """Rows 1 to 4 at the source, 5 and 6 besides in the warehouse."""
    house.create(
        "Merged",
        "k nvarchar(10) COLLATE Latin1_General_100_BIN2 NOT NULL, n decimal(38,38) NOT NULL, d datetime2(7) NOT NULL, "
        "v int NULL, PRIMARY KEY (k, n, d)",
        load_strategy="upsert",
    )
    for number in range(1, 7):
        fine = f"0.{'0' * 36}1{number}, '2020-01-01T00:00:00.000000{number}'"
        house.execute(f"INSERT INTO {{s}}.Merged VALUES (N'ü{number} ', {fine}, {number})")
    assert errors(house.run()) == []
    house.execute("DELETE FROM {s}.Merged WHERE v > 4")
    assert errors(house.run()) == []


def warehouse(house: TypeTables, *statements: str) -> None:
    with duckdb.connect(str(house.root / "house.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def report(house: TypeTables, **how: Any) -> tuple[list[str], list[str], Any]:
    with house.pipeline() as pipeline:
        (table,) = pipeline.validate_all_tables(**how)["tables"]
    return table["messages"], table["notes"], table["units"][0]


@pytest.mark.parametrize("how", [{}, {"fingerprint": "sha256"}, {"row_diff": True}])
def test_kept_rows_are_told_and_no_difference(types: TypeTables, how: dict[str, Any]) -> None:
    merged(types)
    messages, notes, unit = report(types, **how)
    assert (messages, notes, unit["retained"], unit["warehouse"]) == ([], [KEPT.format(2)], 2, 6)


def test_a_row_that_is_missing_is_not_balanced_by_one_that_is_kept(types: TypeTables) -> None:
    """The numbers of rows came to the same, and nothing else was compared."""
    merged(types)
    warehouse(types, "DELETE FROM warehouse.Merged WHERE v = 1")
    messages, notes, unit = report(types, row_diff=True)
    assert messages == ["all: 4 rows in source, 4 in lake, 5 in warehouse (of which 2 retained)"]
    assert notes == [KEPT.format(2)]
    (row,) = unit["row_diff"]["rows"]
    assert (row["key"]["k"], row["message"]) == ("ü1 ", "missing in the warehouse")


def test_a_value_that_changed_beside_rows_that_are_kept_is_seen(types: TypeTables) -> None:
    merged(types)
    warehouse(types, "UPDATE warehouse.Merged SET v = 40 WHERE v = 4", "UPDATE warehouse.Merged SET v = 60 WHERE v = 6")
    assert report(types)[0] == ["all: v: sum source 10, lake 10, warehouse 46"]
    warehouse(
        types, "UPDATE warehouse.Merged SET v = 4 WHERE v = 40", "UPDATE warehouse.Merged SET v = 3 - v WHERE v < 3"
    )
    assert report(types)[0] == []  # two that changed places
    messages, _, unit = report(types, row_diff=True)
    assert messages[-1] == "all: the rows of the warehouse have another fingerprint than the source's"
    assert [row["key"]["k"] for row in unit["row_diff"]["rows"]] == ["ü1 ", "ü2 "]
    assert {row["message"] for row in unit["row_diff"]["rows"]} == {"value differs in the warehouse"}


def test_a_row_that_is_there_twice_is_none_that_is_kept(types: TypeTables) -> None:
    merged(types)
    warehouse(types, "INSERT INTO warehouse.Merged SELECT * FROM warehouse.Merged WHERE v = 1")
    assert report(types)[0] == ["all: 4 rows in source, 4 in lake, 7 in warehouse (of which 2 retained)"]


def test_without_the_key_in_the_warehouse_they_cannot_be_told_apart(types: TypeTables) -> None:
    merged(types)
    warehouse(types, "ALTER TABLE warehouse.Merged DROP COLUMN k")
    assert report(types)[0] == ["all: k: column source present, lake present, warehouse missing"]

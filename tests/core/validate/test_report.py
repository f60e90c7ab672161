"""The comparison of three places, as a report."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.identity import TableName
from dltsync_core.validate.column_stats import ColumnDifference
from dltsync_core.validate.counts import RowCounts, difference
from dltsync_core.validate.report import TableComparison, UnitComparison, as_report

ORDERS = TableName("sales", "Orders")


@pytest.mark.parametrize(
    ("counts", "equal"),
    [
        (RowCounts(3, 3, 3), True),
        (RowCounts(0, 0, 0), True),
        (RowCounts(3, 3, 2), False),
        (RowCounts(3, 2, 3), False),
        (RowCounts(2, 3, 3), False),
        (RowCounts(3, 3, 5, retained=2), True),
        (RowCounts(3, 3, 5, retained=1), False),
    ],
)
def test_three_counts_are_equal_only_when_all_are(counts: RowCounts, equal: bool) -> None:
    assert counts.equal is equal


def test_a_difference_names_all_figures() -> None:
    assert difference(RowCounts(1000, 999, 998)) == "1,000 rows in source, 999 in lake, 998 in warehouse"
    assert difference(RowCounts(3, 3, 6, 1)) == "3 rows in source, 3 in lake, 6 in warehouse (of which 1 retained)"


def in_report(unit: str, source: int, lake: int, warehouse: int, *, said: str | None = None) -> dict[str, Any]:
    counts = {"source": source, "lake": lake, "warehouse": warehouse, "retained": 0}
    messages = [said] if said else []
    return {"unit": unit, **counts, "equal": said is None, "columns": [], "messages": messages, "row_diff": None}


def test_one_different_unit_makes_its_table_and_the_whole_invalid() -> None:
    good = TableComparison(TableName("dbo", "A"), "static", (UnitComparison("all", RowCounts(1, 1, 1)),))
    bad = TableComparison(
        ORDERS,
        "partition",
        (UnitComparison("[1,2)", RowCounts(1, 1, 1)), UnitComparison("[2,3)", RowCounts(2, 2, 1))),
    )
    assert as_report([good, bad]) == {
        "valid": False,
        "valid_tables": 1,
        "total_tables": 2,
        "tables": [
            {
                "table": "dbo.A",
                "kind": "static",
                "valid": True,
                "units": [in_report("all", 1, 1, 1)],
                "problems": [],
                "messages": [],
                "notes": [],
            },
            {
                "table": "sales.Orders",
                "kind": "partition",
                "valid": False,
                "units": [
                    in_report("[1,2)", 1, 1, 1),
                    in_report("[2,3)", 2, 2, 1, said="[2,3): 2 rows in source, 2 in lake, 1 in warehouse"),
                ],
                "problems": [],
                "messages": ["[2,3): 2 rows in source, 2 in lake, 1 in warehouse"],
                "notes": [],
            },
        ],
    }


def test_a_problem_makes_a_table_invalid_even_when_counts_agree() -> None:
    found = TableComparison(ORDERS, "static", (UnitComparison("all", RowCounts(1, 1, 1)),), ("a file is missing",))
    assert (found.valid, found.messages) == (False, ("a file is missing",))


def test_a_damaged_file_makes_its_own_unit_invalid_even_when_counts_agree() -> None:
    damaged = UnitComparison("[1,2)", RowCounts(1, 1, 1), problems=("x.parquet is missing",))
    found = TableComparison(ORDERS, "partition", (damaged, UnitComparison("[2,3)", RowCounts(1, 1, 1))))
    assert (found.valid, found.messages) == (False, ("[1,2): x.parquet is missing",))
    assert [unit.equal for unit in found.units] == [False, True]


def test_a_figure_that_differs_is_told_with_what_each_place_says() -> None:
    columns = (
        ColumnDifference("Amount", "sum", "10.00", "10.00", "9.99"),
        ColumnDifference("At", "max", "none", None, "2026-01-01"),
    )
    unit = UnitComparison("[1,2)", RowCounts(1, 1, 1), columns)
    assert (unit.equal, unit.messages) == (
        False,
        (
            "[1,2): Amount: sum source 10.00, lake 10.00, warehouse 9.99",
            "[1,2): At: max source none, warehouse 2026-01-01",
        ),
    )
    fewer = UnitComparison("[1,2)", RowCounts(2, 2, 1), columns)
    assert fewer.messages == ("[1,2): 2 rows in source, 2 in lake, 1 in warehouse",), "the sums follow from the rows"

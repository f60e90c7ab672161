"""What `validate_all_tables(row_diff=True)` says of rows, and of tables whose rows it cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dltsync_core.run.validation.table as comparing
from dltsync_core.errors import QueryError, ServerUnreachable
from dltsync_core.identity import TableName
from dltsync_core.testing import FakeView
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, MemoryShop, order


@pytest.fixture
def place(tmp_path: Path) -> MemoryShop:
    shop = MemoryShop(tmp_path)
    shop.processing = {"retry_budget_seconds": 1}
    assert shop.run().success
    return shop


def row_diff(place: MemoryShop, table: TableName) -> list[Mapping[str, Any]]:
    """Of every unit of the table that differs."""
    with place.pipeline() as pipeline:
        report = json.loads(json.dumps(pipeline.validate_all_tables([str(table)], row_diff=True)))
    found = [unit["row_diff"] for t in report["tables"] for unit in t["units"] if not unit["equal"]]
    assert report["valid"] is (not found)
    return found


def said(found: Mapping[str, Any]) -> dict[str, str]:
    return {"/".join(row["key"].values()): row["message"] for row in found["rows"]}


def test_rows_of_each_kind_are_named_by_their_keys(place: MemoryShop) -> None:
    place.rows(ORDERS)[11]["Note"] = "changed"
    place.rows(ORDERS).append(order(15_000))
    place.warehouse.tables[("warehouse", "Customers")].pop()
    place.warehouse.tables[("warehouse", "Countries")][1]["Name"] = "FRANCE"
    ten, twenty = row_diff(place, ORDERS)
    assert said(ten) == {"12": "value differs in the lake, value differs in the warehouse"}
    assert ten["rows"][0]["values"] == [{"column": "Note", "source": "changed", "lake": "x", "warehouse": "x"}]
    assert said(twenty) == {"15000": "missing in the lake, missing in the warehouse"}
    (versions,) = row_diff(place, CUSTOMERS)
    assert said(versions) == {"3/2026-01-06 00:00:00.000000": "missing in the warehouse"}
    (countries,) = row_diff(place, COUNTRIES)
    assert said(countries) == {"fr": "value differs in the warehouse"}


def test_units_that_are_equal_are_not_looked_at_again(place: MemoryShop) -> None:
    place.rows(ORDERS)[11]["Note"] = "changed"
    place.source.asked.clear()
    row_diff(place, ORDERS)
    assert [asked for asked in place.source.asked if "bucket" in asked] == ["read buckets of sales.Orders"]


def test_rows_that_a_warehouse_keeps_on_purpose_are_no_difference(tmp_path: Path) -> None:
    place = MemoryShop(tmp_path)
    place.static = {"load_strategy": "upsert"}
    assert place.run().success
    place.rows(COUNTRIES).pop(0)
    (found,) = row_diff(place, COUNTRIES)
    assert found["places"] == ["source", "lake"]
    assert said(found) == {"ch": "beyond the source in the lake"}


def test_a_statement_that_is_refused_says_so_and_the_comparison_stays(place: MemoryShop) -> None:
    place.rows(COUNTRIES)[0]["Name"] = "Helvetia"
    place.source.fail["read buckets of dbo.Countries"] = [QueryError("HASHBYTES is not for you")]
    (found,) = row_diff(place, COUNTRIES)
    assert (found["rows"], found["reason"]) == ([], "HASHBYTES is not for you")


def test_a_connection_that_breaks_begins_the_look_anew(place: MemoryShop) -> None:
    place.rows(COUNTRIES)[0]["Name"] = "Helvetia"
    place.source.fail["read buckets of dbo.Countries"] = [ServerUnreachable("gone")]
    (found,) = row_diff(place, COUNTRIES)
    assert said(found) == {"ch": "value differs in the lake, value differs in the warehouse"}


def test_a_table_tells_of_so_many_rows_and_of_its_further_units_why_not(
    place: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "ROWS_OF_A_TABLE", 3)
    for row in place.rows(ORDERS):
        row["Note"] = "changed"
    first, second, third = row_diff(place, ORDERS)
    assert len(first["rows"]) == 9
    assert [found["reason"] for found in (second, third)] == [
        "9 rows are listed already: choose this partition with --partitions"
    ] * 2


@pytest.mark.parametrize(
    ("consistency", "said"), [("snapshot", "than the server hashed"), ("read_committed", "changed during")]
)
def test_rows_that_are_not_those_that_were_hashed_are_not_told(
    place: MemoryShop, monkeypatch: pytest.MonkeyPatch, consistency: str, said: str
) -> None:
    """A snapshot cannot change: there it is the way of the rows."""
    place.source.consistency = consistency
    place.warehouse.tables[("warehouse", "Countries")].pop()
    rows_of_buckets = FakeView.rows_of_buckets

    def another_value(view: FakeView, bucketed: Any, within: Any, write: Any) -> None:
        def replaced(batch: pa.RecordBatch) -> None:
            names = pa.array(["\ufffd"] * batch.num_rows, batch.schema.field("Name").type)
            write(batch.set_column(batch.schema.get_field_index("Name"), batch.schema.field("Name"), names))

        rows_of_buckets(view, bucketed, within, replaced)

    monkeypatch.setattr(FakeView, "rows_of_buckets", another_value)
    (found,) = row_diff(place, COUNTRIES)
    assert (found["rows"], said in found["reason"]) == ([], True)

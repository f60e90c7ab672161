"""What a load's files say of their own columns is held against the warehouse before anything is committed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.testing import FakeWarehouse
from tests.support.memory_shop import COUNTRIES, MemoryShop

AREA = ColumnFacts("Area", 0, "decimal", 9, 12, 2, None, is_nullable=True)


@pytest.fixture
def place(tmp_path: Path) -> MemoryShop:
    shop = MemoryShop(tmp_path)
    countries = shop.source.tables[COUNTRIES]
    countries.columns = (*countries.columns, AREA)
    for row, area in zip(countries.rows, ("1.10", "2.20", None), strict=True):
        row["Area"] = Decimal(area) if area else None
    return shop


def spoil(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """The warehouse makes something else of the first country."""
    load = FakeWarehouse.load

    def spoilt(self: FakeWarehouse, request: Any) -> Any:
        loaded = load(self, request)
        if request.target[1] == "Countries":
            self.tables[request.target][0].update(values)
        return loaded

    monkeypatch.setattr(FakeWarehouse, "load", spoilt)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"Area": Decimal("1.11")}, "Area: sum lake 3.30, warehouse 3.31"),
        ({"Name": None}, "Name: nulls lake 0, warehouse 1"),
    ],
)
def test_another_value_in_the_warehouse_stops_the_commit(
    place: MemoryShop, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], said: str
) -> None:
    spoil(monkeypatch, **values)
    failed = place.run(table_names=["Countries"]).failed
    assert [(f.table, f.unit, f.error_type) for f in failed] == [(COUNTRIES, WHOLE_TABLE, "ValidationFailed")]
    assert said in (failed[0].error or "")
    assert [str(figure) for figure in failed[0].compared if not figure.equal] == [said]
    assert failed[0].counts is not None
    with place.pipeline() as pipeline:
        assert pipeline.committed("Countries") == {}


def test_a_load_tells_what_it_compared(place: MemoryShop) -> None:
    result = place.run(table_names=["Countries"])
    (unit,) = result.units
    assert [(f.column, f.figure, f.lake, f.warehouse) for f in unit.compared] == [
        ("Code", "nulls", "0", "0"),
        ("Name", "nulls", "0", "0"),
        ("Area", "nulls", "1", "1"),
        ("Area", "sum", "3.30", "3.30"),
    ]
    assert result["units"][0]["differences"] == [], "the JSON names only what differs"


def test_without_decimals_only_nulls_are_compared(place: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    place.processing["validate_precision_end_to_end"] = False
    spoil(monkeypatch, Area=Decimal("1.11"))
    assert place.run(table_names=["Countries"]).success

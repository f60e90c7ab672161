"""Columns that SQL Server has only as NOT NULL, IDENTITY and those of the primary key: a load that has them in a nullable field
gets in and a NULL is refused by name, and an IDENTITY column that the load does not have gets its numbers from the server."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable
from dltsync_core.warehouse.port import TableInspection, TargetLayout
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from tests.services.warehouse.sqlserver.loads import TARGET, UNITS, orders, part, request, rows
from tests.support.sqlserver_warehouse import SandboxWarehouse
from tests.support.variants import crossed, variants

NUMBERED = "No int NOT NULL, Note nvarchar(max) NULL, Id int IDENTITY NOT NULL"
KEYED = "No int NOT NULL, Note nvarchar(max) NULL, Id int NOT NULL, CONSTRAINT pk PRIMARY KEY (No, Id)"
OLD = [(1, "old", 1), (11, "stays", 2)]


def made_by_hand(house: SandboxWarehouse, columns: str) -> None:
    """A partitioned target that dltsync did not make, with two rows."""
    house.query("CREATE SCHEMA sales")
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
    house.query(f"CREATE TABLE sales.Orders ({columns}) ON ps(No)")
    if "IDENTITY" in columns:
        house.query("INSERT INTO sales.Orders (No, Note) VALUES (1, N'old'), (11, N'stays')")
    else:
        house.query("INSERT INTO sales.Orders VALUES (1, N'old', 1), (11, N'stays', 2)")


def numbered(*ids: int | None) -> pa.Table:
    """Rows of the first partition, with an Id in a nullable field."""
    fields: list[pa.Field[Any]] = [
        pa.field("No", pa.int32(), nullable=False),
        pa.field("Note", pa.string()),
        pa.field("Id", pa.int32()),
    ]
    numbers = list(range(2, 2 + len(ids)))
    return pa.table({"No": numbers, "Note": ["new"] * len(ids), "Id": list(ids)}, schema=pa.schema(fields))


@pytest.mark.parametrize(
    ("columns", "bulk_load", "switching"),
    variants(
        crossed(
            {"identity": NUMBERED, "primary key": KEYED},
            {"bulkcopy": "bulkcopy", "fast_executemany": "fast_executemany"},
            {"switched": True, "inserted": False},
        ),
        often={"identity-bulkcopy-switched", "primary key-bulkcopy-inserted", "identity-fast_executemany-inserted"},
    ),
)
def test_a_null_is_refused_by_name_and_nothing_is_published(
    house: SandboxWarehouse, columns: str, bulk_load: str, switching: bool
) -> None:
    made_by_hand(house, columns)
    mine = house.another(bulk_load=bulk_load, ladder=LadderSettings(switching=switching))
    layout = TargetLayout()
    with pytest.raises(WarehouseError, match="column Id admits no NULL in the warehouse, and the load has one"):
        mine.warehouse.load(request(mine, numbered(70, None), part(UNITS[0]), layout=layout, unit=UNITS[0]))
    assert rows(house) == OLD
    assert house.staging() == []
    loaded = mine.warehouse.load(request(mine, numbered(70, 71), part(UNITS[0]), layout=layout, unit=UNITS[0]))
    assert loaded.method == ("switch" if switching else "delete and insert")
    assert rows(house) == [(2, "new", 70), (3, "new", 71), (11, "stays", 2)]


@pytest.mark.parametrize(
    ("how", "switching", "method"),
    [
        (part(UNITS[0]), True, "delete and insert"),
        (part(UNITS[0]), False, "delete and insert"),
        (ReplaceTable(), True, "delete and insert"),
        (MergeKeys(("No",)), True, "update and insert"),
    ],
)
def test_an_identity_column_that_the_load_does_not_have_gets_its_numbers_from_the_server(
    house: SandboxWarehouse, how: Disposition, switching: bool, method: str
) -> None:
    made_by_hand(house, NUMBERED)
    mine = house.another(ladder=LadderSettings(switching=switching))
    new = orders({1: "new", 2: "new"})
    if switching and method == "delete and insert":
        asked = TableInspection("p", {"all": how if how != ReplaceTable() else None}, new.schema)  # type: ignore[dict-item]
        (note,) = mine.warehouse.inspect({TARGET: asked})[TARGET].notes
        assert "column Id is an IDENTITY column that the load does not have" in note
    loaded = mine.warehouse.load(request(mine, new, how, layout=TargetLayout()))
    assert loaded.method == method
    found = rows(house)
    stays = [] if how == ReplaceTable() else [(11, "stays")]
    assert [row[:2] for row in found] == [(1, "new"), (2, "new"), *stays]
    assert len({row[2] for row in found}) == len(found), "each row has a number of its own"
    assert house.staging() == []

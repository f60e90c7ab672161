"""Facts of tables that do not exist, for statements that are only rendered."""

from __future__ import annotations

from typing import Any

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot, TableFacts
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, Side, slots_of

_DEFAULTS: dict[str, Any] = {"max_length": 8, "precision": 0, "scale": 0}
_SIZES: dict[str, dict[str, Any]] = {
    "bit": {"max_length": 1},
    "tinyint": {"max_length": 1},
    "int": {"max_length": 4, "precision": 10},
    "decimal": {"max_length": 17, "precision": 38, "scale": 10},
    "nvarchar": {"max_length": 100, "collation": "Latin1_General_CI_AS"},
    "varchar": {"max_length": 50, "collation": "Latin1_General_CI_AS"},
    "char": {"max_length": 10, "collation": "Latin1_General_CI_AS"},
    "nchar": {"max_length": 20, "collation": "Latin1_General_CI_AS"},
    "datetime2": {"precision": 27, "scale": 7},
    "time": {"precision": 16, "scale": 7},
    "datetimeoffset": {"max_length": 10, "precision": 34, "scale": 7},
    "varbinary": {"max_length": 16},
    "binary": {"max_length": 16},
    "uniqueidentifier": {"max_length": 16},
}


def column(name: str, type_name: str, position: int = 1, **facts: Any) -> ColumnFacts:
    """A column; NULL allowed unless said otherwise."""
    values = {**_DEFAULTS, **_SIZES.get(type_name, {}), **facts}
    values.setdefault("collation", None)
    values.setdefault("is_nullable", True)
    return ColumnFacts(name=name, column_id=position, type_name=type_name, **values)


def table(*columns: ColumnFacts, name: str = "Orders", schema: str = "sales", **facts: Any) -> TableFacts:
    """A table of these columns."""
    values: dict[str, Any] = {"primary_key": (), "unique_keys": (), "partitioning": None, "approx_rows": 0, **facts}
    return TableFacts(TableName(schema, name), 1, columns, **values)


def partitioned(by: ColumnFacts, boundaries: list[str | None], side: Side) -> PartitioningFacts:
    """A partitioning with these boundaries."""
    ranges = slots_of([Boundary(text) for text in boundaries], side)
    slots = tuple(Slot(number, r, 0) for number, r in enumerate(ranges, start=1))
    return PartitioningFacts("pf", "ps", by, side, slots)

"""Facts of targets that do not exist, for decisions about them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dltsync_core.catalog.targets import CLUSTERED, HEAP, IndexFacts, TargetFacts
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, Side, slots_of
from tests.support.table_facts import column, partitioned, table

DAY = column("day", "date", 2, is_nullable=False)
NUMBER = column("id", "int", is_nullable=False)
MONTHS: list[str | None] = ["2024-01-01", "2024-02-01", "2024-03-01"]
KEY = IndexFacts(
    "PK",
    CLUSTERED,
    is_unique=True,
    is_primary_key=True,
    scheme="ps",
    function_id=7,
    keys=(("id", False), ("day", False)),
)


def target(
    *columns: Any, boundaries: list[str | None] | None = MONTHS, side: Side = "right", **facts: Any
) -> TargetFacts:
    """A table partitioned by day (not partitioned: `boundaries` None), clear of all obstacles unless facts say otherwise."""
    partitioning = None if boundaries is None else partitioned(DAY, boundaries, side)
    given: dict[str, Any] = {
        "indexes": (KEY,) if boundaries is not None else (IndexFacts(None, HEAP),),
        "properties": {"temporal_type": 0, "uses_ansi_nulls": True},
    }
    return TargetFacts(table(NUMBER, DAY, *columns, partitioning=partitioning), **{**given, **facts})


def scope(number: int, boundaries: list[str | None] = MONTHS, side: Side = "right") -> ReplaceScope:
    """The values of the source's partition with that index from 0."""
    ranges = slots_of([Boundary(text) for text in boundaries], side)
    return ReplaceScope(DAY, pa.date32(), (ranges[number],))

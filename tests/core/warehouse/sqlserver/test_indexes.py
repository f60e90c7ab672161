"""Which of the source's indexes a warehouse table gets, and what the plan says of the others."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import TableIndex
from dltsync_core.tsql.warehouse.tables import IndexShape
from dltsync_core.typemap.mapping import COLLATION_KEY, SQL_TYPE_KEY
from dltsync_core.warehouse.port import TargetLayout
from dltsync_core.warehouse.sqlserver.indexes import plan_indexes
from tests.core.warehouse.sqlserver.targets import DAY
from tests.support.table_facts import partitioned

BY_DAY = partitioned(DAY, ["2024-01-01"], "right")


def _field(name: str, kind: pa.DataType, declared: str, collation: str = "Latin1_General_CI_AS") -> pa.Field[Any]:
    return pa.field(name, kind, metadata={SQL_TYPE_KEY: declared.encode(), COLLATION_KEY: collation.encode()})


SCHEMA = pa.schema(
    [
        _field("id", pa.int32(), "int"),
        _field("day", pa.date32(), "date"),
        _field("Note", pa.string(), "nvarchar(50)"),
        _field("long", pa.string(), "varchar(5000)"),
        _field("wide", pa.string(), "nvarchar(851)"),
        _field("code", pa.string(), "varchar(10)", "SQL_Latin1_General_CP1_CI_AS"),
    ]
)


def index(*keys: str, **facts: Any) -> TableIndex:
    return TableIndex("ix", facts.pop("kind", "NONCLUSTERED"), tuple((key, False) for key in keys), **facts)


def test_an_index_has_the_directions_and_included_columns_of_the_source() -> None:
    source = TableIndex("by day", "NONCLUSTERED", (("DAY", True), ("id", False)), ("note", "long"))
    key = TableIndex("pk", "CLUSTERED", (("id", False),), is_unique=True, is_primary_key=True)
    planned = plan_indexes(TargetLayout(("id",), BY_DAY, (key, source)), SCHEMA)
    assert planned.left_out == (), "the primary key is made with the table"
    assert planned.made == (
        ("by day", IndexShape(False, keys=(("day", True), ("id", False)), included=("Note", "long"))),
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (index("id", kind="CLUSTERED"), "it is a clustered index"),
        (index("id", kind="NONCLUSTERED COLUMNSTORE"), "it is a nonclustered columnstore index"),
        (index("id", has_filter=True), r"it is filtered.*\(4947\)"),
        (index("gone"), "column gone is not loaded"),
        (index("id", included=("gone",)), "column gone is not loaded"),
        (index("long"), r"its key long is nvarchar\(max\).*\(1919\)"),
        (index("wide"), r"its key may have 1,702 bytes.*\(1946\)"),
        (index("id", is_unique=True), r"the partition column day in its key \(1908\)"),
        (index("code", "day", is_unique=True), "compares code by other rules"),
    ],
)
def test_what_stands_against_an_index_is_said(source: TableIndex, reason: str) -> None:
    planned = plan_indexes(TargetLayout((), BY_DAY, (source, index("id"))), SCHEMA)
    assert planned.made == (("ix", IndexShape(False, keys=(("id", False),))),)
    (said,) = planned.left_out
    assert said.startswith("the warehouse table is made without the source's index ix: ")
    assert re.search(reason, said)


def test_a_unique_index_is_made_where_the_sources_rows_cannot_break_it() -> None:
    source = index("id", "Day", is_unique=True)
    for layout in (TargetLayout((), BY_DAY, (source,)), TargetLayout((), None, (source,))):
        assert plan_indexes(layout, SCHEMA).made[0][1].is_unique
    merged = plan_indexes(TargetLayout((), None, (source,), is_merged=True), SCHEMA)
    assert merged.made == ()
    assert "a row that was deleted at the source" in merged.left_out[0]

"""Every value of a partition column lies in exactly one scope, whatever the boundaries; DuckDB itself is asked.

Expected membership is computed here, from values and boundaries as numbers, by the rule of CREATE PARTITION FUNCTION.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.duckdb.partition_scope import duckdb_condition, holds_null_rows, scope_for
from dltsync_core.errors import CatalogError
from dltsync_core.ranges import Boundary, PartitionRange, Side, parse_key, slots_of
from tests.core.duckdb.partition_columns import (
    FAMILIES,
    Family,
    column,
    raw_type,
)
from tests.support.duckdb_memory import empty_database


def slot_of(value: int | None, boundaries: Sequence[int | None], side: Side) -> int:
    """$PARTITION: NULL sorts below everything; a boundary belongs to the right (RIGHT) or to the left (LEFT)."""
    order = [float("-inf") if b is None else b for b in boundaries]
    if value is None:
        return 1 if side == "right" and boundaries and boundaries[0] is None else 0
    return sum(b <= value if side == "right" else b < value for b in order)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(data=st.data(), side=st.sampled_from(["left", "right"]), null_boundary=st.booleans())
def test_every_value_lies_in_exactly_the_servers_slot(
    name: str, data: st.DataObject, side: Side, null_boundary: bool
) -> None:
    family = FAMILIES[name]
    values = [None, *data.draw(st.lists(family.numbers, max_size=12))]
    edges: list[int | None] = [*sorted(data.draw(st.sets(family.boundaries, max_size=5)))]
    if null_boundary:
        edges.insert(0, None)
    ranges = slots_of([Boundary(None if e is None else family.text(e)) for e in edges], side)
    from_keys = [parse_key(range_.key) for range_ in ranges]  # what a retired unit leaves of its range
    found = _slots_in_duckdb(family, values, [*ranges, *from_keys])
    expected = [slot_of(value, edges, side) for value in values]
    assert found == [[slot, slot + len(ranges)] for slot in expected]


def _slots_in_duckdb(family: Family, values: Sequence[int | None], ranges: Sequence[PartitionRange]) -> list[list[int]]:
    """The ranges whose condition holds, for each value: their places in the list."""
    stored = pa.array([None if v is None else family.stored(v) for v in values], raw_type(family.arrow)).cast(
        family.arrow
    )
    table = pa.table({"n": range(len(values)), family.column.name: stored})
    conditions = [duckdb_condition(scope_for(family.column, family.arrow, [range_])) for range_ in ranges]
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.register("arriving", table)
        kind = duckdb_type(family.arrow)
        connection.execute(f'CREATE TABLE t AS SELECT n, CAST("when?" AS {kind}) AS "when?" FROM arriving')
        answers = connection.execute(f"SELECT {', '.join(conditions)} FROM t ORDER BY n").fetchall()
    assert all(answer is not None for row in answers for answer in row), "a condition is never NULL"
    return [[slot for slot, holds in enumerate(row) if holds] for row in answers]


def test_scopes_of_several_ranges_are_joined() -> None:
    ranges = [parse_key("[10,20)"), parse_key("(-inf,5)")]
    condition = duckdb_condition(scope_for(column("int"), pa.int32(), ranges))
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            f'SELECT "when?" FROM (SELECT unnest([1, 4, 5, 10, 19, 20, NULL]) AS "when?") WHERE {condition}'
        ).fetchall()
    assert rows == [(1,), (4,), (10,), (19,), (None,)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("(-inf,1)", True),
        ("[1,+inf)", False),
        ("[null,1)", True),
        ("(-inf,null)", False),
        ("(-inf,1]", True),
        ("(-inf,null]", True),
        ("(null,1]", False),
        ("(-inf,+inf)", True),
    ],
)
def test_where_null_rows_lie_is_known_from_the_key_alone(key: str, expected: bool) -> None:
    assert holds_null_rows(parse_key(key)) is expected


@pytest.mark.parametrize(
    ("facts", "arrow", "remedy"),
    [
        (column("nvarchar"), pa.string(), "configure the table as static"),
        (column("varchar"), pa.string(), "configure the table as static"),
        (column("uniqueidentifier"), pa.string(), "configure the table as static"),
        (column("uniqueidentifier"), pa.uuid(), "configure the table as static"),
        (column("varbinary"), pa.binary(), "configure the table as static"),
        (column("datetimeoffset", scale=3), pa.string(), "column_representation of when? to utc"),
        (column("datetimeoffset", scale=7), pa.string(), "column_representation of when? to utc"),
        (column("datetime"), pa.string(), "leave when? out of column_representation"),
    ],
)
def test_types_that_sort_differently_are_refused_with_a_way_out(
    facts: ColumnFacts, arrow: pa.DataType, remedy: str
) -> None:
    with pytest.raises(CatalogError, match="sorts differently in the warehouse") as caught:
        scope_for(facts, arrow, [parse_key("(-inf,+inf)")])
    assert remedy in str(caught.value)


@pytest.mark.parametrize("text", ["1); DROP TABLE x; --", "abc", "", "1e5", "0x10"])
def test_a_boundary_that_is_no_value_of_the_type_is_named(text: str) -> None:
    with pytest.raises(CatalogError, match="when"):
        scope_for(column("int"), pa.int32(), [PartitionRange(Boundary(text), None, "right")])


def test_a_day_that_does_not_exist_is_named() -> None:
    with pytest.raises(CatalogError, match="2024-02-30"):
        scope_for(column("date"), pa.date32(), [PartitionRange(Boundary("2024-02-30"), None, "right")])

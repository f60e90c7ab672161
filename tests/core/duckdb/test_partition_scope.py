"""Every value of a partition column lies in exactly one scope, whatever the boundaries; DuckDB itself is asked.

Expected membership is computed here, from values and boundaries as numbers, by the rule of CREATE PARTITION FUNCTION.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

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


def column(type_name: str, *, scale: int = 0, length: int = 8, name: str = "when?") -> ColumnFacts:
    return ColumnFacts(name, 1, type_name, length, 38, scale, None, is_nullable=True)


@dataclass(frozen=True)
class Family:
    """A column type: its values as whole numbers, how the server writes a boundary, what Arrow holds."""

    column: ColumnFacts
    arrow: pa.DataType
    numbers: st.SearchStrategy[int]
    """Values a row can have."""
    boundaries: st.SearchStrategy[int]
    """Values a boundary can have: in the same unit, but finer or further where the server's type is."""
    text: Callable[[int], str]
    stored: Callable[[int], Any]


def moment(ticks: int) -> str:
    """100 ns since the year 1 as datetime2(7) is written."""
    whole, rest = divmod(ticks, 10_000_000)
    return f"{datetime(1, 1, 1) + timedelta(seconds=whole):%Y-%m-%d %H:%M:%S}.{rest:07d}".rjust(27, "0")


SECOND, DAY = 10_000_000, 864_000_000_000
EPOCH = 719_162 * DAY
END = 3_652_059 * DAY - 1
NS_LOW, NS_HIGH = (datetime(1677, 9, 22) - datetime(1, 1, 1)).days * DAY, EPOCH + (2**63 - 1) // 100
near = st.integers(-30, 30)


def ticks(low: int, high: int, step: int = 1) -> st.SearchStrategy[int]:
    """Around a few anchors, so that values fall on and beside boundaries."""
    anchors = [a for a in (0, EPOCH, EPOCH + 20_000 * DAY, END, NS_LOW, NS_HIGH) if low <= a <= high]
    return st.builds(lambda a, d: min(max(a + d, low), high) // step * step, st.sampled_from(anchors), near)


FAMILIES: dict[str, Family] = {
    "int": Family(column("int"), pa.int32(), near, near, str, lambda n: n),
    "tinyint": Family(column("tinyint"), pa.int16(), st.integers(0, 255), st.integers(0, 255), str, lambda n: n),
    "bigint": Family(
        column("bigint"),
        pa.int64(),
        st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
        st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
        str,
        lambda n: n,
    ),
    "bit": Family(column("bit"), pa.bool_(), st.integers(0, 1), st.integers(0, 1), str, bool),
    "decimal": Family(
        column("decimal", scale=10),
        pa.decimal128(38, 10),
        st.builds(lambda big, small: big * 10**30 + small, near, near),
        st.builds(lambda big, small: big * 10**30 + small, near, near),
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**10}.{abs(n) % 10**10:010d}",
        lambda n: Decimal(f"{'-' if n < 0 else ''}{abs(n) // 10**10}.{abs(n) % 10**10:010d}"),
    ),
    "money": Family(
        column("money", scale=4),
        pa.decimal128(19, 4),
        near,
        near,
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**4}.{abs(n) % 10**4:04d}",
        lambda n: Decimal(n).scaleb(-4),
    ),
    "float": Family(column("float"), pa.float64(), near, near, lambda n: f"{n / 10:.16e}", lambda n: n / 10),
    "real": Family(
        column("real"),
        pa.float32(),
        near,
        near,
        lambda n: f"{pa.scalar(n / 10, pa.float32()).as_py():.16e}",
        lambda n: n / 10,
    ),
    "date": Family(
        column("date"),
        pa.date32(),
        st.sampled_from([0, 1, 719_162, 719_163, 3_652_058]),
        st.sampled_from([0, 1, 719_162, 719_163, 3_652_058]),
        lambda n: moment(n * DAY)[:10],
        lambda n: (datetime(1, 1, 1) + timedelta(days=n)).date(),
    ),
    "datetime": Family(
        column("datetime", scale=3),
        pa.timestamp("ms"),
        ticks(EPOCH, END, 10_000),
        ticks(EPOCH, END, 10_000),
        lambda n: moment(n)[:23].replace(" ", "T"),
        lambda n: datetime(1, 1, 1) + timedelta(microseconds=n // 10),
    ),
    "datetime2 microseconds, boundaries finer": Family(
        column("datetime2", scale=7),
        pa.timestamp("us"),
        ticks(0, END, 10),
        ticks(0, END),
        moment,
        lambda n: datetime(1, 1, 1) + timedelta(microseconds=n // 10),
    ),
    "datetime2 nanoseconds, boundaries further": Family(
        column("datetime2", scale=7),
        pa.timestamp("ns"),
        ticks(NS_LOW, NS_HIGH),
        ticks(0, END),
        moment,
        lambda n: (n - EPOCH) * 100,
    ),
    "datetime2 as text": Family(
        column("datetime2", scale=7), pa.string(), ticks(0, END), ticks(0, END), moment, moment
    ),
    "datetimeoffset as utc": Family(
        column("datetimeoffset", scale=6),
        pa.timestamp("us", tz="UTC"),
        ticks(DAY, END - DAY, 10),
        ticks(DAY, END - DAY, 10),
        lambda n: f"{moment(n + 2 * 36_000_000_000)} +02:00",
        lambda n: (n - EPOCH) // 10,
    ),
    "datetimeoffset as utc, boundaries finer": Family(
        column("datetimeoffset", scale=7),
        pa.timestamp("us", tz="UTC"),
        ticks(DAY, END - DAY, 10),
        ticks(DAY, END - DAY),
        lambda n: f"{moment(n - 5 * 36_000_000_000)}-05:00",
        lambda n: (n - EPOCH) // 10,
    ),
    "time": Family(
        column("time", scale=7),
        pa.time64("us"),
        st.integers(0, 5).map(lambda n: n * 10),
        st.integers(0, 60),
        lambda n: moment(n)[11:],
        lambda n: (datetime(1, 1, 1) + timedelta(microseconds=n // 10)).time(),
    ),
    "time as text": Family(
        column("time", scale=7),
        pa.string(),
        st.integers(0, 60),
        st.integers(0, 60),
        lambda n: moment(n)[11:],
        lambda n: moment(n)[11:],
    ),
    "binary": Family(
        column("binary", length=2),
        pa.binary(),
        st.integers(0, 65535),
        st.integers(0, 65535),
        lambda n: f"0x{n:04X}",
        lambda n: n.to_bytes(2, "big"),
    ),
}


def slot_of(value: int | None, boundaries: Sequence[int | None], side: Side) -> int:
    """$PARTITION: NULL sorts below everything; a boundary belongs to the right (RIGHT) or to the left (LEFT)."""
    order = [float("-inf") if b is None else b for b in boundaries]
    if value is None:
        return 1 if side == "right" and boundaries and boundaries[0] is None else 0
    return sum(b <= value if side == "right" else b < value for b in order)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=40, deadline=None)
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
    found = _slots_in_duckdb(family, values, ranges)
    assert found == [[slot_of(value, edges, side)] for value in values]
    from_keys = [parse_key(range_.key) for range_ in ranges]  # what a retired unit leaves of its range
    assert _slots_in_duckdb(family, values, from_keys) == found


def _slots_in_duckdb(family: Family, values: Sequence[int | None], ranges: Sequence[PartitionRange]) -> list[list[int]]:
    """The slots whose condition holds, for each value."""
    stored = pa.array([None if v is None else family.stored(v) for v in values], _raw(family.arrow)).cast(family.arrow)
    table = pa.table({"n": range(len(values)), family.column.name: stored})
    conditions = [duckdb_condition(scope_for(family.column, family.arrow, [range_])) for range_ in ranges]
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.register("arriving", table)
        kind = duckdb_type(family.arrow)
        connection.execute(f'CREATE TABLE t AS SELECT n, CAST("when?" AS {kind}) AS "when?" FROM arriving')
        answers = connection.execute(f"SELECT {', '.join(conditions)} FROM t ORDER BY n").fetchall()
    assert all(answer is not None for row in answers for answer in row), "a condition is never NULL"
    return [[slot for slot, holds in enumerate(row) if holds] for row in answers]


def _raw(kind: pa.DataType) -> pa.DataType:
    """Moments beyond Python's reach are given as numbers."""
    return pa.int64() if kind in {pa.timestamp("ns"), pa.timestamp("us", tz="UTC")} else kind


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

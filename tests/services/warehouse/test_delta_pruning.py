"""Which files a load rewrites, skips and removes never decides which rows the table has afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.plan.steps import MergeKeys, ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange
from tests.support.any_warehouse import AnyWarehouse, Where
from tests.support.delta_tables import deltalake, table_at
from tests.support.variants import variants

TARGET = ("sales", "Parts")
MICRO = timedelta(microseconds=1)
Value = Callable[[int], Any]
KINDS: dict[str, tuple[str, pa.DataType, Value, Callable[[Any], str]]] = {
    "int": ("int", pa.int32(), lambda n: n - 6, str),
    "bigint": ("bigint", pa.int64(), lambda n: (n - 6) * 10**17, str),
    "date": ("date", pa.date32(), lambda n: date(1, 1, 1) + timedelta(days=n), str),
    "datetime2": (
        "datetime2",
        pa.timestamp("us"),
        lambda n: datetime(2024, 1, 1) + n * MICRO,
        lambda v: v.isoformat("T", "microseconds"),
    ),
    "decimal": ("decimal", pa.decimal128(38, 20), lambda n: Decimal(n - 6).scaleb(-20), lambda v: f"{v:f}"),
    "float": ("float", pa.float64(), lambda n: (n - 6) / 8, repr),
    "time": ("time", pa.time64("us"), lambda n: time(12, 0, 0, n), lambda v: v.isoformat("microseconds")),
    "text": ("datetime2", pa.string(), lambda n: f"2024-01-01 00:00:00.{n:07d}", lambda v: v.replace(" ", "T")),
}
"""The server's type, the lake's, the twelve values of a test in ascending order, and their text as a boundary."""


OFTEN = ("int", "datetime2", "text")


def belongs(number: int | None, low: int | None, high: int | None, side: str) -> bool:
    """Whether a value, by its number, lies in a range; NULL rows lie in the first."""
    if number is None:
        return low is None
    if side == "right":
        return (low is None or number >= low) and (high is None or number < high)
    return (low is None or number > low) and (high is None or number <= high)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> AnyWarehouse:
    """One for all examples: its settings take longer than a load. Each example begins without its table."""
    deltalake()
    return AnyWarehouse(Where("delta", str(tmp_path_factory.mktemp("pruning"))))


numbers = st.one_of(st.none(), st.integers(0, 11))


@pytest.mark.parametrize("kind", variants(list(KINDS), OFTEN))
@settings(max_examples=12, deadline=None)
@given(
    files=st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=1, max_size=3),
    ends=st.tuples(numbers, numbers),
    side=st.sampled_from(["left", "right"]),
    new=st.lists(st.integers(0, 11), max_size=2),
)
def test_a_scope_replaces_exactly_its_rows_whatever_files_they_lie_in(
    house: AnyWarehouse,
    kind: str,
    files: list[list[int | None]],
    ends: tuple[int | None, int | None],
    side: Any,
    new: list[int],
) -> None:
    type_name, arrow, value, text = KINDS[kind]
    low, high = ends
    if low is not None and high is not None and low >= high:
        low, high = (high, low) if high < low else (low, None)
    column = ColumnFacts("P", 1, type_name, 8, 38, 20 if kind == "decimal" else 7, None, is_nullable=True)
    bounds = [None if end is None else Boundary(text(value(end))) for end in (low, high)]
    scope = scope_for(column, arrow, [PartitionRange(bounds[0], bounds[1], side)])

    def rows(given: list[int | None], note: str) -> pa.Table:
        values = [None if number is None else value(number) for number in given]
        schema = pa.schema([pa.field("P", arrow), pa.field("Note", pa.string())])
        return pa.table([values, [note] * len(values)], schema=schema)

    house.warehouse.drop_table(TARGET)
    house.load(TARGET, *(rows(given, "old") for given in files))
    everything = [number for given in files for number in given]
    inside = [number for number in everything if belongs(number, low, high, side)]
    assert house.warehouse.count(TARGET, scope) == len(inside)
    with house.warehouse.rows(TARGET, scope, rows([], "").schema) as batches:
        assert sum(batch.num_rows for batch in batches) == len(inside)
    house.load(TARGET, rows([*new], "new"), how=scope)
    expected = [(number, "old") for number in everything if not belongs(number, low, high, side)]
    expected += [(number, "new") for number in new]
    as_stored = {None: None, **{shown(value(n), arrow): n for n in range(12)}}
    found = [(as_stored[part], note) for part, note in house.query('SELECT * FROM sales."Parts"')]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def shown(value: Any, arrow: pa.DataType) -> Any:
    return value.isoformat("microseconds") if pa.types.is_time(arrow) else value


@settings(max_examples=12, deadline=None)
@given(
    files=st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=4), min_size=1, max_size=4),
    new=st.sets(st.integers(0, 11), max_size=4),
)
def test_keys_replace_exactly_their_rows_whatever_files_they_lie_in(
    house: AnyWarehouse, files: list[set[int]], new: set[int]
) -> None:
    def rows(keys: set[int], note: str) -> pa.Table:
        keyed = sorted(keys)
        moments = [datetime(2024, 1, 1) + key * MICRO for key in keyed]
        return pa.table(
            {
                "No": pa.array(keyed, pa.int64()),
                "At": pa.array(moments, pa.timestamp("us")),
                "Note": pa.array([note] * len(keyed), pa.string()),
            }
        )

    house.warehouse.drop_table(TARGET)
    expected: dict[int, str] = {}
    for number, keys in enumerate([*files, new]):
        house.load(TARGET, rows(keys, f"{number}"), how=MergeKeys(("No", "At")))
        expected |= dict.fromkeys(keys, f"{number}")
    assert {row[0]: row[2] for row in house.rows(TARGET)} == expected
    assert len(house.rows(TARGET)) == len(expected)


def test_a_vacuum_leaves_the_table_its_markers_and_the_next_load_as_they_are(house: AnyWarehouse) -> None:
    house.warehouse.drop_table(TARGET)
    whole = ReplaceScope(
        ColumnFacts("P", 1, "int", 4, 10, 0, None, is_nullable=True), pa.int32(), (PartitionRange(None, None, "right"),)
    )
    for note in ("a", "b"):
        table = pa.table({"P": pa.array([1], pa.int32()), "Note": [note]})
        house.load(TARGET, table, how=whole)
    table_at(house.root, TARGET).vacuum(dry_run=False, retention_hours=0, enforce_retention_duration=False, full=True)
    assert len(list((house.root / "tables").glob("*/*/*.parquet"))) == 1
    house.load(TARGET, pa.table({"P": pa.array([1], pa.int32()), "Note": ["c"]}), how=whole)
    assert house.rows(TARGET) == [(1, "c")]

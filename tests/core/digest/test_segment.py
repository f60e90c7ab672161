"""The digest over Arrow by itself: parts add up, order does not matter, and nothing is mistaken for something else."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.config import StaticTableConfig
from dltsync_core.digest.segment import ROWS_AT_ONCE, SegmentDigest, digest_batches
from dltsync_core.errors import FidelityError
from dltsync_core.typemap.columns import map_columns
from dltsync_core.typemap.mapping import ColumnMapping
from tests.support.table_facts import column, table

COLUMNS = map_columns(
    table(column("No", "int"), column("Note", "nvarchar", 2)),
    StaticTableConfig(table_name="Orders", schema_name="sales"),
).columns
ROWS = st.lists(st.tuples(st.none() | st.integers(-(2**31), 2**31 - 1), st.none() | st.text(max_size=5)), max_size=6)


def batch(rows: list[tuple[int | None, str | None]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([r[0] for r in rows], pa.int32()), pa.array([r[1] for r in rows], pa.string())], names=["No", "Note"]
    )


def digest(rows: list[tuple[int | None, str | None]]) -> SegmentDigest:
    return digest_batches([batch(rows)], COLUMNS)


def test_the_row_text_is_what_the_page_says() -> None:
    """`<bytes>:<text>` of each column, hashed as UTF-16LE: written out by hand."""
    expected = hashlib.sha256("2:-74:😀".encode("utf-16-le")).digest()
    assert digest([(-7, "😀")]) == SegmentDigest(
        1, int.from_bytes(expected[:8], "big", signed=True), int.from_bytes(expected[8:16], "big", signed=True)
    )


@given(ROWS, ROWS)
def test_parts_add_up_to_the_whole(
    one: list[tuple[int | None, str | None]], two: list[tuple[int | None, str | None]]
) -> None:
    assert digest(one) + digest(two) == digest(one + two) == digest(two + one)


@given(ROWS, ROWS)
def test_different_rows_have_different_digests(
    one: list[tuple[int | None, str | None]], two: list[tuple[int | None, str | None]]
) -> None:
    assert (digest(one) == digest(two)) is (sorted(map(repr, one)) == sorted(map(repr, two)))


def test_many_rows_do_not_overflow_and_do_not_depend_on_how_they_were_cut() -> None:
    """An int64 sum of lanes overflows after two rows."""
    rows: list[tuple[int | None, str | None]] = [(n, "x") for n in range(ROWS_AT_ONCE + 5)]
    whole = digest(rows)
    parts = digest_batches([batch(rows[i : i + 1000]) for i in range(0, len(rows), 1000)], COLUMNS)
    assert whole == parts
    assert whole.rows == len(rows)


def test_columns_are_found_by_name_and_others_do_not_count() -> None:
    rows = batch([(1, "a")])
    more = pa.RecordBatch.from_arrays(
        [rows.column(1), pa.array([Decimal(1)]), rows.column(0)], names=["Note", "x", "No"]
    )
    assert digest_batches([more], COLUMNS) == digest_batches([rows], COLUMNS)


@pytest.mark.parametrize(
    "text", ["-0.0000000001", "0.0000000001", "-12.5000000000", "9999999999999999999999999999.0000000000"]
)
def test_small_decimals_have_no_exponent(text: str) -> None:
    mapping = _mapping("decimal")
    rows = pa.RecordBatch.from_arrays([pa.array([Decimal(text)], pa.decimal128(38, 10))], names=["c"])
    expected = hashlib.sha256(f"{len(text)}:{text}".encode("utf-16-le")).digest()
    assert digest_batches([rows], [mapping]).lane_1 == int.from_bytes(expected[:8], "big", signed=True)


def test_a_column_without_a_twin_is_named() -> None:
    config = StaticTableConfig(table_name="Orders", schema_name="sales", column_representation={"c": "utc"})
    (mapping,) = map_columns(table(column("c", "datetimeoffset")), config).columns
    rows = pa.RecordBatch.from_arrays([pa.array([None], pa.timestamp("us", "UTC"))], names=["c"])
    with pytest.raises(FidelityError, match=r"column c .*offset"):
        digest_batches([rows], [mapping])


def _mapping(kind: str) -> ColumnMapping:
    config = StaticTableConfig(table_name="Orders", schema_name="sales")
    (mapping,) = map_columns(table(column("c", kind)), config).columns
    return mapping

"""Batches stay near their size in bytes, whatever the sizes of the values and whatever order they come in."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.extract.stream import MOST_ROWS_PER_PULL, UnboundedRows

LIMIT = 4096


class Sizes:
    """Rows of the given sizes."""

    def __init__(self, sizes: list[int]) -> None:
        self.rest = [b"x" * size for size in sizes]
        self.asked: list[int] = []

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        self.asked.append(rows)
        some, self.rest = self.rest[:rows], self.rest[rows:]
        return pa.record_batch([pa.array(some, pa.large_binary())], names=["v"]) if some else None

    def cancel(self) -> None:
        return None

    def close(self) -> None:
        return None


def _batches(source: Sizes) -> list[pa.RecordBatch]:
    pulled = UnboundedRows(source, LIMIT)
    found = []
    while (batch := pulled.next_batch(1000)) is not None:
        found.append(batch)
    return found


@given(st.lists(st.integers(0, 3 * LIMIT), max_size=300))
def test_every_row_comes_once_and_no_batch_is_larger_than_its_bound_and_one_pull(sizes: list[int]) -> None:
    batches = _batches(Sizes(sizes))
    assert [len(value or b"") for batch in batches for value in batch.column(0).to_pylist()] == sizes
    largest = max(sizes, default=0) + 16
    assert all(batch.nbytes <= LIMIT + MOST_ROWS_PER_PULL * largest for batch in batches)


def test_large_rows_come_one_by_one_from_the_first_on() -> None:
    source = Sizes([LIMIT * 2] * 5)
    assert [batch.num_rows for batch in _batches(source)] == [1] * 5
    assert set(source.asked) == {1}


def test_small_rows_soon_come_many_at_a_time_and_make_whole_batches() -> None:
    source = Sizes([8] * 2000)
    batches = _batches(source)
    assert max(source.asked) == MOST_ROWS_PER_PULL
    assert len(batches) < 20


def test_a_large_row_after_small_ones_is_believed_at_once() -> None:
    source = Sizes([8] * 500 + [LIMIT] * 200)
    _batches(source)
    assert source.asked[-50:] == [1] * 50

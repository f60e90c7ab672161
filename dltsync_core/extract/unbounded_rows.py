"""Rows with values of unbounded size, fetched a few at a time, so that a batch is bounded by bytes whatever the values are.

A fetch names a number of rows, and the sizes of (max) values are known only afterwards. So few rows are fetched
at once and joined until there are enough bytes: a single fetch may be too large, never a batch.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.extract.stream import RowSource

MOST_ROWS_PER_PULL = 64
"""Enough that a fetch costs little beside the values; few enough that a sudden series of large ones is noticed soon."""
FILL = 0.5
"""A fetch aims at most at this part of a batch, by the largest recent rows."""


class UnboundedRows:
    """A RowSource over another whose batches stay near `batch_bytes`. The first fetch is one row."""

    def __init__(self, source: RowSource, batch_bytes: int) -> None:
        self._source = source
        self._batch_bytes = batch_bytes
        self._bytes_per_row = float(batch_bytes)
        self.largest_pull_bytes = 0

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        pulled: list[pa.RecordBatch] = []
        count = size = 0
        while count < rows and size < self._batch_bytes:
            batch = self._source.next_batch(min(self._pull(), rows - count))
            if batch is None:
                break
            pulled.append(batch)
            count += batch.num_rows
            size += batch.nbytes
            self._learn(batch)
        if not pulled:
            return None
        return pulled[0] if len(pulled) == 1 else pa.Table.from_batches(pulled).combine_chunks().to_batches()[0]

    def cancel(self) -> None:
        self._source.cancel()

    def close(self) -> None:
        self._source.close()

    def _pull(self) -> int:
        return max(1, min(MOST_ROWS_PER_PULL, int(self._batch_bytes * FILL / self._bytes_per_row)))

    def _learn(self, batch: pa.RecordBatch) -> None:
        """A larger row counts at once, smaller ones lower the estimate by half at most."""
        self.largest_pull_bytes = max(self.largest_pull_bytes, batch.nbytes)
        self._bytes_per_row = max(batch.nbytes / batch.num_rows, self._bytes_per_row / 2, 1.0)

"""A reader thread ahead of the writer, with a bounded queue between them.

The driver releases the interpreter lock while it fetches, so reading the next batch overlaps writing the last one. The queue
is bounded by bytes and by batches. A failure on one side stops the other: no side waits for one that has ended, nor for a
driver that does not return: a cancel can hang as long as the fetch it is to end, until the server answers or the network
times out. Then the reader is abandoned with its session, which no other thread may use before the driver returns (closing a
connection during a fetch crashes the process), and the run goes on.

Rows with values of unbounded size are fetched a few at a time, because the sizes of (max) values are known only afterwards: few
rows are fetched at once and joined until there are enough bytes. A single fetch may be too large, never a batch.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol

import pyarrow as pa

from dltsync_core.errors import StatementTimeout, SyncError
from dltsync_core.extract.batch_size import ExtractLimits

STOP_WITHIN_SECONDS = 30.0
"""Seconds for a cancelled fetch to return before the thread is abandoned (it is a daemon and holds only its own session)."""

LAST_WAIT_SECONDS = 2.0
"""Seconds that the end of the process waits for an abandoned reader. One whose cancel just took effect returns within that,
and needs a running interpreter: the native part of the driver aborts the process otherwise."""


class RowSource(Protocol):
    """Rows of one statement. `cancel` may be called from another thread."""

    def next_batch(self, rows: int) -> pa.RecordBatch | None: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class BatchStream:
    """Batches of a RowSource, read and converted in a thread. Iterate once, inside a `with`."""

    def __init__(
        self,
        source: RowSource,
        convert: Callable[[pa.RecordBatch], pa.RecordBatch],
        limits: ExtractLimits,
        bytes_per_row: float,
        *,
        stall_seconds: float | None = None,
        stop_within: float = STOP_WITHIN_SECONDS,
    ) -> None:
        """`stall_seconds`: reading fails when no batch arrives for so long while the writer waits (None: wait for ever)."""
        self._source = source
        self._convert = convert
        self._limits = limits
        self._bytes_per_row = bytes_per_row
        self._stall_seconds = stall_seconds
        self._stop_within = stop_within
        self._state = threading.Condition()
        self._queue: deque[tuple[pa.RecordBatch, int]] = deque()
        self._queued_bytes = 0
        self._stopped = False
        self._finished = False
        self._reading = True
        self._cancelling: threading.Thread | None = None
        self._last: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="dltsync-reader", daemon=True)
        self.peak_queue_bytes = 0

    def __enter__(self) -> BatchStream:
        try:
            self._thread.start()
        except RuntimeError:  # no more threads on this machine
            self._finished = True
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self._stop()
        if not ended and error is None:
            raise self._stalled("the driver did not stop reading after a cancel")

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._state:
                if not self._state.wait_for(lambda: self._queue or self._finished, self._stall_seconds):
                    raise self._stalled(f"no rows arrived for {self._stall_seconds:.0f} seconds")
                if not self._queue:
                    if self._error is not None:
                        raise self._error
                    return
                batch, size = self._queue.popleft()
                self._queued_bytes -= size
                self._state.notify_all()
            yield batch

    @property
    def is_over(self) -> bool:
        """Whether the reader has ended. After the `with` it may still run: it is blocked in the driver, or an interrupt ended
        the wait for it."""
        return self._finished

    def when_over(self, last: Callable[[], None]) -> None:
        """Call `last` when the reader has ended: now, or in its thread. For resources that an abandoned reader still uses."""
        with self._state:
            if not self._finished:
                self._last = last
                self._ask_to_stop()
                atexit.register(self._thread.join, LAST_WAIT_SECONDS)
                return
        last()

    def _stop(self) -> bool:
        """End the reader. False when it is still blocked in the driver."""
        with self._state:
            self._ask_to_stop()
        self._thread.join(self._stop_within)
        return not self._thread.is_alive()

    def _ask_to_stop(self) -> None:
        self._stopped = True
        self._queue.clear()
        self._state.notify_all()
        if self._reading and self._cancelling is None:
            cancelling = threading.Thread(target=self._cancel, name="dltsync-cancel", daemon=True)
            cancelling.start()
            self._cancelling = cancelling

    def _cancel(self) -> None:
        with contextlib.suppress(SyncError):  # an error of the cancelled side is not the cause
            self._source.cancel()

    @staticmethod
    def _stalled(problem: str) -> StatementTimeout:
        return StatementTimeout(
            f"reading stalled: {problem}",
            remedy="check the server's sessions (blocked, or waiting for I/O?) and the network; "
            "command_timeout and statement_seconds_limit set the limit",
        )

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            while not self._stopped and (batch := self._source.next_batch(self._next_rows())) is not None:
                converted = self._convert(batch)
                size = converted.nbytes
                self._bytes_per_row = max(size / converted.num_rows, 1.0)
                if not self._put(converted, size):
                    break
        except BaseException as raised:  # noqa: BLE001 - handed to the thread that iterates
            error = raised
        with self._state:
            self._reading, cancelling = False, self._cancelling
        if cancelling is not None:
            cancelling.join()  # it uses the source, which is closed next, and returns with the fetch
        try:
            self._source.close()
        except Exception as raised:  # noqa: BLE001 - the first error is the one to raise
            error = error or raised
        with self._state:
            self._error = error
            self._finished = True
            last = self._last
            self._state.notify_all()
        if last is not None:
            last()

    def _next_rows(self) -> int:
        return self._limits.rows_for(self._bytes_per_row)

    def _put(self, batch: pa.RecordBatch, size: int) -> bool:
        """Wait for room, then queue. One batch alone always fits. False when the other side has stopped."""
        limits = self._limits
        with self._state:
            self._state.wait_for(
                lambda: (
                    self._stopped
                    or not self._queue
                    or (len(self._queue) < limits.queue_batches and self._queued_bytes + size <= limits.queue_bytes)
                )
            )
            if self._stopped:
                return False
            self._queue.append((batch, size))
            self._queued_bytes += size
            self.peak_queue_bytes = max(self.peak_queue_bytes, self._queued_bytes)
            self._state.notify_all()
            return True


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

"""A reader thread ahead of the writer, with a bounded queue between them.

The driver releases the interpreter lock while it fetches, so reading the next batch overlaps writing the last one. The queue
is bounded by bytes and by batches. Whoever fails first stops the other: no side ever waits for one that is gone.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol

import pyarrow as pa

from dltsync_core.errors import ExtractError, SyncError
from dltsync_core.extract.limits import ExtractLimits

STOP_WITHIN_SECONDS = 30.0
"""How long a cancelled fetch may take to return before the thread is given up (it is a daemon and holds only its own session)."""


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
    ) -> None:
        self._source = source
        self._convert = convert
        self._limits = limits
        self._bytes_per_row = bytes_per_row
        self._state = threading.Condition()
        self._queue: deque[tuple[pa.RecordBatch, int]] = deque()
        self._queued_bytes = 0
        self._stopped = False
        self._finished = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="dltsync-reader", daemon=True)
        self.peak_queue_bytes = 0

    def __enter__(self) -> BatchStream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._state:
            running = not self._finished
            self._stopped = True
            self._queue.clear()
            self._state.notify_all()
        if running:
            with contextlib.suppress(SyncError):  # what the cancelled side says is not why we stop
                self._source.cancel()
        self._thread.join(STOP_WITHIN_SECONDS)
        if self._thread.is_alive() and error is None:
            raise ExtractError("the driver did not stop reading when asked to", remedy="look at the server's sessions")

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._queue or self._finished)
                if not self._queue:
                    if self._error is not None:
                        raise self._error
                    return
                batch, size = self._queue.popleft()
                self._queued_bytes -= size
                self._state.notify_all()
            yield batch

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
        try:
            self._source.close()
        except Exception as raised:  # noqa: BLE001 - the first error is the one to tell
            error = error or raised
        with self._state:
            self._error = error
            self._finished = True
            self._state.notify_all()

    def _next_rows(self) -> int:
        return self._limits.rows_for(self._bytes_per_row)

    def _put(self, batch: pa.RecordBatch, size: int) -> bool:
        """Wait for room, then queue. One batch alone always fits. False when the other side is gone."""
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

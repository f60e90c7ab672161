"""The reader and the writer never wait for each other in vain, and the queue keeps its bounds."""

from __future__ import annotations

import atexit
import threading
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.errors import QueryError, StatementTimeout
from dltsync_core.extract.batch_size import ExtractLimits
from dltsync_core.extract.stream import LAST_WAIT_SECONDS, BatchStream

pytestmark = pytest.mark.timeout(30)


def _batch(rows: int, start: int = 0) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(range(start, start + rows), pa.int64())], names=["n"])


class Rows:
    """`total` rows of eight bytes; may fail, or hang until it is cancelled, before row `trouble_at`."""

    def __init__(self, total: int, *, fail_at: int | None = None, hang_at: int | None = None) -> None:
        self.total, self.fail_at, self.hang_at = total, fail_at, hang_at
        self.position = 0
        self.cancelled = threading.Event()
        self.closed = threading.Event()
        self.asked: list[int] = []

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        self.asked.append(rows)
        if self.fail_at is not None and self.position >= self.fail_at:
            raise QueryError("the server went away")
        if self.hang_at is not None and self.position >= self.hang_at:
            self.cancelled.wait()
            raise QueryError("cancelled")
        count = min(rows, self.total - self.position)
        self.position += count
        return _batch(count, self.position - count) if count else None

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed.set()


def _same(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


LIMITS = ExtractLimits(batch_rows=10, batch_bytes=80, queue_bytes=200, queue_batches=3)


def _read(rows: Rows, seen: list[int]) -> None:
    with BatchStream(rows, _same, LIMITS, 8) as stream:
        for batch in stream:
            seen += batch.column(0).to_numpy().tolist()


def _fail_on_first_batch(rows: Rows, error: BaseException) -> None:
    with BatchStream(rows, _same, LIMITS, 8) as stream:
        for _ in stream:
            time.sleep(0.05)
            raise error


def _no_readers() -> bool:
    return not any(t.name == "dltsync-reader" for t in threading.enumerate())


@given(st.integers(0, 300), st.integers(1, 50), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_every_row_arrives_once_and_in_order(total: int, batch_rows: int, batches: int) -> None:
    limits = ExtractLimits(batch_rows, batch_bytes=8 * batch_rows, queue_bytes=100, queue_batches=batches)
    rows = Rows(total)
    stream = BatchStream(rows, _same, limits, 8)
    seen: list[int] = []
    with stream:
        for batch in stream:
            seen += batch.column(0).to_numpy().tolist()
    assert seen == list(range(total))
    assert rows.closed.is_set()
    assert stream.peak_queue_bytes <= max(100, 8 * batch_rows)


def test_an_error_of_the_reader_reaches_the_writer_after_the_good_batches() -> None:
    rows = Rows(100, fail_at=30)
    seen: list[int] = []
    with pytest.raises(QueryError, match="went away"):
        _read(rows, seen)
    assert seen == list(range(30))
    assert rows.closed.is_set()
    assert _no_readers()


def test_an_error_of_the_conversion_reaches_the_writer() -> None:
    def refuse(batch: pa.RecordBatch) -> pa.RecordBatch:
        raise ValueError("does not fit")

    rows = Rows(100)
    with pytest.raises(ValueError, match="does not fit"), BatchStream(rows, refuse, LIMITS, 8) as stream:
        list(stream)
    assert rows.closed.is_set()


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_when_the_writer_fails_the_reader_ends(interruption: BaseException) -> None:
    """The reader waits for room in a full queue at that moment."""
    rows = Rows(10_000)
    with pytest.raises(type(interruption)):
        _fail_on_first_batch(rows, interruption)
    assert rows.closed.is_set()
    assert rows.position < 10_000
    assert _no_readers()


def test_when_the_writer_fails_a_fetch_under_way_is_cancelled() -> None:
    rows = Rows(100, hang_at=10)
    with pytest.raises(OSError, match="disk full"):
        _fail_on_first_batch(rows, OSError("disk full"))
    assert rows.cancelled.is_set()
    assert rows.closed.is_set()
    assert _no_readers()


def test_the_reader_works_ahead_but_not_beyond_the_bounds() -> None:
    rows = Rows(10_000)
    with BatchStream(rows, _same, LIMITS, 8) as stream:
        next(iter(stream))
        deadline = time.monotonic() + 5
        while len(rows.asked) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert 4 <= len(rows.asked) <= 5
    assert stream.peak_queue_bytes <= 200


def test_batches_follow_the_real_width_of_rows() -> None:
    """The first batch goes by the declared width, the next by what came."""
    rows = Rows(1000)
    with BatchStream(rows, _same, ExtractLimits(500, 800, 10_000), bytes_per_row=400) as stream:
        list(stream)
    assert rows.asked[0] == 2
    assert rows.asked[1] == 100


class Stuck(Rows):
    """Comes back neither from a fetch nor from its cancel, until `free` is set."""

    def __init__(self) -> None:
        super().__init__(100)
        self.free = threading.Event()

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        if self.position >= 20:
            self.free.wait()
            raise QueryError("cancelled")
        return super().next_batch(rows)

    def cancel(self) -> None:
        self.free.wait()


def _drain(stream: BatchStream, seen: list[int]) -> None:
    with stream:
        seen.extend(batch.num_rows for batch in stream)


def test_a_reader_that_hangs_is_cancelled_and_the_stall_may_pass() -> None:
    rows, seen = Rows(100, hang_at=20), list[int]()
    stream = BatchStream(rows, _same, LIMITS, 8, stall_seconds=0.2)
    with pytest.raises(StatementTimeout, match="reading stalled: no rows arrived for 0 seconds"):
        _drain(stream, seen)
    assert seen == [10, 10]
    assert rows.closed.is_set()
    assert stream.is_over


def test_a_driver_that_never_comes_back_does_not_hold_the_run() -> None:
    """Neither its fetch nor its cancel returns: both threads are left behind, and end when the driver lets go."""
    rows, seen = Stuck(), list[int]()
    stream = BatchStream(rows, _same, LIMITS, 8, stall_seconds=0.2, stop_within=0.2)
    with pytest.raises(StatementTimeout, match="reading stalled"):
        _drain(stream, seen)
    assert seen == [10, 10]
    assert not stream.is_over
    order: list[str] = []
    over = threading.Event()

    def last() -> None:
        order.append("closed" if rows.closed.is_set() else "open")
        over.set()

    stream.when_over(last)
    assert not order, "the session belongs to the reader until it returns"
    rows.free.set()
    assert over.wait(10)
    assert order == ["closed"]


def test_an_interrupt_while_the_reader_is_waited_for_leaves_it_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C: whoever closes the session then frees what the driver is using."""
    rows, seen = Stuck(), list[int]()
    stream = BatchStream(rows, _same, LIMITS, 8, stall_seconds=0.2)

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _drain(stream, seen)
    monkeypatch.undo()
    assert not stream.is_over
    over = threading.Event()
    at_exit: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda *asked: at_exit.append(asked))
    stream.when_over(over.set)
    assert not over.is_set()
    assert at_exit == [(stream._thread.join, LAST_WAIT_SECONDS)], "a reader that is about to return is waited for"
    rows.free.set()
    assert over.wait(10)
    assert rows.closed.is_set()


def test_a_slow_writer_is_no_stall() -> None:
    rows, seen = Rows(60), list[int]()
    stream = BatchStream(rows, _same, LIMITS, 8, stall_seconds=0.2)
    with stream:
        for batch in stream:
            time.sleep(0.1)
            seen.append(batch.num_rows)
    assert sum(seen) == 60

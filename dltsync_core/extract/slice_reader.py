"""The rows of a unit as one stream, read slice by slice along a unique key by statements that stay short.

A query finds the key at the end of the slice, then the rows up to it are read: slices cover the keys without gap or
overlap, whatever changes in between. Within a live snapshot a statement with a transient error, or that takes too long, is
continued after the last row: rows arrive in key order, so their number gives the position. Without a snapshot such a
failure is final, because rows may have moved.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.connect.error_numbers import RetryKind
from dltsync_core.connect.retry import Budget, Retry, decide, retry_kind_of
from dltsync_core.display import number_of
from dltsync_core.errors import ExtractError, SyncError
from dltsync_core.extract.slice_plan import SliceLimits, is_exact, next_rows
from dltsync_core.extract.stream import RowSource
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Sql, Statement, join
from dltsync_core.tsql.session import OPEN_TRANSACTIONS
from dltsync_core.tsql.slices import KeyText, after_key, key_at, upto_key

log = logging.getLogger("dltsync.extract")

_ON_THIS_CONNECTION = {RetryKind.SAME_CONNECTION, RetryKind.STALLED}


class Sender(Protocol):
    """Sends statements for rows, one at a time."""

    def rows(self, statement: str, parameters: Sequence[str], doing: str) -> RowSource: ...


@dataclass(frozen=True)
class SlicedUnit:
    """The rows of `table` under `condition`, along `key`. `select` makes the statement for a condition."""

    table: TableName
    condition: Sql | None
    key: tuple[ColumnFacts, ...]
    select: Callable[[Sql | None], Statement]


class SliceReader:
    """A RowSource over many statements of one session. `start` begins after that key, None at the first row.

    `live_snapshot`: all statements see the same snapshot; `now` is a clock that never goes back.
    """

    def __init__(
        self,
        sender: Sender,
        unit: SlicedUnit,
        limits: SliceLimits,
        budget: Budget,
        *,
        live_snapshot: bool,
        start: KeyText | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._unit = unit
        self._limits = limits
        self._budget = budget
        self._live_snapshot = live_snapshot
        self._now = now
        self._after = start
        self._upto: KeyText | None = None
        self._rows_wanted = limits.rows
        self._current: RowSource | None = None
        self._came = 0
        self._began = 0.0
        self._whole_rest = False
        self._finished = False
        self._failures = 0
        self._waited = 0.0
        self._cancelled = threading.Event()
        self.statements = 0
        self.continued = 0

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        while not self._finished:
            try:
                batch = self._next(rows)
            except SyncError as error:
                self._recover(error)
                continue
            if batch is not None:
                self._failures = 0
                return batch
        return None

    def cancel(self) -> None:
        """Make a `next_batch` that waits in another thread return, with an error."""
        self._cancelled.set()
        if (current := self._current) is not None:
            current.cancel()

    def close(self) -> None:
        self._finished = True
        if self._current is not None:
            self._current.close()

    # -- one slice --------------------------------------------------------------------------------------------------

    def _next(self, rows: int) -> pa.RecordBatch | None:
        """The next batch; None when a slice (perhaps the last) ended."""
        current = self._current or self._begin()
        batch = current.next_batch(rows)
        if batch is None:
            self._end()
            return None
        self._came += batch.num_rows
        if self._live_snapshot and self._now() - self._began > self._limits.seconds:
            self._cut()
        return batch

    def _begin(self) -> RowSource:
        if self._upto is None and not self._whole_rest:
            self._upto = self._key_after(self._rows_wanted)
            if self._upto is None or not is_exact(self._unit.key, self._upto):
                self._upto, self._whole_rest = None, True
        end = upto_key(self._unit.key, self._upto) if self._upto is not None else None
        self._came, self._began = 0, self._now()
        return self._send(self._unit.select(self._where(end)))

    def _end(self) -> None:
        """The slice is complete."""
        self._close_current()
        self._rows_wanted = next_rows(self._limits, self._came, self._now() - self._began)
        self._after, self._upto, self._came = self._upto, None, 0
        self._finished = self._whole_rest

    def _cut(self) -> None:
        """The statement reached its time limit: another statement reads the rest of the slice."""
        self._rows_wanted = next_rows(self._limits, self._came, self._now() - self._began)
        self._move_on()

    def _move_on(self) -> None:
        """Continue after the last row that was read, which in this snapshot is the one at its position."""
        self._close_current()
        if self._came:
            reached = self._key_after(self._came)
            if reached is None or not is_exact(self._unit.key, reached):
                raise ExtractError(
                    f"{self._unit.table}: reading cannot continue after {number_of(self._came, 'row')} of a "
                    "slice: the key there has no "
                    "exact text",
                    remedy="run again; a larger statement_seconds_limit avoids it",
                    table=str(self._unit.table),
                )
            self._after, self._came = reached, 0
        self.continued += 1

    def _key_after(self, rows: int) -> KeyText | None:
        """The key `rows` rows further on; None when there are fewer."""
        batch = self._send(key_at(self._unit.table, self._unit.key, self._where(), rows)).next_batch(1)
        self._close_current()
        if batch is None:
            return None
        return tuple(batch.column(i)[0].as_py() for i in range(len(self._unit.key)))

    def _where(self, end: Sql | None = None) -> Sql | None:
        after = after_key(self._unit.key, self._after) if self._after is not None else None
        found = [part for part in (self._unit.condition, after, end) if part is not None]
        return join(" AND ", found) if found else None

    def _send(self, statement: Statement) -> RowSource:
        """Start a statement; after a `cancel` it is cancelled at once."""
        self.statements += 1
        current = self._sender.rows(statement.text, statement.parameters, f"reading {self._unit.table}")
        self._current = current
        if self._cancelled.is_set():
            current.cancel()
        return current

    def _close_current(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.close()

    # -- when something fails ---------------------------------------------------------------------------------------

    def _recover(self, error: SyncError) -> None:
        """Continue within the same snapshot, or raise the error."""
        if self._cancelled.is_set() or not self._live_snapshot or retry_kind_of(error) not in _ON_THIS_CONNECTION:
            raise error
        self._failures += 1
        decision = decide(
            error,
            attempt=self._failures,
            waited=self._waited,
            budget=self._budget,
            jitter=random.random(),  # noqa: S311
        )
        if not isinstance(decision, Retry):
            raise error
        came = self._came
        log.warning(
            "%s: a statement failed after %s of a slice, continuing in the same snapshot in %.0f s: %s",
            self._unit.table, number_of(came, "row"), decision.after, error,
        )  # fmt: skip
        if self._cancelled.wait(decision.after):
            raise error
        self._waited += decision.after
        try:
            self._close_current()
            if not self._snapshot_lives():
                raise error
            self._came = came
            self._move_on()
        except SyncError as second:
            raise error from second

    def _snapshot_lives(self) -> bool:
        """Whether the transaction of the view is still open. It is the only one of this session."""
        batch = self._send(OPEN_TRANSACTIONS).next_batch(1)
        self._close_current()
        return batch is not None and batch.column(0)[0].as_py() == 1

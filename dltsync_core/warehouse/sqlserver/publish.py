"""Sending the batch that publishes, and finding out what became of it.

A batch that waits too long for readers (1222) or is a deadlock victim (1205) was rolled back whole and is sent again after a
pause. A connection that breaks during COMMIT leaves the outcome unknown: the marker tells, but only once the application lock
is ours again, because the old session may still be about to commit while it lives.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dltsync_core import checkpoints
from dltsync_core.display import number_of
from dltsync_core.errors import (
    QueryError,
    ServerUnreachable,
    SyncError,
    TransientQueryError,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.tsql.fragments import Statement
from dltsync_core.tsql.warehouse import locks
from dltsync_core.warehouse.sqlserver.session import Sessions

_PUBLISHING = "publishing a load"
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_SWITCH_ERRORS = (range(4900, 5000), range(11400, 11450))
"""SQL Server's errors for a SWITCH (or TRUNCATE of partitions) whose conditions are not met."""
_OTHER_SWITCH_ERRORS = frozenset({3756, 4711, 4712, 7733, 13546, 13577, 22842, 22843, 22750, 22751, 8604})


class SwitchRefused(Exception):
    """The server refused a SWITCH or TRUNCATE although preflight found nothing: nothing was changed. `number` is its error."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class BoundariesMoved(WarehouseBusy):
    """The partition function was changed since the load was prepared: nothing was changed."""


class Overtaken(Exception):
    """A later writer has been at one of the units: nothing was changed."""


@dataclass(frozen=True)
class Publisher:
    """Publishes the loads of one group. `resources` are the application locks it holds, with their tables; `is_committed`
    reads the markers and says whether the loads are there (None: they left no marker to read). Raised by `pause` to end the
    waiting."""

    sessions: Sessions
    resources: Sequence[tuple[str, str]]
    seconds: float
    is_committed: Callable[[], bool | None]
    pause: Callable[[float], None] = time.sleep

    def publish(self, batch: Statement) -> None:
        """Returns when the batch is committed. Raises SwitchRefused, Overtaken, WarehouseBusy, WarehouseError and what the server
        refuses otherwise; after each of them nothing was changed."""
        started, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                checkpoints.reached(checkpoints.WAREHOUSE_WRITTEN)
                self.sessions.run(batch, _PUBLISHING)
                return
            except ServerUnreachable as error:
                if self._committed_after_all(error):
                    return
                last: SyncError = error
            except TransientQueryError as error:
                last = error
            except QueryError as error:
                raise _explained(error) from error
            if time.monotonic() - started > self.seconds:
                raise WarehouseBusy(
                    f"the load could not be published within {number_of(self.seconds, 'second')}: {last.problem}",
                    remedy="find the sessions that hold locks on the table (sys.dm_tran_locks) and run again: long transactions "
                    "of readers block ALTER TABLE … SWITCH",
                ) from last
            longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
            self.pause(longest * (0.5 + random.random() / 2))  # noqa: S311 -- so that two runs do not meet again

    def _committed_after_all(self, error: ServerUnreachable) -> bool:
        """With the application locks taken again on a new session. Raises WarehouseError when the loads leave no marker."""
        self.sessions.reconnect(self.resources)
        committed = self.is_committed()
        if committed is None:
            raise WarehouseError(
                f"the connection broke while a load was published, and it leaves no marker: {error.problem}",
                remedy="look at the table, and load it again",
            ) from error
        return committed


def _explained(error: QueryError) -> Exception:
    number = error.facts.get("number")
    if number == locks.FENCED:
        return Overtaken()
    if number == locks.LOCK_NOT_GRANTED:
        return WarehouseBusy("another run took over the table while this one was loading it", remedy="run again")
    if number == locks.BOUNDARIES_MOVED:
        return BoundariesMoved(
            "the partition function of the table was changed while it was being loaded", remedy="run again"
        )
    if number == locks.OTHER_HISTORY:
        return WarehouseBusy("another writer changed the history while it was repaired", remedy="repair it again")
    if number == locks.ALREADY_SETTLED:
        return WarehouseBusy("another run has loaded the unit again, or has settled the load", remedy="run again")
    if isinstance(number, int) and (number in _OTHER_SWITCH_ERRORS or any(number in some for some in _SWITCH_ERRORS)):
        return SwitchRefused(number, error.problem)
    return error

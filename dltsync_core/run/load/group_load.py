"""Published units on their way into the warehouse: those that wait at the same moment come in together.

Opening the warehouse, one transaction and one package of dlt cost as much as loading a small partition. So a unit that finds the
warehouse busy waits, and whoever gets it next takes all that wait: one opening, one transaction, a marker for each, one count.
While units of few rows keep arriving, a group waits for more of them: it takes what the readers finish in a moment, not what they
finished by chance. When such a group fails, its units are loaded one by one, and only the one that fails does. Reading is limited
apart from that: `reading` admits as many units as the config allows, and units that wait for the warehouse do not count.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from dltsync_core.identity import TableName
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.load.verify import measure_loaded_units
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.warehouse.port import LoadRequest

MOST_UNITS = 32
"""Units of one group: one failure costs loading that many again."""
MOST_ROWS = 2_000_000
"""Rows of one group; a larger unit is a group of its own. A transaction keeps what it deletes until it ends."""
FEW_ROWS = 500_000
"""With fewer rows in it a group waits for more units. Its fixed cost is one reason. The other: DuckDB compresses row groups of
122,880 rows, and writes the last one anew each time that rows follow it; so many rows fill four for each that it writes twice."""
QUIET_SECONDS = 1.0
"""How long a group waits for the next unit; when none arrived for so long, units are large, and what is there comes in."""
_LOOK_EVERY_SECONDS = 0.2


@dataclass(eq=False)
class WaitingLoad:
    """One unit that is published. `requests` are its loads in order; `check` is called right before they come in and raises what
    forbids it (Fenced, Stopped). Belongs to the thread that made it until `GroupLoader.load`, and again after it."""

    resolved: ResolvedTable
    work: UnitWork
    requests: Sequence[LoadRequest]
    check: Callable[[], object]
    done: bool = field(default=False, init=False)
    error: Exception | None = field(default=None, init=False)

    def failed(self, error: Exception) -> None:
        """It is over, and the unit's own thread raises this."""
        self.error, self.done = error, True


class GroupLoader:
    """For one run. Thread-safe. `readers` units are read at a time, `readers_per_table` of one table."""

    def __init__(self, context: RunContext, *, readers: int, readers_per_table: int) -> None:
        self._context = context
        self._waiting: list[WaitingLoad] = []
        self._guard = threading.Lock()
        self._readers, self._readers_per_table = readers, readers_per_table
        self._reading: Counter[TableName] = Counter()
        self._free = threading.Condition()
        self._complete = threading.Condition(self._guard)
        self._coming: set[UnitWork] = set()
        self._last_arrival = 0.0

    @contextmanager
    def coming(self, works: Sequence[UnitWork]) -> Iterator[None]:
        """For the block, units that may arrive at `load` from other threads: those that wait there wait for them, within
        limits."""
        with self._guard:
            self._coming.update(works)
        try:
            yield
        finally:
            with self._guard:
                self._coming.difference_update(works)
                self._tell_when_complete()

    @contextmanager
    def reading(self, table: TableName) -> Iterator[None]:
        """For the block, one of the units that are read. Waits for its turn. Raises Stopped."""
        with self._free:
            while self._reading.total() >= self._readers or self._reading[table] >= self._readers_per_table:
                self._context.raise_if_stopped()
                self._free.wait(_LOOK_EVERY_SECONDS)
            self._reading[table] += 1
        try:
            yield
        finally:
            with self._free:
                self._reading[table] -= 1
                self._free.notify_all()

    def load(self, one: WaitingLoad) -> None:
        """Return when the unit is in the warehouse and was measured there (`UnitWork.found`). Raises what its own load
        raised: the failure of another unit of the group never shows here."""
        with self._guard:
            self._waiting.append(one)
            self._coming.discard(one.work)
            self._last_arrival = time.monotonic()
            self._tell_when_complete()
            self._wait_for_more(one)
        with self._context.warehouse_turn:
            if not one.done:
                self._bring_in(self._take(one))
        if one.error is not None:
            raise one.error

    def _wait_for_more(self, one: WaitingLoad) -> None:
        """Return when the group is complete, when no unit arrived for a while, or when another thread has taken `one`. The guard
        is held, and free while this waits."""
        while one in self._waiting and not self._is_complete():
            left = self._last_arrival + QUIET_SECONDS - time.monotonic()
            if left <= 0 or self._context.stop.is_set():
                return
            self._complete.wait(left)

    def _is_complete(self) -> bool:
        """Whether a group is worth its fixed cost, or no other unit can join it."""
        rows = sum(each.work.rows_to_load for each in self._waiting)
        return not self._coming or len(self._waiting) >= MOST_UNITS or rows >= FEW_ROWS

    def _tell_when_complete(self) -> None:
        if self._is_complete():
            self._complete.notify_all()

    def _take(self, one: WaitingLoad) -> list[WaitingLoad]:
        """`one`, and what waits besides as far as it fits."""
        with self._guard:
            group, rows = [one], one.work.rows_to_load
            for other in self._waiting:
                if other is one or len(group) >= MOST_UNITS or rows + other.work.rows_to_load > MOST_ROWS:
                    continue
                group.append(other)
                rows += other.work.rows_to_load
            self._waiting = [other for other in self._waiting if other not in group]
            self._complete.notify_all()
        return group

    def _bring_in(self, group: list[WaitingLoad]) -> None:
        try:
            with self._context.warehouse_opened():
                self._together_or_one_by_one(group)
        except Exception as error:  # noqa: BLE001 -- the warehouse did not open: each unit's own thread raises it
            for each in group:
                if not each.done:
                    each.failed(error)
        except BaseException:
            with self._guard:  # this thread ends; another one takes what it leaves
                self._waiting = [*(each for each in group[1:] if not each.done), *self._waiting]
            raise

    def _together_or_one_by_one(self, group: list[WaitingLoad]) -> None:
        ready = [each for each in group if _may_come_in(each)]
        if len(ready) > 1:
            try:
                self._load(ready)
                return
            except Exception as error:  # noqa: BLE001 -- which of them is to blame shows when each is alone
                # Not the error's text: a library's own may hold what must not be shown. The unit to blame says it by itself.
                log.warning(
                    "%d units could not be loaded together (%s): now one by one", len(ready), type(error).__name__
                )
            ready = [each for each in ready if _may_come_in(each)]
        for each in ready:
            try:
                self._load([each])
            except Exception as error:  # noqa: BLE001 -- the unit's own thread raises it
                each.failed(error)

    def _load(self, group: Sequence[WaitingLoad]) -> None:
        started = time.perf_counter()
        requests = [(each.work, request) for each in group for request in each.requests]
        loaded_requests = self._context.warehouse.load_group([request for _, request in requests])
        can_be_undone = {
            work for (work, _), entered in zip(requests, loaded_requests, strict=True) if entered.can_be_undone
        }
        for (work, _), entered in zip(requests, loaded_requests, strict=True):
            work.entered = replace(entered, can_be_undone=work in can_be_undone)  # by any load of the unit
        loaded = time.perf_counter()
        measure_loaded_units(self._context, [(each.resolved, each.work) for each in group])
        measured = time.perf_counter()
        for each in group:
            each.work.load_seconds += (loaded - started) / len(group)
            each.work.validate_seconds += (measured - loaded) / len(group)
            each.done = True


def _may_come_in(one: WaitingLoad) -> bool:
    try:
        one.check()
    except Exception as error:  # noqa: BLE001 -- the unit's own thread raises it
        one.failed(error)
        return False
    return True

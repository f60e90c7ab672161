"""Many units at once, within limits: so many in all, so many of one table. Stops cleanly when told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """Something to do for one `group` (a table)."""

    group: str
    work: Callable[[], T]


class _Floor:
    """Who is at work. Leaving the pool is not enough: an interrupt in the middle of `submit` loses a thread from its books."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._working = 0

    def do(self, task: Task[T]) -> T:
        with self._changed:
            if self._stop.is_set():
                raise CancelledError
            self._working += 1
        try:
            return task.work()
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing starts any more; returns when nothing runs."""
        with self._changed:
            self._stop.set()
            self._changed.wait_for(lambda: self._working == 0)


def run_tasks(tasks: Iterable[Task[T]], *, workers: int, per_group: int, stop: threading.Event) -> list[T]:
    """The tasks' results, in the tasks' order; at most `workers` run at a time and `per_group` of one group.

    All work happens in worker threads, so that an interrupt (Ctrl-C, Dagster's) never lands in the middle of a publish: it
    sets `stop`, waits for what is running, starts nothing more and is raised again. So is what a task raises.
    """
    waiting = list(enumerate(tasks))
    done: dict[int, T] = {}
    running: dict[Future[T], tuple[int, str]] = {}
    busy: Counter[str] = Counter()
    floor = _Floor(stop)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="dltsync") as pool:
        try:
            while waiting or running:
                while len(running) < workers and (chosen := _next(waiting, busy, per_group)) is not None:
                    index, task = waiting.pop(chosen)
                    busy[task.group] += 1
                    running[pool.submit(copy_context().run, floor.do, task)] = (index, task.group)  # facts of the log
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    index, group = running.pop(future)
                    busy[group] -= 1
                    done[index] = future.result()
        except BaseException:
            floor.close()
            raise
    return [done[index] for index in sorted(done)]


def _next(waiting: list[tuple[int, Task[T]]], busy: Counter[str], per_group: int) -> int | None:
    return next((i for i, (_, task) in enumerate(waiting) if busy[task.group] < per_group), None)

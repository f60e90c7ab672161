"""Many units at once, within limits: so many in all, so many of one table. Stops cleanly when told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """Something to do for one `group` (a table)."""

    group: str
    work: Callable[[], T]


def run_tasks(tasks: Iterable[Task[T]], *, workers: int, per_group: int, stop: threading.Event) -> list[T]:
    """The tasks' results, in the tasks' order; at most `workers` run at a time and `per_group` of one group.

    All work happens in worker threads, so that an interrupt (Ctrl-C, Dagster's) never lands in the middle of a publish: it
    sets `stop`, waits for what is running, starts nothing more and is raised again. So is what a task raises.
    """
    waiting = list(enumerate(tasks))
    done: dict[int, T] = {}
    running: dict[Future[T], tuple[int, str]] = {}
    busy: Counter[str] = Counter()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="dltsync") as pool:
        try:
            while waiting or running:
                while len(running) < workers and (chosen := _next(waiting, busy, per_group)) is not None:
                    index, task = waiting.pop(chosen)
                    busy[task.group] += 1
                    running[pool.submit(task.work)] = (index, task.group)
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    index, group = running.pop(future)
                    busy[group] -= 1
                    done[index] = future.result()
        except BaseException:  # the pool waits for what runs when the block is left; `stop` makes that soon
            stop.set()
            raise
    return [done[index] for index in sorted(done)]


def _next(waiting: list[tuple[int, Task[T]]], busy: Counter[str], per_group: int) -> int | None:
    return next((i for i, (_, task) in enumerate(waiting) if busy[task.group] < per_group), None)

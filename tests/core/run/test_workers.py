"""Threads within limits, results in order, and a clean end when somebody interrupts."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from dltsync_core.run.workers import Task, run_tasks


class Gauge:
    """How many were inside at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def test_limits_hold_in_all_and_for_each_group_and_results_keep_their_order() -> None:
    total, groups = Gauge(), {"a": Gauge(), "b": Gauge(), "c": Gauge()}

    def task(number: int, group: str) -> Task[int]:
        def work() -> int:
            with total, groups[group]:
                time.sleep(0.01)
            return number

        return Task(group, work)

    tasks = [task(i, "aaab"[i % 4]) for i in range(20)] + [task(20 + i, "c") for i in range(4)]
    assert run_tasks(tasks, workers=4, per_group=2, stop=threading.Event()) == list(range(24))
    assert total.most == 4
    assert groups["a"].most == groups["c"].most == 2


def test_one_worker_means_one_after_the_other() -> None:
    seen: list[int] = []
    tasks = [Task("t", lambda i=i: seen.append(i)) for i in range(5)]  # type: ignore[misc]
    run_tasks(tasks, workers=1, per_group=1, stop=threading.Event())
    assert seen == [0, 1, 2, 3, 4]


def test_an_interrupt_lets_running_work_end_and_starts_nothing_more() -> None:
    stop = threading.Event()
    done: list[str] = []

    def running() -> None:
        _thread.interrupt_main()
        assert stop.wait(60), "the work that runs is told to stop"
        done.append("ended in peace")

    tasks = [Task("t", running), *[Task("t", lambda: done.append("started late")) for _ in range(5)]]
    with pytest.raises(KeyboardInterrupt):
        run_tasks(tasks, workers=1, per_group=1, stop=stop)
    assert done == ["ended in peace"]


def test_an_error_of_a_task_is_raised_after_the_others_ended() -> None:
    stop = threading.Event()
    done: list[str] = []

    def fails() -> None:
        raise ValueError("no")

    def waits() -> None:
        stop.wait(60)
        done.append("ended")

    with pytest.raises(ValueError, match="no"):
        run_tasks([Task("a", waits), Task("b", fails)], workers=2, per_group=1, stop=stop)
    assert done == ["ended"]


def test_no_tasks_are_no_work() -> None:
    assert run_tasks([], workers=4, per_group=2, stop=threading.Event()) == []

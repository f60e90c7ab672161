"""A process that is killed at a chosen step of a publication, as often as one likes: `python -m tests.integration.lake.dying`.

One line of JSON in (where the lake is, the step, before or after it, at which of its calls), one line out: `killed`, or
`survived` when the step was never reached. Every publication is a child of its own, so that starting Python is paid for once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from dltsync_core.config import StateConfig
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.lake.storage.object_store import ObjectStorage
from tests.support.lake_loads import batch_of, facts_of, final_facts, next_fence

UNIT = "[2024-01-01,2024-02-01)"


def die_at(owner: Any, step: str, *, after: bool, call: int) -> None:
    """Replace a method so that the process ends before or after its `call`-th call (from 0)."""
    original: Callable[..., Any] = getattr(owner, step)
    calls = iter(range(10_000))

    def dying(*arguments: Any, **more: Any) -> Any:
        last = next(calls) == call
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = original(*arguments, **more)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, step, dying)


def publish_three_rows(lake: Lake) -> None:
    """One load of three files."""
    with lake.stage(facts_of("partition", UNIT, row_group_rows=1, max_file_bytes=1)) as load:
        for number in (1, 2, 3):
            load.write(batch_of([number]))
        staged = load.finish(final_facts(3))
    lake.publish(staged, fence=next_fence(lake, staged))


def publish_and_die(order: dict[str, Any]) -> None:
    """`store` steps are those of the lake's storage, `driver` steps those of the object store's driver beneath it."""
    lake = open_lake(StateConfig(**order["state"]), "shop")
    storage = lake._storage
    owner = storage._open()[0] if order["of"] == "driver" and isinstance(storage, ObjectStorage) else storage
    die_at(owner, order["step"], after=order["after"], call=order["call"])
    publish_three_rows(lake)


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            publish_and_die(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended = os.WTERMSIG(status) == signal.SIGKILL if os.WIFSIGNALED(status) else False
        print("killed" if ended else "survived" if os.WEXITSTATUS(status) == 0 else "failed", flush=True)


if __name__ == "__main__":
    main()

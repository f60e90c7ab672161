"""One attempt at running a pipeline, in a process that may be told to die at a checkpoint; and what it reports if it lives.

Both are plain JSON, because they travel between processes. The production code knows nothing of this: the handler is installed
here, by `checkpoints.watched`.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from dltsync_core import checkpoints
from dltsync_core.config import PipelineConfig
from dltsync_core.connect.data import Rows
from dltsync_core.errors import SyncError
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline

How = Literal["kill", "interrupt", "kill while another works"]

OTHER_WITHIN = 30.0
"""How long a worker waits for a second one to be in flight before it gives up waiting, and kills."""


@dataclass(frozen=True)
class Stop:
    """Where the process ends: at the `occurrence`-th time that `step` is reached."""

    step: str
    occurrence: int = 1
    how: How = "kill"

    def __str__(self) -> str:
        return f"{self.step}#{self.occurrence}"


@dataclass(frozen=True)
class Attempt:
    """`runs` are the arguments of `pipeline.run`, one after another in the same process; `report` is where they are told of."""

    config: Mapping[str, Any]
    report: str
    runs: tuple[Mapping[str, Any], ...] = ({},)
    stop: Stop | None = None

    def as_payload(self) -> dict[str, Any]:
        return asdict(self)


def attempt_from(payload: Mapping[str, Any]) -> Attempt:
    stop = payload["stop"]
    return Attempt(**{**payload, "stop": Stop(**stop) if stop else None})


@dataclass
class Watch:
    """What happens at checkpoints: everything is written down, and at one of them the process ends."""

    stop: Stop | None = None
    trace: list[str] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)
    _working: dict[int, str] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, step: str) -> None:
        with self._changed:
            self.trace.append(step)
            self._seen[step] += 1
            self._working[threading.get_ident()] = step
            self._changed.notify_all()
            if self.stop is None or (step, self._seen[step]) != (self.stop.step, self.stop.occurrence):
                return
            if self.stop.how == "kill while another works":
                self._changed.wait_for(self._another_works, OTHER_WITHIN)
        if self.stop.how == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def _another_works(self) -> bool:
        """Whether another thread is between the plan of a unit and its commit."""
        inside = set(checkpoints.ALL) - {checkpoints.COMMITTED, checkpoints.BACKING_UP, checkpoints.LEDGER_WRITTEN}
        return any(step in inside for thread, step in self._working.items() if thread != threading.get_ident())


class Wire:
    """Counts the rows of the source that the driver hands over, beside everything that the project counts itself. A SQL Server
    warehouse is read by the same driver: its rows are not the source's, and the statement's purpose tells them apart."""

    def __init__(self) -> None:
        self.rows = 0
        self._lock = threading.Lock()
        self._next_batch = Rows.next_batch

    def __enter__(self) -> Wire:
        def listening(rows: Rows, size: int) -> pa.RecordBatch | None:
            batch = self._next_batch(rows, size)
            if batch is not None and not rows._doing.endswith(" in the warehouse"):
                with self._lock:
                    self.rows += batch.num_rows
            return batch

        Rows.next_batch = listening  # type: ignore[method-assign, assignment]  # a process of its own, which ends after this
        return self

    def __exit__(self, *_: object) -> None:
        Rows.next_batch = self._next_batch  # type: ignore[method-assign]

    def taken(self) -> int:
        """Rows since the last time this was asked."""
        with self._lock:
            rows, self.rows = self.rows, 0
        return rows


def perform(payload: Mapping[str, Any]) -> None:
    """Run, and tell of it. Does not return when it is told to die."""
    attempt = attempt_from(payload)
    watch, told = Watch(attempt.stop), []
    error: str | None = None
    with ExitStack() as stack:
        stack.enter_context(checkpoints.watched(watch))
        wire = stack.enter_context(Wire())
        pipeline = stack.enter_context(IncrementalSQLServerParquetPipeline(PipelineConfig(**attempt.config)))
        try:
            for arguments in attempt.runs:
                result = pipeline.run(**arguments)
                told.append({"result": result.as_dict(), "wire_rows": wire.taken()})
        except (SyncError, KeyboardInterrupt) as problem:
            error = f"{type(problem).__name__}: {problem}"
    report = {"trace": watch.trace, "runs": told, "error": error}
    Path(attempt.report).write_text(json.dumps(report, default=str), encoding="utf-8")

"""What a forked process does to be `dltsync`."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Mapping
from typing import Any

from dltsync_core import checkpoints
from dltsync_core.cli import main


def call(payload: Mapping[str, Any]) -> None:
    """`dltsync` with `arguments`. Optional: `file_limit` (bytes no file may grow beyond: a full disk), `stop` (a checkpoint) with
    `signal`, which the process then gets."""
    limit = payload.get("file_limit")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    reached: list[str] = []

    def handler(step: str) -> None:
        reached.append(step)
        if step == payload.get("stop") and reached.count(step) == 1:
            os.kill(os.getpid(), getattr(signal, payload["signal"]))

    with checkpoints.watched(handler):
        main(payload["arguments"])

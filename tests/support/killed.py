"""A process that is killed at a checkpoint: played within this one, or for a fork in earnest."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


class Killed(BaseException):
    """As SIGKILL: no Exception, so that nothing cleans up after it (but for private staging files)."""


def kill_at(name: str, *, time: int = 1) -> Callable[[str], None]:
    """A handler for `checkpoints.watched`: raises Killed when the checkpoint is reached for the nth time, and never again."""
    left = [time]

    def handler(reached: str) -> None:
        if reached == name:
            left[0] -= 1
            if not left[0]:
                raise Killed

    return handler


def die_at(name: str, *, time: int = 1) -> Callable[[str], None]:
    """The same for the work of a fork, whose process ends there by SIGKILL."""
    kill = kill_at(name, time=time)

    def handler(reached: str) -> None:
        try:
            kill(reached)
        except Killed:
            os.kill(os.getpid(), signal.SIGKILL)

    return handler

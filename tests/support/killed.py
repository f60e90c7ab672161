"""A process that is killed at a checkpoint, played within this one."""

from __future__ import annotations

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

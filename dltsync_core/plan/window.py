"""Where an increment begins: the committed watermark less the lag."""

from __future__ import annotations

from dltsync_core.plan.scd import Window
from dltsync_core.watermark import is_rowversion, lowered, position

SHORTEST_LAG_SECONDS = 1
"""Rows that share the watermark's own stamp are read again even without a lag: some of them may have been committed later."""


def window_after(committed: str | None, highest: str | None, *, type_name: str, lag_seconds: int) -> Window:
    """The window above a committed watermark, given the highest position the source has now.

    `type_name` is the column's type: the low end is a value of it, and never a later one than asked for. A rowversion (0x…)
    is not lowered: none can come late below MIN_ACTIVE_ROWVERSION(). Raises ValueError for text that is no watermark.
    """
    if committed is None:
        return Window(None)
    regressed = highest is None or position(highest) < position(committed)
    if is_rowversion(committed):
        return Window(committed, regressed)
    seconds = max(lag_seconds, SHORTEST_LAG_SECONDS)
    return Window(lowered(committed, type_name=type_name, seconds=seconds), regressed)

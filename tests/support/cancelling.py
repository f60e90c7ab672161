"""Cancelling from another thread what a test waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN_AFTER_SECONDS = 5.0


@contextmanager
def cancelled_after(seconds: float, cancel: Callable[[], object]) -> Iterator[None]:
    """Call `cancel` so long after the block began, and again until it ends: the first may come before there is what to cancel.

    Leaving waits for the call under way. A driver that frees a statement, or closes its connection, while another thread is
    still inside SQLCancel takes the whole process down (seen with unixODBC 2.3.11 on a busy machine).
    """
    over = threading.Event()

    def calling() -> None:
        wait = seconds
        while not over.wait(wait):
            cancel()
            wait = AGAIN_AFTER_SECONDS

    thread = threading.Thread(target=calling, name="cancelling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

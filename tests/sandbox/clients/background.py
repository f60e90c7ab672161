"""A call that is expected to wait for another session, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """A call in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._outcome: object = None
        self._error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's own thread
            self._error = error

    def is_waiting(self) -> bool:
        """Whether it has not ended soon. What it saw when it ends says again whether it waited."""
        self._thread.join(0.1)
        return self._thread.is_alive()

    def result(self) -> object:
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._outcome

"""A time limit for a call into a driver that has none.

Under `Encrypt=strict` Microsoft's driver waits for the server's side of TLS without end, whatever its login time-out is
(measured with 18.6: a port that accepts connections and sends nothing blocks it for ever).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dltsync_core.connect.native_exit import skip_native_exit

GRACE_SECONDS = 2.0
"""Seconds beyond the driver's own time-out, so that the driver can report the cause itself."""


def within(seconds: float, connect: Callable[[], Any]) -> Any:
    """The connection that `connect` opens. Raises what it raises, and TimeoutError when it does not return in time: its thread
    is then abandoned, and closes the connection if it opens one later."""
    turn = threading.Lock()
    opened: list[Any] = []
    failures: list[BaseException] = []
    given_up = False

    def work() -> None:
        try:
            connection = connect()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            failures.append(error)
            return
        with turn:
            if not given_up:
                opened.append(connection)
                return
        connection.close()

    thread = threading.Thread(target=work, name="dltsync-connect", daemon=True)
    thread.start()
    thread.join(seconds)
    with turn:
        given_up = not opened and not failures
    if failures:
        raise failures[0]
    if given_up:
        skip_native_exit()
        raise TimeoutError(f"Login timeout expired: no answer within {seconds:g} seconds")
    return opened[0]

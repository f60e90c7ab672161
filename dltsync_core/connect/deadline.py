"""A limit for a call into a driver that knows none, and the end of a process in which a thread is still caught in one.

Under `Encrypt=strict` Microsoft's driver waits for the server's side of TLS without end, whatever its login time-out is
(measured with 18.6: a port that accepts connections and sends nothing blocks it for ever).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from dltsync_core.display import number_of

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
        raise TimeoutError(f"Login timeout expired: no answer within {number_of(seconds, 'second')}")
    return opened[0]


@cache
def skip_native_exit() -> None:
    """From now on the process is over, with its own exit status, as soon as the interpreter has ended (flushed its output and
    called `atexit`). Where the C library has no `on_exit` (only glibc has) the end stays as it is.

    For a process in which a thread is caught in the driver. The interpreter ends well beside such a thread. The C library's own
    way out does not: it frees what the native part of mssql-python holds, which waits for the statement that hangs (two minutes,
    measured with 1.16), and when that one returns to an interpreter that is gone the process is aborted. A run whose work is
    committed would end with a crash."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    on_exit = getattr(library, "on_exit", None)
    if on_exit is not None:
        on_exit(ctypes.cast(library._exit, ctypes.c_void_p), None)

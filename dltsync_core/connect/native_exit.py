"""The end of a process in which a thread is still caught in the driver.

The interpreter ends well beside such a thread. The C library's own way out does not: it frees what the native part of
mssql-python holds, which waits for the statement that hangs (two minutes, measured with 1.16), and when that one returns to an
interpreter that is gone the process is aborted. A run whose work is long committed would end with a crash.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache


@cache
def skip_native_exit() -> None:
    """From now on the process is over, with its own exit status, as soon as the interpreter has ended (flushed its output and
    called `atexit`). Where the C library cannot be told so (only glibc can) the end stays as it is."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    on_exit = getattr(library, "on_exit", None)
    if on_exit is not None:
        on_exit(ctypes.cast(library._exit, ctypes.c_void_p), None)

"""The end of a process in which a thread is still blocked in the driver.

The interpreter ends well beside such a thread. The C library's exit does not: it frees the memory of the native part of
mssql-python, which waits for the hanging statement (two minutes, measured with 1.16); when that statement returns to an
interpreter that no longer exists, the process aborts. A run that committed all its work would end with a crash.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache


@cache
def skip_native_exit() -> None:
    """From now on the process exits, with its own exit status, as soon as the interpreter has ended (flushed its output and
    called `atexit`). This needs glibc; with another C library the exit is unchanged."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    on_exit = getattr(library, "on_exit", None)
    if on_exit is not None:
        on_exit(ctypes.cast(library._exit, ctypes.c_void_p), None)

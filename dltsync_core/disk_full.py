"""The only place that recognises a full disk: the operating system's numbers, and the words of DuckDB, SQLite and PostgreSQL."""

from __future__ import annotations

import errno
import sqlite3

from dltsync_core.errors import DiskFull

_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""EFBIG: this process may not write files that large (`ulimit -f`)."""

_WORDS = ("no space left", "disk quota", "file too large", "failed to offload")
"""What DuckDB's errors say, which carry no number. The last one: its temporary directory is full, or as large as it may be."""

_SQLITE_FAILED_WRITES = (778, 1034, 1290, 1546, 4874)
"""SQLITE_IOERR_WRITE, _FSYNC, _DIR_FSYNC, _TRUNCATE and _SHMSIZE (https://sqlite.org/rescode.html)."""

_POSTGRESQL = "53100"
"""SQLSTATE disk_full."""


def is_disk_full(error: BaseException, *, sqlstate: str | None = None) -> bool:
    """Whether an error says that there was no room, or that a file may not grow any more. `sqlstate` is the server's, if any."""
    text = str(error).casefold()
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NUMBERS
    if isinstance(error, sqlite3.Error):
        # SQLite calls a disk full when its file system has no room. A quota or a limit of a file's size is an I/O error to it, as
        # is a disk that fails.
        if "disk i/o error" in text:
            return getattr(error, "sqlite_errorcode", None) in (None, *_SQLITE_FAILED_WRITES)  # Python 3.10 has none
        return "full" in text
    if sqlstate is not None:
        return sqlstate == _POSTGRESQL
    return any(words in text for words in _WORDS)


def disk_full(where: str, error: object = "", *, move: str = "", outcome: str = "", **facts: object) -> DiskFull:
    """The error to raise. `where` completes "no room left …"; `move` names what can be moved to a larger disk instead; `outcome`
    says what is true of the data now."""
    instead = f" or {move}" if move else ""
    return DiskFull(
        f"no room left {where}" + (f": {error}" if str(error) else ""),
        remedy=f"free some space (or raise the quota){instead}, then run again" + (f"; {outcome}" if outcome else ""),
        **facts,
    )

"""A log file that many threads and processes write to at once: whole lines only, rotated by size.

Every line is one write to a file that was opened for appending, so lines of several processes never mix. The process that finds
the file full renames it (`run.log` becomes `run.log.1`, that one `run.log.2`, and so on) under a lock; the others see at their
next line that the name leads to another file, and open that.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dltsync_core.errors import NotWritable

LOCK_SECONDS = 1.0
"""How long a line waits for another process that renames the files. Then the line is written and the next one renames."""


class SharedLogFile(logging.Handler):
    """Appends each record as one line, whatever other processes do. The file and its directories are their owner's alone.

    A file of more than `max_bytes` is renamed before the next line; `backups` renamed ones are left. A line that cannot be
    written (a full disk) is reported on stderr once, and never stops the caller. Raises NotWritable when the file cannot
    be opened.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__()
        self.path, self._max_bytes, self._backups = path, max_bytes, backups
        self._reported = False
        try:
            make_private(path)
            self._file = _opened(path)
        except OSError as problem:
            raise NotWritable(
                f"The log file {path} cannot be opened: {problem.strerror}.",
                remedy="Choose another log_file, or give this user the right to write there.",
                path=str(path),
            ) from problem

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record. Called by `logging` under the handler's own lock."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", errors="backslashreplace")
            self._follow()
            if os.fstat(self._file).st_size + len(line) > self._max_bytes:
                self._rotate(len(line))
            _write(self._file, line)
        except OSError as problem:
            if not self._reported:
                self._reported = True
                sys.stderr.write(f"The log file {self.path} cannot be written: {problem.strerror}. The run goes on.\n")
        except Exception:  # noqa: BLE001 -- logging's own rule: a record that cannot be formatted stops nothing
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        self.acquire()
        try:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        finally:
            self.release()
        super().close()

    def _follow(self) -> None:
        """Open the file anew when another process renamed or removed it."""
        try:
            same = os.path.samestat(self.path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            same = False
        if not same:
            make_private(self.path)
            opened = _opened(self.path)
            os.close(self._file)
            self._file = opened

    def _rotate(self, more: int) -> None:
        """Rename the files, unless another process did it meanwhile. Where open files cannot be renamed the file only grows."""
        try:
            with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600):
                self._follow()
                size = os.fstat(self._file).st_size
                if not size or size + more <= self._max_bytes:
                    return
                for number in range(self._backups - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        self._backup(number).replace(self._backup(number + 1))
                if self._backups:
                    self.path.replace(self._backup(1))
                else:
                    self.path.unlink()
                self._follow()
        except (Timeout, PermissionError):
            return

    def _backup(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def make_private(path: Path) -> None:
    """Create the file, and the directories above it that are missing, for their owner alone. Existing ones are unchanged."""
    missing = [directory for directory in path.parents if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))


def replace_whole(path: Path, text: str) -> None:
    """Write a file that readers see whole: the old one or the new one. It is its owner's alone. Raises OSError."""
    private = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        private.touch(mode=0o600)
        private.write_text(text, encoding="utf-8", errors="backslashreplace")
        private.replace(path)
    finally:
        private.unlink(missing_ok=True)


def _opened(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)


def _write(file: int, line: bytes) -> None:
    """One write for the whole line; the rest of it where the operating system took less."""
    while line:
        line = line[os.write(file, line) :]

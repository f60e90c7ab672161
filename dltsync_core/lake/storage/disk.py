"""What the operating system's refusals mean, and the few ways in which we touch a disk.

Directories are made for the owner and the group only, files likewise: a lake holds copies of production rows.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import LakeError, NotWritable, SyncError

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640

_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
_READ_SIZE = 1024 * 1024


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Run a block that touches `path`; an OSError leaves as DiskFull, NotWritable or LakeError that names it."""
    try:
        yield
    except OSError as error:
        raise explain(error, path, doing) from error


def explain(error: OSError, path: Path, doing: str) -> SyncError:
    """Our error for the operating system's. `doing` completes the sentence "… while <doing> <path>"."""
    if is_disk_full(error):
        return disk_full(
            f"on the disk while {doing} {path}{_free_at(path)}",
            move="move the lake, state or warehouse to a larger disk",
            outcome="nothing was published and the unfinished files have been removed",
            path=str(path),
        )
    if error.errno in _IN_THE_WAY:
        return NotWritable(
            f"something else stands in the way while {doing} {path}: {error.strerror}",
            remedy="a file stands where a directory is needed, or a directory where a file is: move it away, or configure "
            "another path",
            path=str(path),
        )
    if error.errno == errno.ENAMETOOLONG:
        return NotWritable(
            f"the path is too long for this file system while {doing} {path}",
            remedy="configure a directory with a shorter path",
            path=str(path),
        )
    if error.errno in _REFUSED:
        return NotWritable(
            f"permission or file system refused while {doing} {path}: {error.strerror}",
            remedy="make the directory writable for this user, or configure another one",
            path=str(path),
        )
    return LakeError(f"the file system failed while {doing} {path}: {error}", path=str(path))


def _free_at(path: Path) -> str:
    """How much room there is, if the disk still answers."""
    for place in (path, *path.parents):
        try:
            return f" ({shutil.disk_usage(place).free / 1e6:.1f} MB free)"
        except OSError:  # the file itself may be gone already: ask its parent
            continue
    return ""


_RACES = 20
"""How often a directory is made anew that somebody else finds empty and removes at the same moment."""


def make_directory(path: Path) -> None:
    """The directory and its parents; those that did not exist are closed to others."""
    for attempt in range(_RACES):
        missing = [path]
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        with explained(missing[0], "creating the directory"):
            try:
                for directory in reversed(missing):
                    directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
                return
            except FileNotFoundError:
                if attempt + 1 == _RACES:
                    raise


def rename_into(source: Path, target: Path, doing: str) -> bool:
    """Give a file another name, in a directory that is made when it is not there. Durable. False: there is no such file."""
    for attempt in range(_RACES):
        make_directory(target.parent)
        with explained(target, doing):
            try:
                source.replace(target)
            except FileNotFoundError:
                if not source.exists():
                    return False
                if attempt + 1 == _RACES:
                    raise
            else:
                break
    sync_directory(target.parent, may_be_gone=True)
    return True


def create_file(path: Path) -> None:
    """An empty file that nobody but owner and group can read. It must not exist yet."""
    with explained(path, "creating"):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


def sync_file(path: Path) -> None:
    """Do not return before the file's bytes are on the disk."""
    with explained(path, "writing"):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_directory(path: Path, *, may_be_gone: bool = False) -> None:
    """Do not return before the directory's names are on the disk. Windows keeps no such promise and needs none. `may_be_gone`:
    another process that found the directory's last file superseded may have removed both, and nothing is left to write."""
    if os.name == "nt":
        return
    with explained(path, "writing the directory"):
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        except FileNotFoundError:
            if may_be_gone:
                return
            raise
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a directory of ours with what is in it. Gone already is fine."""
    with explained(path, "removing"):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in small pieces."""
    digest = hashlib.sha256()
    with explained(path, "reading"), path.open("rb") as file:
        while piece := file.read(_READ_SIZE):
            digest.update(piece)
    return digest.hexdigest()


class HashedFile(io.RawIOBase):
    """A file whose SHA-256 is computed from what is handed to it, so that what the disk made of it can be compared."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        self._digest.update(rest)
        while rest:  # an unbuffered write may take less than it was given
            rest = rest[self._file.write(rest) or 0 :]
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

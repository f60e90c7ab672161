"""Copies of published files on this machine, for an object store's lake: each checked against its checksum, bounded, dispensable.

A file is known by its SHA-256, so a copy can be missing or wrong but never stale. Who borrows one gets a link of his own:
the copy may be dropped meanwhile, by this process or another one, and the borrower does not notice.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dltsync_core.clock import utc_now
from dltsync_core.lake.file_errors import changed
from dltsync_core.lake.manifest import ManifestFile
from dltsync_core.lake.storage.directory_lock import DirectoryLock, is_abandoned
from dltsync_core.lake.storage.disk import explained, make_directory, remove_tree, sha256_of


class LakeCache:
    """Below `directory`, at most `limit` bytes that nobody has borrowed. Thread-safe, and safe across processes."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._borrowed: Path | None = None
        self._directory_lock: DirectoryLock | None = None
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(
        self, file: ManifestFile, fetch: Callable[[Path], None], *, checked: bool, address: str
    ) -> Iterator[Path]:
        """A file whose content is the manifest's, for the block. `fetch` writes it to a path when there is no copy.

        What was fetched is always hashed; a copy that lies here already is hashed again when `checked`. Raises LakeError
        when what was fetched is not what the manifest names, DiskFull, and what `fetch` raises.
        """
        place = self._borrowers_directory() / uuid.uuid4().hex
        make_directory(place)
        link = place / Path(file.path).name
        try:
            if not self._link_copy(file, link, checked=checked):
                self._fetch(file, link, fetch, address)
            yield link
        finally:
            with suppress(OSError):  # dropped with the process's directory at the latest
                shutil.rmtree(place)
            self.shrink()

    def adopt(self, path: Path, sha256: str) -> None:
        """Take over a file of that content, so that it need not be fetched. The path is gone afterwards."""
        make_directory(self._directory)
        with explained(path, "keeping"):
            path.replace(self._copy(sha256))
        self.shrink()

    def shrink(self) -> None:
        """Drop the copies that were not used for longest, until the rest is within the limit."""
        copies = []
        for path in self._directory.glob("*.parquet"):
            with suppress(FileNotFoundError):  # another process dropped it
                copies.append((path.stat().st_mtime, path.stat().st_size, path))
        held = sum(size for _, size, _ in copies)
        for _, size, path in sorted(copies):
            if held <= self._limit:
                return
            path.unlink(missing_ok=True)
            held -= size

    def sweep(self) -> None:
        """Remove what processes left behind that ended without a word."""
        for directory in self._directory.glob("borrowed/*"):
            if directory != self._borrowed and is_abandoned(directory, utc_now()):
                remove_tree(directory)

    def close(self) -> None:
        """Give back what this process borrowed."""
        if self._directory_lock is not None and self._borrowed is not None:
            self._directory_lock.release()
            remove_tree(self._borrowed)
            self._directory_lock = self._borrowed = None

    def _link_copy(self, file: ManifestFile, link: Path, *, checked: bool) -> bool:
        copy = self._copy(file.sha256)
        try:
            _link(copy, link)
            os.utime(copy)
        except FileNotFoundError:
            link.unlink(missing_ok=True)
            return False
        if link.stat().st_size == file.bytes and not (checked and sha256_of(link) != file.sha256):
            return True
        copy.unlink(missing_ok=True)
        link.unlink()
        return False

    def _fetch(self, file: ManifestFile, link: Path, fetch: Callable[[Path], None], address: str) -> None:
        with explained(link, "fetching"):
            fetch(link)
        if sha256_of(link) != file.sha256:
            raise changed(address)
        with suppress(OSError):  # a copy is a convenience
            _link(link, self._copy(file.sha256))

    def _copy(self, sha256: str) -> Path:
        return self._directory / f"{sha256}.parquet"

    def _borrowers_directory(self) -> Path:
        with self._lock:
            if self._borrowed is None:
                directory = self._directory / "borrowed" / uuid.uuid4().hex
                make_directory(directory)
                self._directory_lock = DirectoryLock(directory)
                self._borrowed = directory
            return self._borrowed


def _link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where the file system knows no second names."""
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        shutil.copyfile(source, target)

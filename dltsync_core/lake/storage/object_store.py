"""A prefix of an object store as a lake: S3, Azure, Google, through fsspec.

There is no rename. Staging is a directory of this machine, a file is uploaded under its public name and read back once, and
the manifest is created under the condition that it is not there, where the store knows such a condition. A store shows an
object whole or not at all, so a stop in the middle of an upload shows nothing.
"""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dltsync_core.config.lake_location import OBJECT_STORES, scheme_of
from dltsync_core.errors import LakeError
from dltsync_core.lake.file_errors import already_there, changed, metadata_of, missing
from dltsync_core.lake.load import StagedFile
from dltsync_core.lake.manifest import ManifestFile
from dltsync_core.lake.storage.cache import LakeCache
from dltsync_core.lake.storage.disk import explained, make_directory
from dltsync_core.lake.storage.object_drivers import DRIVERS, PART_BYTES
from dltsync_core.lake.storage.object_errors import explained_store
from dltsync_core.lake.storage.port import staged_below


class ObjectStorage:
    """The lake below `url`, with staging and cache below `work` on this machine. No request before the first use."""

    keeps_whole = True

    def __init__(self, url: str, options: Mapping[str, Any], *, work: Path, cache_bytes: int) -> None:
        self._url = url
        self._options = dict(options)
        self._driver = DRIVERS[OBJECT_STORES[scheme_of(url) or ""]]
        self._work = work
        self._cache = LakeCache(work / "cache", cache_bytes)
        self._opened: tuple[Any, str] | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"ObjectStorage({self._url!r})"

    def address(self, key: str) -> str:
        return f"{self._url}/{key}".rstrip("/")

    def staging_directory(self, key: str) -> Path:
        directory = self._work / key
        make_directory(directory.parent)
        with explained(directory, "creating the directory"):
            directory.mkdir(mode=0o700)
        return directory

    def staged_directories(self) -> Sequence[Path]:
        self._cache.sweep()
        return staged_below(self._work)

    def take_in(self, staged: StagedFile, key: str) -> None:
        with self._talking("uploading", key) as (files, root):
            try:
                files.put_file(str(staged.path), f"{root}/{key}", **self._driver.upload)
            except FileNotFoundError:
                # Also "no such upload": its completion was carried out, its answer lost, and the driver asked once more.
                if not files.exists(f"{root}/{key}"):
                    raise
        if self._sha256(key) != staged.sha256:
            raise changed(self.address(key))

    def settle(self, staged: Sequence[StagedFile]) -> None:
        """Kept in the cache: the warehouse is loaded from them next."""
        for file in staged:
            self._cache.adopt(file.path, file.sha256)

    def put(self, key: str, content: bytes) -> None:
        with self._talking("creating", key) as (files, root):
            try:
                files.pipe_file(f"{root}/{key}", content, **self._driver.create)
            except (
                Exception
            ) as error:  # what stays unexplained is raised again; Azure's and Google's errors are no OSErrors
                # There already, or no answer to a request that was carried out: what is there decides. A store that knows
                # no conditions says so (501), and nothing is there.
                found = self.read(key)
                if found is None and getattr(error, "errno", None) != errno.ENOSYS:
                    raise
                if found is None:
                    files.pipe_file(f"{root}/{key}", content)
                elif found != content:
                    raise already_there(self.address(key)) from None

    def read(self, key: str) -> bytes | None:
        return self._contents([key]).get(key)

    def read_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._contents(keys)

    def _contents(self, keys: Sequence[str]) -> dict[str, bytes]:
        if not keys:
            return {}
        with self._talking("reading", keys[0]) as (files, root):
            paths = {f"{root}/{key}": key for key in keys}
            found: Mapping[str, bytes | Exception] = files.cat(list(paths), recursive=False, on_error="return")
            contents: dict[str, bytes] = {}
            for path, content in found.items():
                if isinstance(content, bytes):
                    contents[paths[path]] = content
                elif not isinstance(content, FileNotFoundError):
                    raise content
        return contents

    def list(self, prefix: str) -> list[str]:
        return sorted(self.sizes(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        with self._talking("listing", prefix) as (files, root):
            found = files.find(f"{root}/{prefix}".rstrip("/"), detail=True)
            return {
                path[len(root) + 1 :]: facts["size"]
                for path, facts in sorted(found.items())
                if facts["type"] == "file" and not path.endswith("/")
            }

    def placed_at(self, key: str) -> datetime | None:
        with self._talking("reading", key) as (files, root):
            try:
                modified: datetime = files.modified(f"{root}/{key}")
            except FileNotFoundError:
                return None
        return modified if modified.tzinfo is not None else modified.replace(tzinfo=timezone.utc)

    def move(self, source: str, target: str) -> None:
        """A copy within the store, then the removal. A stop in between shows both: the next publication removes the first."""
        with self._talking("moving", source) as (files, root):
            try:
                self._driver.copy(files, f"{root}/{source}", f"{root}/{target}")
            except FileNotFoundError:
                return
        self.delete(source)

    def delete(self, key: str) -> None:
        with self._talking("removing", key) as (files, root):
            try:
                files.rm_file(f"{root}/{key}")
            except FileNotFoundError:
                return

    @contextmanager
    def local_file(self, file: ManifestFile, *, checked: bool) -> Iterator[Path]:
        def fetch(target: Path) -> None:
            with self._reading(file.path) as remote, explained(target, "fetching"), target.open("wb") as local:
                while part := remote.read(PART_BYTES):
                    local.write(part)

        with self._cache.borrowed(file, fetch, checked=checked, address=self.address(file.path)) as path:
            yield path

    def metadata(self, key: str) -> pq.FileMetaData:
        with self._reading(key) as remote:
            return metadata_of(remote, self.address(key))

    def _sha256(self, key: str) -> str:
        """Of what the store holds: it is read back, since stores differ in which checksums they keep."""
        digest = hashlib.sha256()
        with self._reading(key) as remote:
            while part := remote.read(PART_BYTES):
                digest.update(part)
        return digest.hexdigest()

    @contextmanager
    def _reading(self, key: str) -> Iterator[Any]:
        with self._talking("reading", key) as (files, root):
            try:
                remote = files.open(f"{root}/{key}", "rb", block_size=PART_BYTES, cache_type="readahead")
            except FileNotFoundError:
                raise missing(self.address(key)) from None
            with remote:
                yield remote

    @contextmanager
    def _talking(self, doing: str, key: str) -> Iterator[tuple[Any, str]]:
        """The driver and the root within it. Whatever it raises in the block is ours afterwards."""
        with explained_store(self.address(key), doing, self._options):
            yield self._open()

    def _open(self) -> tuple[Any, str]:
        with self._opening:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened

    def _connect(self) -> tuple[Any, str]:
        files, root, seen = self._driver.connect(self._url, self._options)
        if not seen:
            raise LakeError(
                f"there is no bucket or container {root.partition('/')[0]!r}, or these credentials may not see it ({self._url})",
                remedy="create it, or correct state.parquet_directory; dltsync creates prefixes, never buckets",
                url=self._url,
            )
        return files, root

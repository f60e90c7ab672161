"""Where published files live. One small interface, so that every kind of store is published to by one algorithm.

Keys are relative to the lake of one pipeline, with forward slashes. Implementations: `LocalStorage` here, and
`object_storage.ObjectStorage`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from dltsync_core.lake import paths
from dltsync_core.lake.file_errors import already_there, changed, metadata_of, missing
from dltsync_core.lake.load import StagedFile
from dltsync_core.lake.manifest import ManifestFile
from dltsync_core.lake.storage.disk import (
    FILE_MODE,
    explained,
    make_directory,
    rename_into,
    sha256_of,
    sync_directory,
    sync_file,
)


class LakeStorage(Protocol):
    """What publishing and reading need. Every step is durable when it returns.

    `keeps_whole`: a stored file is there as it was written, or not at all.
    """

    keeps_whole: bool

    def address(self, key: str) -> str:
        """How a person names the object: an absolute path or a URL."""

    def staging_directory(self, key: str) -> Path:
        """A local directory, created, whose files `take_in` accepts."""

    def staged_directories(self) -> Sequence[Path]:
        """All staging directories of this machine (or of a disk that it shares)."""

    def take_in(self, staged: StagedFile, key: str) -> None:
        """Make a finished local file visible under `key`, whole or not at all; what arrived is what was staged."""

    def settle(self, staged: Sequence[StagedFile]) -> None:
        """The load of these files is published: what is left of them on this machine may be kept or dropped."""

    def put(self, key: str, content: bytes) -> None:
        """Create a small object, whole or not at all. It must not exist; with the same content it may."""

    def read(self, key: str) -> bytes | None:
        """The content, or None when there is no such object."""

    def read_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The contents of small objects; those that are gone are left out."""

    def list(self, prefix: str) -> list[str]:
        """Keys below `prefix`, at any depth, sorted."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """The same keys with their bytes."""

    def placed_at(self, key: str) -> datetime | None:
        """When the object got this key, by the store's clock; None when there is no such object."""

    def move(self, source: str, target: str) -> None:
        """Give an object another key. An object that is gone already is no error: a crash may have moved it."""

    def delete(self, key: str) -> None:
        """Remove an object; gone already is fine."""

    def local_file(self, file: ManifestFile, *, checked: bool) -> AbstractContextManager[Path]:
        """The file on this machine's disk, for the block. `checked`: its SHA-256 is the manifest's, now; otherwise it was
        so when it came here. Raises LakeError when it is missing or another one."""

    def metadata(self, key: str) -> pq.FileMetaData:
        """What a Parquet file says at its end, without reading the rest. Raises LakeError when it is missing or torn."""


def _unless_gone(error: OSError) -> None:
    """A directory that was never there, or was removed since it was seen, has no files; one that cannot be read is an error."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


class LocalStorage:
    """A directory on a local disk (or anything mounted as one)."""

    keeps_whole = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, key: str) -> str:
        return str((self._root / key).absolute())

    def staging_directory(self, key: str) -> Path:
        directory = self._root / key
        make_directory(directory.parent)
        with explained(directory, "creating the directory"):
            directory.mkdir(mode=0o700)
        return directory

    def staged_directories(self) -> Sequence[Path]:
        return staged_below(self._root)

    def take_in(self, staged: StagedFile, key: str) -> None:
        if not rename_into(staged.path, self._root / key, "publishing"):
            raise missing(str(staged.path))

    def settle(self, staged: Sequence[StagedFile]) -> None:
        """They have been moved: nothing is left."""

    def put(self, key: str, content: bytes) -> None:
        target = self._root / key
        make_directory(target.parent)
        private = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            with explained(target, "writing"):
                descriptor = os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
            sync_file(private)
            with explained(target, "publishing"):
                new = _name_once(private, target)
            if not new and self.read(key) != content:
                raise already_there(str(target))
        finally:
            private.unlink(missing_ok=True)
        sync_directory(target.parent)

    def read(self, key: str) -> bytes | None:
        path = self._root / key
        with explained(path, "reading"):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def read_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = ((key, self.read(key)) for key in keys)
        return {key: content for key, content in found if content is not None}

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key, _ in self._below(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for key, path in sorted(self._below(prefix)):
            with explained(self._root / key, "reading"):
                try:
                    sizes[key] = Path(path).stat().st_size
                except FileNotFoundError:  # moved away since it was listed
                    continue
        return sizes

    def _below(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Keys and paths of all files. Put together as text: a table can have 15,000 directories."""
        root = os.fspath(self._root).rstrip("/")
        with explained(self._root / prefix, "listing"):
            for place, _, names in os.walk(f"{root}/{prefix}", onerror=_unless_gone):
                above = place[len(root) + 1 :]
                for name in names:
                    yield f"{above}/{name}" if above else name, f"{place}/{name}"

    def placed_at(self, key: str) -> datetime | None:
        with explained(self._root / key, "reading"):
            try:  # a rename sets ctime and leaves mtime alone
                return datetime.fromtimestamp((self._root / key).stat().st_ctime, timezone.utc)
            except FileNotFoundError:
                return None

    def move(self, source: str, target: str) -> None:
        old, new = self._root / source, self._root / target
        if old.exists() and rename_into(old, new, "moving a file to"):
            self._forget_empty(old.parent)

    def delete(self, key: str) -> None:
        path = self._root / key
        with explained(path, "removing"):
            path.unlink(missing_ok=True)
        self._forget_empty(path.parent)

    @contextmanager
    def local_file(self, file: ManifestFile, *, checked: bool) -> Iterator[Path]:
        path = (self._root / file.path).absolute()
        if not path.is_file():
            raise missing(str(path))
        if checked and (path.stat().st_size != file.bytes or sha256_of(path) != file.sha256):
            raise changed(str(path))
        yield path

    def metadata(self, key: str) -> pq.FileMetaData:
        with explained(self._root / key, "reading"):
            try:
                return metadata_of(self._root / key, self.address(key))
            except FileNotFoundError as error:
                raise missing(self.address(key)) from error

    def _forget_empty(self, directory: Path) -> None:
        """Remove directories that a move left empty, so that engines that list partitions see none without files."""
        while directory != self._root and directory.is_relative_to(self._root):
            try:
                directory.rmdir()
            except OSError:  # not empty, or somebody else was quicker: both are fine
                return
            directory = directory.parent


def staged_below(root: Path) -> list[Path]:
    """The staging directories of every table below a place that may not exist."""
    with explained(root, "listing"):
        return sorted(path for path in root.glob(f"*/{paths.STAGING}/*") if path.is_dir())


def _name_once(source: Path, target: Path) -> bool:
    """Give a file a name that nothing has; False when something has it. Of several at once one gets it, where the file system
    knows second names."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:  # no second names here (some network disks)
        if target.exists():
            return False
        source.replace(target)
    return True

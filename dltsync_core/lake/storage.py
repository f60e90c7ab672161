"""Where published files live. One small interface, so that another kind of store needs no second publish algorithm.

Keys are relative to the lake of one pipeline, with forward slashes.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Protocol

from dltsync_core.lake.disk import (
    FILE_MODE,
    explained,
    make_directory,
    remove_tree,
    sync_directory,
    sync_file,
)


class LakeStorage(Protocol):
    """What publishing needs. Every step is durable when it returns."""

    def staging_directory(self, key: str) -> Path:
        """A local directory, created, from which `take_in` is cheap."""

    def take_in(self, staged: Path, key: str) -> None:
        """Make a finished local file visible under `key`, whole or not at all."""

    def put(self, key: str, content: bytes) -> None:
        """Create or replace a small object, whole or not at all."""

    def read(self, key: str) -> bytes | None:
        """The content, or None when there is no such object."""

    def size(self, key: str) -> int | None:
        """Bytes, or None when there is no such object."""

    def list(self, prefix: str) -> list[str]:
        """Keys below `prefix`, at any depth, sorted."""

    def move(self, source: str, target: str) -> None:
        """Give an object another key. An object that is gone already is no error: a crash may have moved it."""

    def delete(self, key: str) -> None:
        """Remove an object; gone already is fine."""

    def local_path(self, key: str) -> Path:
        """Where readers on this machine find the object."""


class LocalStorage:
    """A directory on a local disk (or anything mounted as one)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def staging_directory(self, key: str) -> Path:
        directory = self._root / key
        make_directory(directory.parent)
        with explained(directory, "creating the directory"):
            directory.mkdir(mode=0o700)
        return directory

    def take_in(self, staged: Path, key: str) -> None:
        target = self._root / key
        make_directory(target.parent)
        with explained(target, "publishing"):
            staged.replace(target)
        sync_directory(target.parent)

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
                private.replace(target)
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

    def size(self, key: str) -> int | None:
        path = self._root / key
        with explained(path, "reading"):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[str]:
        directory = self._root / prefix
        with explained(directory, "listing"):
            found = (Path(place) / name for place, _, names in os.walk(directory) for name in names)
            return sorted(path.relative_to(self._root).as_posix() for path in found)

    def move(self, source: str, target: str) -> None:
        old, new = self._root / source, self._root / target
        if not old.exists():
            return
        make_directory(new.parent)
        with explained(new, "moving a file to"):
            try:
                old.replace(new)
            except FileNotFoundError:  # somebody else who clears up was quicker
                self._forget_empty(new.parent)
                return
        sync_directory(new.parent)
        self._forget_empty(old.parent)

    def delete(self, key: str) -> None:
        path = self._root / key
        with explained(path, "removing"):
            path.unlink(missing_ok=True)
        self._forget_empty(path.parent)

    def local_path(self, key: str) -> Path:
        return self._root / key

    def discard(self, directory: Path) -> None:
        """Remove a staging directory."""
        remove_tree(directory)

    def _forget_empty(self, directory: Path) -> None:
        """Remove directories that a move left empty, so that engines that list partitions see none without files."""
        while directory != self._root and directory.is_relative_to(self._root):
            try:
                directory.rmdir()
            except OSError:  # not empty, or somebody else was quicker: both are fine
                return
            directory = directory.parent

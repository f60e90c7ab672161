"""All manifests of a lake's tables, and what they and the names beside them say of fences."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from dltsync_core.identity import TableName
from dltsync_core.lake import paths
from dltsync_core.lake.manifest import Manifest, in_order, manifest_from
from dltsync_core.lake.storage.port import LakeStorage


class Manifests:
    """The manifests of a lake's tables as publishers see them: every scan lists them, none is read twice. Thread-safe.

    A manifest never changes: its key is its load's, and nothing is put where something is. On a disk it may be damaged, though:
    who must notice that asks for `unharmed` ones, or reads all of them himself (`scan_manifests`). In memory are those of the
    last listing, each once and parsed.
    """

    def __init__(self) -> None:
        self._read: dict[TableName, Mapping[str, Manifest]] = {}
        self._scanned: dict[TableName, tuple[list[str], tuple[Manifest, ...]]] = {}

    def scan(self, storage: LakeStorage, table: TableName) -> tuple[Manifest, ...]:
        """All manifests of a table, oldest first, live or not yet cleared up. Raises LakeError for a damaged one.

        A manifest that vanishes between listing and reading was just retired, and the one that replaced it may be younger
        than our listing: then look again.
        """
        while True:
            keys = [key for key in storage.list(paths.manifests_directory(table)) if is_manifest(key)]
            before, found = self._scanned.get(table, ([], ()))
            if keys == before:
                return found
            read = self._read.get(table, {})
            new = [key for key in keys if key not in read]
            contents = storage.read_all(new)
            if len(contents) < len(new):
                continue
            parsed = {key: manifest_from(contents[key], path=storage.address(key)) for key in new}
            known = {key: read[key] if key in read else parsed[key] for key in keys}
            found = tuple(in_order(known.values()))
            self._read[table], self._scanned[table] = known, (keys, found)
            return found

    def unharmed(self, storage: LakeStorage, table: TableName) -> Mapping[str, Manifest]:
        """Those that were read before and, where they are still listed, are what they were: of a disk's none is sure to be."""
        return self._read.get(table, {}) if storage.keeps_whole else {}

    def remember(self, table: TableName, listed: Mapping[str, Manifest]) -> None:
        """These, by key, are all that is known of a table. Of several threads the last one wins: the next scan finds what it
        missed."""
        self._read[table] = listed
        self._scanned.pop(table, None)


def scan_manifests(storage: LakeStorage, table: TableName, manifests: Manifests | None = None) -> tuple[Manifest, ...]:
    """All manifests of a table, every one read now except those of `manifests` that cannot have been damaged since. Raises
    LakeError for a damaged one."""
    return (manifests if manifests is not None and storage.keeps_whole else Manifests()).scan(storage, table)


def highest_sequence(storage: LakeStorage, manifests: Manifests, table: TableName) -> int:
    """The highest fence the lake has ever seen of a table: in live manifests, in retired ones and in names of files."""
    scanned = [manifest.sequence for manifest in scan_manifests(storage, table, manifests)]
    return max([0, *scanned, *_fences(storage.list(paths.table_directory(table)))])


def highest_sequence_of(storage: LakeStorage, manifests: Manifests, table: TableName, units: Iterable[str]) -> int:
    """The highest fence in manifests of a table and in names of files of some partitions; what was retired is not looked at."""
    scanned = [manifest.sequence for manifest in manifests.scan(storage, table)]
    named = [_fences(storage.list(paths.partition_directory(table, unit))) for unit in units]
    return max([0, *scanned, *(fence for fences in named for fence in fences)])


def _fences(keys: Iterable[str]) -> list[int]:
    return [order[0] for key in keys if (order := paths.order_of(key)) is not None]


def is_manifest(key: str) -> bool:
    """Whether a key below the manifests' directory is one (and not half of one that is being written)."""
    name = os.path.basename(key)  # noqa: PTH119 -- a storage key, not a path of this machine
    return name.endswith(".json") and not name.startswith(".")

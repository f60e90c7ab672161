"""What lies in a table's lake, the damaged and the strange included. Two listings and the manifests; files are not opened.

Everything here only looks, but for `quarantine`, which moves and never removes: a person may want to see what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from dltsync_core import checkpoints
from dltsync_core.clock import iso
from dltsync_core.errors import LakeError, LakeUnreachable, OtherFormat
from dltsync_core.identity import TableName
from dltsync_core.lake import paths
from dltsync_core.lake.cleanup import superseded_files
from dltsync_core.lake.manifest import Manifest, ManifestFile, live, manifest_from
from dltsync_core.lake.manifest_index import Manifests, is_manifest
from dltsync_core.lake.storage.port import LakeStorage

Kind = Literal[
    "foreign file",
    "superfluous file",
    "orphan file",
    "superseded file",
    "torn file",
    "torn manifest",
    "other pipeline",
    "other format",
]

DOUBLED: tuple[Kind, ...] = ("foreign file", "superfluous file", "orphan file", "superseded file")
"""Files below `data` that are no part of the table: who reads all files there sees their rows as well."""

_ONLY_A_PERSON_KNOWS: tuple[Kind, ...] = ("other pipeline", "other format")


@dataclass(frozen=True)
class LakeFinding:
    """One object that should not lie where it lies. `why` completes the sentence "<address> …"."""

    kind: Kind
    key: str
    address: str
    why: str
    bytes: int = 0

    @property
    def needs_answer(self) -> bool:
        """Whether it may be right, so that only a person can decide."""
        return self.kind in _ONLY_A_PERSON_KNOWS

    def __str__(self) -> str:
        return f"{self.address} {self.why}"


@dataclass(frozen=True)
class LakeInspection:
    """`manifests` are those that can be trusted, superseded ones included; `sizes` the files below `data`."""

    table: TableName
    manifests: tuple[Manifest, ...]
    sizes: Mapping[str, int]
    findings: tuple[LakeFinding, ...]
    problems: Mapping[str, tuple[str, ...]]
    """What is wrong with the live loads, by load id: files that are missing, or of another size."""
    unlisted: tuple[LakeFinding, ...] = ()
    """Files of loads without a manifest that may yet get one: orphans once nobody holds the lease they were published under."""
    superseded: tuple[LakeFinding, ...] = ()
    """Files of replaced loads that are in place: left behind, unless whoever replaced them is about to move them away."""

    @cached_property
    def units(self) -> dict[str, tuple[Manifest, ...]]:
        """The live loads of each unit, oldest first."""
        units: dict[str, tuple[Manifest, ...]] = {}
        for manifest in live(self.manifests):
            units[manifest.unit] = (*units.get(manifest.unit, ()), manifest)
        return units

    def problems_of(self, unit: str) -> tuple[str, ...]:
        """Sentences about the live loads of a unit; none when all its files are there in their sizes."""
        return tuple(p for manifest in self.units.get(unit, ()) for p in self.problems.get(manifest.load_id, ()))

    @property
    def movable(self) -> tuple[LakeFinding, ...]:
        """What can be set aside without asking a person."""
        return tuple(finding for finding in self.findings if not finding.needs_answer)

    @property
    def questions(self) -> tuple[LakeFinding, ...]:
        return tuple(finding for finding in self.findings if finding.needs_answer)


def inspect_lake(
    storage: LakeStorage, table: TableName, pipeline: str, known: Manifests, *, deep: bool = False
) -> LakeInspection:
    """Look at a table's lake; manifests of `known` that cannot have been damaged since are not read again. `deep` reads every
    live file and compares its checksum. Raises LakeError when the store does not answer, never for what is found in it."""
    sizes = storage.sizes(paths.data_directory(table))
    manifests, findings = _manifests(storage, table, pipeline, sizes, known)
    problems: dict[str, tuple[str, ...]] = {}
    for manifest in live(manifests):
        said = []
        for file in manifest.files:
            size, address = sizes.get(file.path), storage.address(file.path)
            if size is None:
                said.append(f"{address} is missing")
            elif size != file.bytes:
                said.append(f"{address} has {size} bytes where the manifest says {file.bytes}")
                why = f"has {size} bytes where the manifest of load {manifest.load_id} says {file.bytes}"
                findings.append(LakeFinding("torn file", file.path, address, why, size))
            elif deep and not _is_whole(storage, file):
                said.append(f"{address} was changed after it was published")
                why = f"is not what load {manifest.load_id} published: its checksum differs"
                findings.append(LakeFinding("torn file", file.path, address, why, size))
        if said:
            problems[manifest.load_id] = tuple(said)
    unnamed, unlisted = _unnamed(storage, sizes, manifests)
    findings += unnamed
    return LakeInspection(
        table,
        manifests,
        sizes,
        tuple(findings),
        problems,
        tuple(unlisted),
        tuple(_superseded(storage, sizes, manifests)),
    )


def still_in_place(storage: LakeStorage, findings: Iterable[LakeFinding]) -> tuple[LakeFinding, ...]:
    """Those of `unlisted` or `superseded` files that lie where they were found, each asked for now. A file whose load has a
    manifest by now is no orphan."""
    there = [finding for finding in findings if storage.placed_at(finding.key) is not None]
    manifests = {finding.key: _manifest_of(finding.key) for finding in there if finding.kind == "orphan file"}
    written = storage.read_all(sorted(set(manifests.values())))
    return tuple(finding for finding in there if manifests.get(finding.key) not in written)


def put_back(storage: LakeStorage, findings: Sequence[LakeFinding], places: Sequence[str]) -> tuple[LakeFinding, ...]:
    """Those of orphans just set aside whose load has a manifest after all: they are where they were again. Its publisher stood
    still in the middle of writing it, and finds, after it, either all of its files or that it has to withdraw it."""
    manifests = {finding.key: _manifest_of(finding.key) for finding in findings if finding.kind == "orphan file"}
    written = storage.read_all(sorted(set(manifests.values())))
    back = [pair for pair in zip(findings, places, strict=True) if manifests.get(pair[0].key) in written]
    for finding, place in back:
        storage.move(place, finding.key)
        storage.delete(f"{place}.why.json")
    return tuple(finding for finding, _ in back)


def _manifest_of(key: str) -> str:
    """Where the manifest of a published file's load is, or would be."""
    table_directory, order = key.partition("/")[0], paths.order_of(key)
    return f"{table_directory}/{paths.MANIFESTS}/{order[1] if order else ''}.json"


def _superseded(
    storage: LakeStorage, sizes: Mapping[str, int], manifests: tuple[Manifest, ...]
) -> Iterator[LakeFinding]:
    current = live(manifests)
    if len(current) == len(manifests):
        return
    orders, named = {manifest.order for manifest in current}, {file.path for m in current for file in m.files}
    for manifest in manifests:
        for file in manifest.files if manifest.order not in orders else ():
            if file.path in sizes and file.path not in named:
                why = f"belongs to load {manifest.load_id}, which a later load replaced"
                address = storage.address(file.path)
                yield LakeFinding("superseded file", file.path, address, why, sizes[file.path])


def quarantine(storage: LakeStorage, table: TableName, findings: Iterable[LakeFinding], now: datetime) -> list[str]:
    """Move what was found beside `data`, with a note that says from where and why. The new keys."""
    places = []
    for finding in findings:
        within = finding.key[len(paths.table_directory(table)) + 1 :]
        place = f"{paths.quarantine_directory(table)}/{now:%Y%m%dT%H%M%S}{now.microsecond:06d}Z/{within}"
        note = {"from": finding.key, "kind": finding.kind, "why": finding.why, "at": iso(now), "bytes": finding.bytes}
        storage.put(f"{place}.why.json", json.dumps(note, ensure_ascii=False, indent=1).encode())
        storage.move(finding.key, place)
        checkpoints.reached(checkpoints.SETTING_ASIDE)
        places.append(place)
    return places


def all_of(storage: LakeStorage, found: LakeInspection, why: str) -> list[LakeFinding]:
    """Every manifest that can be read and every file, for a table that is not ours."""
    keys = [paths.manifest_key(found.table, manifest.load_id) for manifest in found.manifests]
    things = [*((key, 0) for key in keys), *found.sizes.items()]
    return [LakeFinding("other pipeline", key, storage.address(key), why, size) for key, size in things]


def _is_whole(storage: LakeStorage, file: ManifestFile) -> bool:
    try:
        with storage.local_file(file, checked=True):
            return True
    except LakeUnreachable:
        raise
    except LakeError:
        return False


def _manifests(
    storage: LakeStorage, table: TableName, pipeline: str, sizes: Mapping[str, int], known: Manifests
) -> tuple[tuple[Manifest, ...], list[LakeFinding]]:
    keys = [key for key in storage.list(paths.manifests_directory(table)) if is_manifest(key)]
    read = known.unharmed(storage, table)
    good = {key: m for key in keys if (m := read.get(key)) and m.table == table and m.pipeline == pipeline}
    strange: list[Manifest] = []
    findings: list[LakeFinding] = []
    for key, content in storage.read_all([key for key in keys if key not in good]).items():
        address, size = storage.address(key), len(content)
        try:
            manifest = manifest_from(content, path=address)
        except OtherFormat as error:
            findings.append(LakeFinding("other format", key, address, error.problem.removeprefix(f"{address} "), size))
            continue
        except LakeError:
            findings.append(LakeFinding("torn manifest", key, address, "is no whole manifest", size))
            continue
        if manifest.table != table or manifest.pipeline != pipeline:
            owner = f"of pipeline {manifest.pipeline!r}, table {manifest.table}"
            findings.append(LakeFinding("other pipeline", key, address, f"is a manifest {owner}", size))
            strange.append(manifest)
            continue
        good[key] = manifest
    if storage.keeps_whole:
        known.remember(table, good)
    ours = {file.path for manifest in good.values() for file in manifest.files}
    for manifest in strange:
        for file in manifest.files:
            if file.path in sizes and file.path not in ours:
                why = f"is a file of pipeline {manifest.pipeline!r}"
                findings.append(LakeFinding("other pipeline", file.path, storage.address(file.path), why, file.bytes))
    return tuple(good[key] for key in keys if key in good), findings


def _unnamed(
    storage: LakeStorage, sizes: Mapping[str, int], manifests: tuple[Manifest, ...]
) -> tuple[list[LakeFinding], list[LakeFinding]]:
    """Files that no manifest names and none will; and those of a later fence, which may be about to be named."""
    named = {file.path for manifest in manifests for file in manifest.files}
    published = {manifest.load_id for manifest in manifests}
    unnamed = [key for key in sizes if key not in named]
    dead = (
        {key for manifest in live(manifests) for key in superseded_files(unnamed, manifest, manifests)}
        if unnamed
        else set()
    )
    findings: list[LakeFinding] = []
    unlisted: list[LakeFinding] = []
    for key in unnamed:
        order, address, size = paths.order_of(key), storage.address(key), sizes[key]
        if order is None:
            findings.append(LakeFinding("foreign file", key, address, "has no name that dltsync gives", size))
        elif order[1] in published:
            why = f"bears the name of load {order[1]}, whose manifest does not list it"
            findings.append(LakeFinding("superfluous file", key, address, why, size))
        elif key in dead:
            why = f"belongs to load {order[1]}, which has no manifest and was overtaken by a later load"
            findings.append(LakeFinding("superfluous file", key, address, why, size))
        else:
            why = f"belongs to load {order[1]}, which was stopped before its manifest was written"
            unlisted.append(LakeFinding("orphan file", key, address, why, size))
    return findings, unlisted
